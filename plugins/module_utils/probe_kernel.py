# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel does when it is asked to: programs and maps are loaded and dropped again, links and rules are made
in a network namespace that ends with the probe. The configuration file is only asked where trying was not possible.

Runs on the hosts. Names of numbers as in Linux: include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import os
import platform
import struct
import subprocess
import threading
import typing as t
from pathlib import Path

YES, NO, UNKNOWN = "yes", "no", "unknown"

Probe = dict[str, str]

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE, _PROG_LOAD, _PROG_QUERY = 0, 5, 16
_INET4_CONNECT = 10
_CLONE_NEWNET = 0x40000000

# name → (program type, expected attach type, value to return)
_PROGRAMS = {
    "program-sched-cls": (3, 0, 0),
    "program-xdp": (6, 0, 2),
    "program-cgroup-skb": (8, 0, 1),
    "program-cgroup-sock-addr": (18, _INET4_CONNECT, 1),
}
# name → (map type, key size, value size, flags)
_MAPS = {
    "map-lru-hash": (9, 4, 4, 0),
    "map-lpm-trie": (11, 8, 4, 1),
    "map-perf-event-array": (4, 4, 4, 0),
    "map-percpu-hash": (5, 4, 8, 0),
}

_LINK, _PEER = "mwprobe0", "mwprobe1"
_IPTABLES = ("iptables", "-w", "5")  # its lock is the whole host's: kube-proxy may hold it just now
# In this order: the later ones need the first link.
_COMMANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("veth", ("ip", "link", "add", _LINK, "type", "veth", "peer", "name", _PEER)),
    ("clsact", ("tc", "qdisc", "add", "dev", _LINK, "clsact")),
    ("vxlan", ("ip", "link", "add", "mwprobe2", "type", "vxlan", "id", "7", "dstport", "8472", "dev", _LINK)),
    ("geneve", ("ip", "link", "add", "mwprobe3", "type", "geneve", "id", "7", "remote", "192.0.2.1")),
    ("fib-rules", ("ip", "rule", "add", "priority", "9", "fwmark", "0x200/0xf00", "lookup", "2004")),
    ("iptables-nat", (*_IPTABLES, "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")),
    ("iptables-comment", (*_IPTABLES, "-A", "FORWARD", "-m", "comment", "--comment", "probe", "-j", "ACCEPT")),
    ("iptables-mark", (*_IPTABLES, "-A", "FORWARD", "-m", "mark", "--mark", "0x1", "-j", "ACCEPT")),
    ("iptables-conntrack", (*_IPTABLES, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")),
    ("iptables-addrtype", (*_IPTABLES, "-A", "FORWARD", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "ACCEPT")),
    ("iptables-statistic", (*_IPTABLES, "-A", "FORWARD", "-m", "statistic", "--mode", "random",
                            "--probability", "0.5", "-j", "ACCEPT")),
    ("iptables-socket", (*_IPTABLES, "-t", "mangle", "-A", "PREROUTING", "-m", "socket", "-j", "ACCEPT")),
    ("iptables-tproxy", (*_IPTABLES, "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "-j", "TPROXY",
                         "--on-port", "1", "--tproxy-mark", "0x1")),
    ("ip-set", ("ipset", "create", "mwprobe", "hash:net")),
)  # fmt: skip

# Where trying gave no answer: the options of the kernel that stand behind it.
_OPTIONS: t.Mapping[str, tuple[str, ...]] = {
    "program-sched-cls": ("CONFIG_BPF_SYSCALL", "CONFIG_NET_CLS_BPF"),
    "program-cgroup-skb": ("CONFIG_CGROUP_BPF",),
    "program-cgroup-sock-addr": ("CONFIG_CGROUP_BPF",),
    "map-lru-hash": ("CONFIG_BPF_SYSCALL",),
    "map-lpm-trie": ("CONFIG_BPF_SYSCALL",),
    "map-perf-event-array": ("CONFIG_PERF_EVENTS",),
    "veth": ("CONFIG_VETH",),
    "clsact": ("CONFIG_NET_SCH_INGRESS", "CONFIG_NET_CLS_ACT"),
    "vxlan": ("CONFIG_VXLAN",),
    "geneve": ("CONFIG_GENEVE",),
    "fib-rules": ("CONFIG_FIB_RULES",),
    "iptables-nat": ("CONFIG_IP_NF_NAT", "CONFIG_IP_NF_TARGET_MASQUERADE"),
    "iptables-mark": ("CONFIG_NETFILTER_XT_MATCH_MARK",),
    "iptables-comment": ("CONFIG_NETFILTER_XT_MATCH_COMMENT",),
    "iptables-conntrack": ("CONFIG_NETFILTER_XT_MATCH_CONNTRACK",),
    "iptables-addrtype": ("CONFIG_NETFILTER_XT_MATCH_ADDRTYPE",),
    "iptables-statistic": ("CONFIG_NETFILTER_XT_MATCH_STATISTIC",),
    "iptables-socket": ("CONFIG_NETFILTER_XT_MATCH_SOCKET",),
    "iptables-tproxy": ("CONFIG_NETFILTER_XT_TARGET_TPROXY",),
    "ip-set": ("CONFIG_IP_SET",),
}
_TOOLS_MISSING = "is not installed"


def probe_all(cgroup2: str) -> dict[str, Probe]:
    """Every feature by name: `state` is yes, no or unknown, `how` says how that is known."""
    found: dict[str, Probe] = {}
    for name, (kind, attach, value) in _PROGRAMS.items():
        found[name] = _answer("a program was loaded", _load_program(kind, attach, value))
    for name, (kind, key, size, flags) in _MAPS.items():
        found[name] = _answer("a map was created", _create_map(kind, key, size, flags))
    found["cgroup-attach"] = _probe_cgroup(cgroup2)
    found["btf"] = _file("/sys/kernel/btf/vmlinux")
    found.update(_in_own_namespace(_probe_network))
    options = None
    for name, probe in found.items():
        if probe["state"] == UNKNOWN and name in _OPTIONS:
            options = read_config() if options is None else options
            found[name] = from_config(probe, options, _OPTIONS[name])
    return found


def _bpf(command: int, attributes: bytes) -> int:
    """The system call: a file descriptor, or a negative errno."""
    number = _BPF_SYSCALL.get(platform.machine())
    if number is None:
        return -errno.ENOSYS
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = int(libc.syscall(number, command, buffer, 128))
    return result if result >= 0 else -ctypes.get_errno()


def _load_program(kind: int, attach: int, value: int) -> int:
    instructions = struct.pack("<BBhiBBhi", 0xB7, 0, 0, value, 0x95, 0, 0, 0)  # r0 = value; exit
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "<IIQQIIQII16sII", kind, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0, b"", 0, attach
    )
    return _closed(_bpf(_PROG_LOAD, attributes))


