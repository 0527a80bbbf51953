# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host by itself: is it able to be a node of this cluster? Pure. One function for each check."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    Finding,
    Findings,
    fine,
    from_error,
    note,
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import Facts, Situation
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Host,
    Inventory,
    number,
    truth,
)

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_HOSTNAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

# Without these Cilium's agent, or the pods it serves, cannot work at all.
_NEEDED = (
    "program-sched-cls", "program-cgroup-skb", "program-cgroup-sock-addr", "map-lru-hash", "map-lpm-trie",
    "map-perf-event-array", "map-percpu-hash", "veth", "clsact", "cgroup-attach",
)  # fmt: skip
# kube-proxy's rules, so stage 1; Cilium's own masquerading needs the first ones too.
_NEEDED_STAGE_1 = ("iptables-nat", "iptables-mark", "iptables-comment", "iptables-conntrack", "iptables-addrtype",
                   "iptables-statistic")  # fmt: skip
_WANTED: t.Mapping[str, str] = {
    "btf": "programs that follow kernel structures (BTF) stay off",
    "fib-rules": "routing of proxied traffic needs it",
    "program-xdp": "XDP acceleration stays off",
    "iptables-socket": "L7 policies need it",
    "iptables-tproxy": "L7 policies need it",
    "ip-set": "masquerading by iptables with native routing needs it",
}
_CONTROLLERS = ("cpu", "memory", "pids")


def judge_host(host: Host, facts: Facts, situation: Situation) -> Findings:
    inv = situation.inventory
    yield judge_architecture(facts)
    yield from judge_kernel(facts, inv)
    yield from judge_features(facts, inv, situation.stage)
    yield from judge_cgroups(facts, inv)
    yield from judge_bpffs(facts)
    yield from judge_room(facts, inv, host.is_server)
    yield from judge_hostname(facts, host)
    yield from judge_resolver(facts, host)
    yield from judge_daemons(facts)


def judge_architecture(facts: Facts) -> Finding:
    if facts.machine in MACHINES:
        return fine(facts.host, "architecture", "its architecture", MACHINES[facts.machine])
    return refuse(
        facts.host, "architecture", "its architecture", facts.machine, "x86_64 or aarch64",
        "take another machine: Cilium is built for these two",
    )


def judge_kernel(facts: Facts, inv: Inventory) -> Findings:
    try:
        have = versions.parse_kernel(facts.kernel)
        cilium = versions.parse_plain(inv.text("cilium_version"), "cilium_version").line
        least = versions.kernel_minimum(cilium)
    except MeshwrightError as error:
        yield from_error(error, facts.host, "kernel")
        return
    if have >= least:
        yield fine(facts.host, "kernel", "its kernel", facts.kernel)
    elif have == (4, 18) and ".el8" in facts.kernel:
        yield warn(
            facts.host, "kernel", "its kernel", facts.kernel, f"{versions.show(least)} or the same by backports",
            "make sure that it is the newest of its release; the probes below say what it can do",
        )
    else:
        yield refuse(
            facts.host, "kernel", "its kernel", facts.kernel,
            f"{versions.show(least)} or later for Cilium {versions.show(cilium)}", "install a newer kernel",
        )


def judge_features(facts: Facts, inv: Inventory, stage: int) -> Findings:
    needed = [*_NEEDED, *(_NEEDED_STAGE_1 if stage == 1 else _NEEDED_STAGE_1[:1])]
    if inv.get("cilium_routing_mode") == "tunnel":
        needed.append(str(inv.get("cilium_tunnel_protocol", "vxlan")))
    states = {name: facts.features[name] for name in (*needed, *_WANTED) if name in facts.features}
    for name, feature in states.items():
        thing = f"the kernel's {name}"
        if feature.state == "no" and name in needed:
            yield refuse(
                facts.host, "kernel-features", thing, f"missing ({feature.how})", "there",
                "load the module, or install a kernel that is built with it",
            )
        elif feature.state == "no":
            yield note(facts.host, "kernel-features", thing, f"missing ({feature.how})", _WANTED[name])
        elif feature.state != "yes":
            yield note(facts.host, "kernel-features", thing, f"not known ({feature.how})", "it could not be tried")
    working = sum(feature.state == "yes" for feature in states.values())
    yield fine(facts.host, "kernel-features", "the kernel", f"able to do {working} of {len(states)} things tried")


def judge_cgroups(facts: Facts, inv: Inventory) -> Findings:
    line = _kubernetes(inv)
    missing = [name for name in _CONTROLLERS if name not in facts.controllers]
    if facts.cgroup == "none" or missing:
        yield refuse(
            facts.host, "cgroups", "its cgroups", f"version {facts.cgroup}, without {', '.join(missing) or 'any'}",
            f"the controllers {', '.join(_CONTROLLERS)}",
            "turn them on at boot (on a Raspberry Pi: cgroup_enable=memory in cmdline.txt)",
        )
    elif facts.cgroup != "2" and line is not None and not line.cgroup_v1:
        yield refuse(
            facts.host, "cgroups", "its cgroups", f"version {facts.cgroup}",
            f"version 2 for Kubernetes {versions.show(line.minor)}", "boot with systemd.unified_cgroup_hierarchy=1",
        )
    elif not facts.cgroup2 and not truth(inv.get("cilium_cgroup_automount", True)):
        yield refuse(
            facts.host, "cgroups", "cgroup2", "mounted nowhere", "mounted, for cilium_cgroup_automount is false",
            "set cilium_cgroup_automount to true, or mount it and name it in cilium_cgroup_host_root",
        )
    else:
        yield fine(facts.host, "cgroups", "its cgroups", f"version {facts.cgroup}")


