# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, read from /proc, /sys, and the few tools every such host has. Runs on the hosts; changes nothing."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import threading
import typing as t
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_kernel

K3S = "/usr/local/bin/k3s"
DATASTORE = "/var/lib/rancher/k3s/server/db/etcd/member"
STAGE_FILE = "/etc/rancher/k3s/config.yaml.d/60-kube-proxy.yaml"

_UNITS = (
    "k3s", "k3s-agent", "kube-proxy", "kubelet", "rke2-server", "rke2-agent", "docker", "containerd", "crio",
    "snap.microk8s.daemon-kubelite", "ufw", "firewalld", "nftables", "systemd-networkd", "systemd-resolved",
    "chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntpsec",
)  # fmt: skip
_WATCHED = ("kube-proxy", "kubelet", "kube-apiserver", "etcd", "rke2", "microk8s", "kubelite", "k0s", "flanneld")
_MARKS = {
    "rke2": "/var/lib/rancher/rke2", "kubeadm": "/etc/kubernetes/admin.conf", "microk8s": "/var/snap/microk8s",
    "k0s": "/var/lib/k0s",
}  # fmt: skip
_CNI_DIRECTORY = "/etc/cni/net.d"
_NETWORKD = ("/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd")


def facts(resolve: t.Sequence[str], disk: str) -> dict[str, t.Any]:
    mounts = read_mounts()
    return {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "hostname": socket.gethostname(),
        "memory_mib": _memory(),
        "cpus": os.cpu_count() or 0,
        "swap": len(_lines("/proc/swaps")) > 1,
        "cgroup": cgroups(mounts),
        "bpffs": any(kind == "bpf" for _where, kind in mounts),
        "features": probe_kernel.probe_all(cgroups(mounts)["cgroup2"]),
        "sockets": sockets(),
        "processes": processes(),
        "links": links(),
        "default_routes": default_routes(),
        "cni_files": sorted(path.name for path in Path(_CNI_DIRECTORY).glob("*") if path.is_file()),
        "units": units(),
        "marks": sorted(name for name, path in _MARKS.items() if Path(path).exists()),
        "networkd": networkd(),
        "k3s": k3s(),
        "disk": disk_room(disk),
        "nameservers": _nameservers("/etc/resolv.conf"),
        "upstream_resolv_conf": Path("/run/systemd/resolve/resolv.conf").exists(),
        "resolves": {name: _resolves(name) for name in resolve},
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []


def _output(*argv: str) -> str:
    """What a command prints; nothing if it is not there or fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def read_mounts() -> list[tuple[str, str]]:
    rows = (line.split() for line in _lines("/proc/self/mounts"))
    return [(row[1], row[2]) for row in rows if len(row) > 2]


def cgroups(mounts: t.Sequence[tuple[str, str]]) -> dict[str, t.Any]:
    unified = next((where for where, kind in mounts if kind == "cgroup2"), "")
    old = [where for where, kind in mounts if kind == "cgroup"]
    version = "hybrid" if unified and old else "2" if unified else "1" if old else "none"
    controllers = " ".join(_lines(f"{unified}/cgroup.controllers")).split() if unified else []
    return {"version": version, "cgroup2": unified, "controllers": controllers + [Path(path).name for path in old]}


def _memory() -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def sockets() -> list[dict[str, t.Any]]:
    """All listening TCP and bound UDP sockets with who holds them."""
    found = []
    for protocol, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in _lines(f"/proc/net/{protocol}")[1:]:
            row = line.split()
            if len(row) > 9 and row[3] == listening:
                address, port = row[1].split(":")
                found.append((protocol[:3], int(port, 16), _address(address), row[9]))
    owners = _owners({inode for _protocol, _port, _address, inode in found})
    nobody = {"pid": 0, "comm": "", "unit": ""}
    return [
        {"protocol": protocol, "port": port, "address": address, **owners.get(inode, nobody)}
        for protocol, port, address, inode in found
    ]


def _address(text: str) -> str:
    """/proc writes addresses as numbers of the machine's own byte order, four bytes at a time."""
    raw = b"".join(bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(raw))


def _owners(inodes: t.AbstractSet[str]) -> dict[str, dict[str, t.Any]]:
    owners: dict[str, dict[str, t.Any]] = {}
    for pid in _pids():
        for inode in _sockets_of(Path(f"/proc/{pid}/fd")) & inodes:
            owners.setdefault(inode, _process(pid))
    return owners


def _sockets_of(directory: Path) -> set[str]:
    """Inodes of the sockets that a process has open."""
    try:
        descriptors = list(directory.iterdir())
    except OSError:
        return set()  # it ended, or it is not ours to look at
    found = set()
    for descriptor in descriptors:
        # One that was closed since then says nothing of the others.
        with contextlib.suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def _pids() -> list[int]:
    return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _process(pid: int) -> dict[str, t.Any]:
    comm = "".join(_lines(f"/proc/{pid}/comm")[:1])
    return {"pid": pid, "comm": comm, "unit": _unit(_lines(f"/proc/{pid}/cgroup"))}


def _unit(cgroup: t.Sequence[str]) -> str:
    """The systemd unit of a process, or `pod` for one in a pod of a kubelet."""
    for line in cgroup:
        path = line.split(":", 2)[-1]
        if "kubepods" in path:
            return "pod"
        match = re.search(r"/([^/]+)\.(service|scope)", path)
        if match:
            return match.group(1)
    return ""


def processes() -> list[dict[str, t.Any]]:
    found = (_process(pid) for pid in _pids())
    return [process for process in found if process["comm"] in _WATCHED]


def links() -> list[dict[str, t.Any]]:
    addresses: dict[str, list[str]] = {}
    try:
        rows = json.loads(_output("ip", "-j", "address", "show") or "[]")
    except ValueError:
        rows = []
    for row in rows:
        addresses[row.get("ifname", "")] = [
            f"{entry['local']}/{entry['prefixlen']}" for entry in row.get("addr_info", ()) if "local" in entry
        ]
    found = []
    for path in sorted(Path("/sys/class/net").glob("*")):
        mtu = "".join(_lines(str(path / "mtu"))[:1])
        if mtu.isdigit():
            found.append({"name": path.name, "mtu": int(mtu), "addresses": addresses.get(path.name, [])})
    return found


def default_routes() -> dict[str, str]:
    """The link of the default route by family."""
    found = {}
    for family, flag in (("4", "-4"), ("6", "-6")):
        match = re.search(r"\bdev (\S+)", _output("ip", flag, "route", "show", "default"))
        if match:
            found[family] = match.group(1)
    return found


def units() -> dict[str, str]:
    states = _output("systemctl", "is-active", *_UNITS).split()
    return {unit: state for unit, state in zip(_UNITS, states) if state != "inactive"}


def networkd() -> dict[str, str]:
    """The settings of systemd-networkd that take routes and rules of others away, as the last file says them."""
    files: dict[str, Path] = {}
    for base in _NETWORKD:
        for path in Path(base, "networkd.conf.d").glob("*.conf"):
            files[path.name] = path
    ordered = [Path(base, "networkd.conf") for base in _NETWORKD] + [files[name] for name in sorted(files)]
    found = {}
    for path in ordered:
        for line in _lines(str(path)):
            name, sign, value = line.partition("=")
            if sign and name.strip() in ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules"):
                found[name.strip()] = value.strip().lower()
    return found


def k3s() -> dict[str, t.Any]:
    stage = " ".join(_lines(STAGE_FILE))
    version = re.search(r"\bv\d\S+", _output(K3S, "--version")) if os.access(K3S, os.X_OK) else None
    return {
        "version": version.group(0) if version else "",
        "datastore": Path(DATASTORE).is_dir(),
        "without_kube_proxy": bool(re.search(r"disable-kube-proxy:\s*[\"']?true", stage)),
    }


def disk_room(path: str) -> dict[str, t.Any]:
    """Of the nearest directory that is there already."""
    where = Path(path)
    while not where.exists() and where != where.parent:
        where = where.parent
    usage = shutil.disk_usage(where)
    inodes = os.statvfs(where)
    return {
        "path": path, "free_mib": usage.free >> 20, "total_mib": usage.total >> 20, "free_inodes": inodes.f_favail,
        "has_inodes": inodes.f_files > 0,
    }  # fmt: skip


def _nameservers(path: str) -> list[str]:
    rows = (line.split() for line in _lines(path))
    return [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]


def _resolves(name: str) -> bool:
    """A resolver without servers takes its time to say no: three seconds are no as well."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            answers.append(bool(socket.getaddrinfo(name, None)))
        except OSError:
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(3)
    return answers == [True]