def _create_map(kind: int, key: int, value: int, flags: int) -> int:
    return _closed(_bpf(_MAP_CREATE, struct.pack("<IIIII", kind, key, value, 8, flags)))


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor


def _answer(how: str, result: int) -> Probe:
    if result >= 0:
        return {"state": YES, "how": how}
    reason = errno.errorcode.get(-result, str(-result))
    # Without the right to try, or on a machine whose call number is not known here, nothing was learnt.
    state = UNKNOWN if -result in (errno.EPERM, errno.EACCES, errno.ENOSYS) else NO
    return {"state": state, "how": f"bpf() says {reason}"}


def _probe_cgroup(mount: str) -> Probe:
    """Asks for the programs at the cgroup2 root: the kernel answers only where they can be attached."""
    if not mount:
        return {"state": NO, "how": "no cgroup2 is mounted"}
    try:
        descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        return {"state": UNKNOWN, "how": f"{mount}: {error.strerror}"}
    try:
        attributes = struct.pack("<IIIIQI", descriptor, _INET4_CONNECT, 0, 0, 0, 0)
        return _answer(f"the programs of {mount} were asked for", _bpf(_PROG_QUERY, attributes))
    finally:
        os.close(descriptor)


def _file(path: str) -> Probe:
    return {"state": YES if Path(path).exists() else NO, "how": path}


def _in_own_namespace(work: t.Callable[[], dict[str, Probe]]) -> dict[str, Probe]:
    """A thread may leave for a namespace of its own; what it starts follows it, and all of it ends with the thread."""
    results: dict[str, Probe] = {}

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET) != 0:
            reason = errno.errorcode.get(ctypes.get_errno(), "?")
            results.update({name: {"state": UNKNOWN, "how": f"unshare() says {reason}"} for name, _argv in _COMMANDS})
            return
        results.update(work())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results


def _probe_network() -> dict[str, Probe]:
    return {name: _try(argv) for name, argv in _COMMANDS}


def _try(argv: tuple[str, ...]) -> Probe:
    how = " ".join(argv)
    environment = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False, env=environment)
    except FileNotFoundError:
        return {"state": UNKNOWN, "how": f"{argv[0]} {_TOOLS_MISSING}"}
    except subprocess.TimeoutExpired:
        return {"state": UNKNOWN, "how": f"`{how}` did not end"}
    if done.returncode == 0:
        return {"state": YES, "how": f"`{how}`"}
    said = " ".join(done.stderr.split())[:160]
    return {"state": NO, "how": f"`{how}`: {said}"}


def read_config() -> dict[str, str]:
    """The kernel's own configuration, where it or the distribution left it."""
    release = platform.release()
    for path in ("/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        try:
            data = Path(path).read_bytes()
        except OSError:
            continue
        text = (gzip.decompress(data) if path.endswith(".gz") else data).decode(errors="replace")
        lines = [line for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line]
        return {name: value for name, _sign, value in (line.partition("=") for line in lines)}
    return {}


def from_config(probe: Probe, options: t.Mapping[str, str], names: t.Sequence[str]) -> Probe:
    if not options:
        return probe
    told = ", ".join(f"{name}={options.get(name, 'n')}" for name in names)
    state = YES if all(options.get(name) in ("y", "m") for name in names) else NO
    return {"state": state, "how": f"{probe['how']}; {told}"}