def _kubernetes(inv: Inventory) -> versions.KubernetesLine | None:
    try:
        return versions.kubernetes_line(versions.parse_k3s(inv.text("k3s_version")).kubernetes)
    except MeshwrightError:
        return None


def judge_bpffs(facts: Facts) -> Findings:
    if facts.bpffs:
        yield fine(facts.host, "bpffs", "the BPF file system", "mounted")
    else:
        yield note(
            facts.host, "bpffs", "the BPF file system", "not mounted",
            "Cilium mounts it; after a restart of the agent its programs stay only if the mount does",
        )


def judge_room(facts: Facts, inv: Inventory, server: bool) -> Findings:
    disk, least = facts.disk, number(inv.get("preflight_min_disk_mib")) or 0
    if disk.free_mib < least:
        yield refuse(
            facts.host, "disk", f"the room below {disk.path}", f"{disk.free_mib} MiB", f"{least} MiB or more",
            "make room, or lower preflight_min_disk_mib",
        )
    elif disk.has_inodes and disk.free_inodes < 10_000:
        yield refuse(
            facts.host, "disk", f"the number of free inodes below {disk.path}", str(disk.free_inodes),
            "10000 or more", "make room; an image has thousands of files",
        )
    else:
        yield fine(facts.host, "disk", f"the room below {disk.path}", f"{disk.free_mib} MiB")
    memory, cpus = (1800, 2) if server else (480, 1)
    if facts.memory_mib < memory or facts.cpus < cpus:
        yield warn(
            facts.host, "resources", "the machine", f"{facts.memory_mib} MiB and {facts.cpus} processors",
            f"{memory} MiB and {cpus} processors", "give it more; k3s starts, but etcd misses its deadlines",
        )
    if facts.swap:
        yield note(facts.host, "resources", "swap", "on", "pods that swap answer late; turn it off if you can")


def judge_hostname(facts: Facts, host: Host) -> Findings:
    extra = host.get("k3s_extra_config")
    name = extra.get("node-name") if isinstance(extra, dict) else None
    node = str(name or facts.hostname)
    if node in ("", "localhost", "localhost.localdomain") or not _HOSTNAME.fullmatch(node.lower()) or len(node) > 63:
        yield refuse(
            facts.host, "hostname", "its host name", repr(node), "a name of small letters, digits and dashes",
            "set it with hostnamectl: the node will have it",
        )
    elif facts.resolves.get(facts.hostname) is False:
        yield warn(
            facts.host, "hostname", "its host name", f"{facts.hostname}, which it cannot resolve itself",
            "a name in /etc/hosts or DNS", f"add {facts.hostname} to its /etc/hosts",
        )
    else:
        yield fine(facts.host, "hostname", "its host name", node)


def judge_resolver(facts: Facts, host: Host) -> Findings:
    path = str(host.get("k3s_resolv_conf", "auto"))
    loopback = [server for server in facts.nameservers if server.startswith("127.") or server == "::1"]
    if path == "/run/systemd/resolve/resolv.conf" and not facts.upstream_resolv_conf:
        yield refuse(
            facts.host, "resolver", "k3s_resolv_conf", f"{path}, which is not there", "a file on the host",
            "start systemd-resolved, or leave k3s_resolv_conf out",
        )
    elif path not in ("", "auto"):
        yield fine(facts.host, "resolver", "its resolver", path)
    elif path == "auto" and facts.upstream_resolv_conf:
        yield fine(facts.host, "resolver", "its resolver", "systemd-resolved's")
    elif not facts.nameservers or len(loopback) < len(facts.nameservers):
        yield fine(facts.host, "resolver", "its resolver", ", ".join(facts.nameservers) or "empty")
    elif facts.upstream_resolv_conf:
        yield note(
            facts.host, "resolver", "its resolver", f"{', '.join(loopback)}, which no pod can reach",
            "set k3s_resolv_conf to auto to be sure of IPv6 servers too",
        )
    else:
        yield warn(
            facts.host, "resolver", "its resolver", f"{', '.join(loopback)} alone", "a server that pods can reach",
            "set k3s_resolv_conf to a file with real name servers, or pods get a public one",
        )


_FIREWALLS = ("ufw", "firewalld")
_CLOCKS = ("chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntpsec")


def judge_daemons(facts: Facts) -> Findings:
    for unit in _FIREWALLS:
        if facts.active(unit):
            yield warn(
                facts.host, "firewall", unit, "active", "off, or open for the nodes, pods and services",
                "allow the pods' and services' networks and the ports between nodes",
            )
    if not any(facts.active(unit) for unit in _CLOCKS):
        yield note(facts.host, "clock", "a time service", "not active", "install chrony, unless the host keeps time")
    if facts.active("systemd-networkd"):
        for name in ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules"):
            if facts.networkd.get(name, "yes") not in ("no", "false", "0", "off"):
                yield warn(
                    facts.host, "networkd", f"systemd-networkd's {name}", facts.networkd.get(name, "yes (its default)"),
                    "no", "set it below [Network] in /etc/systemd/networkd.conf.d/: Cilium's would be removed",
                )
