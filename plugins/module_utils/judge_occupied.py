# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a host already: ports, other networks, other Kubernetes, an older k3s. Pure."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    Findings,
    fine,
    from_error,
    note,
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import (
    Facts,
    Process,
    Situation,
    Socket,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, Inventory, truth

_MOVE = "move the cluster over first: changing its CNI is no part of this run"

OUR_UNITS = ("k3s", "k3s-agent")

_NODE_PORTS = {6444: "k3s' local way to the API", 10250: "the kubelet", 10248: "the kubelet's health",
               10256: "kube-proxy's health", 10010: "containerd", 4240: "Cilium's health"}
_SERVER_PORTS = {6443: "the API", 2379: "etcd", 2380: "etcd's peers", 2381: "etcd's metrics", 2382: "etcd's HTTP",
                 10257: "the controller manager", 10259: "the scheduler"}
_TUNNEL_PORTS = {"vxlan": 8472, "geneve": 6081}

# Links that tell of another network for pods, and whose they are.
_FOREIGN_LINKS = {"flannel*": "flannel", "cni0": "flannel or another bridge", "cali*": "Calico", "tunl0": "Calico",
                  "vxlan.calico": "Calico", "weave": "Weave", "kube-ipvs0": "kube-proxy in IPVS mode",
                  "kube-bridge": "kube-router", "antrea-gw0": "Antrea", "ovn-k8s*": "OVN-Kubernetes"}
_CILIUM_LINKS = ("cilium_*",)
_FOREIGN_FILES = ("calico", "flannel", "weave", "canal", "kube-router", "antrea", "multus", "ovn")
_FOREIGN_DAEMONSETS = ("flannel", "calico", "canal", "weave", "kube-router", "antrea", "kube-proxy", "aws-node")
_DISTRIBUTIONS = {"rke2": "rke2", "kubelet": "another kubelet", "kube-apiserver": "another API server",
                  "microk8s": "microk8s", "kubelite": "microk8s", "k0s": "k0s", "flanneld": "flannel"}
_DISTRIBUTION_UNITS = {"rke2-server": "rke2", "rke2-agent": "rke2", "kubelet": "a kubelet of its own",
                       "snap.microk8s.daemon-kubelite": "microk8s"}


def judge_occupied(host: Host, facts: Facts, situation: Situation) -> Findings:
    yield from judge_ports(facts, host.is_server, situation.inventory)
    yield from judge_links(facts, situation)
    yield from judge_cni_files(facts)
    yield from judge_kube_proxy(facts)
    yield from judge_distributions(facts)
    yield from judge_k3s(host, facts, situation)


def wanted_ports(server: bool, inv: Inventory) -> dict[tuple[str, int], str]:
    """Protocol and port of everything that this node will listen on."""
    wanted = {("tcp", port): what for port, what in _NODE_PORTS.items()}
    if server:
        wanted.update({("tcp", port): what for port, what in _SERVER_PORTS.items()})
    if truth(inv.get("cilium_hubble", True)):
        wanted[("tcp", 4244)] = "Hubble"
    if inv.get("cilium_routing_mode") == "tunnel":
        protocol = str(inv.get("cilium_tunnel_protocol", "vxlan"))
        wanted[("udp", _TUNNEL_PORTS.get(protocol, 8472))] = f"the {protocol} tunnel"
    return wanted


def is_ours(process: Process) -> bool:
    return process.unit in OUR_UNITS or process.unit == "pod" or process.comm.startswith("cilium")


def judge_ports(facts: Facts, server: bool, inv: Inventory) -> Findings:
    wanted = wanted_ports(server, inv)
    foreign = {
        (socket.protocol, socket.port): socket
        for socket in facts.sockets
        if (socket.protocol, socket.port) in wanted and not _held_by_us(socket, facts)
    }
    for (protocol, port), socket in sorted(foreign.items()):
        owner = f"{socket.owner.comm} (pid {socket.owner.pid})" if socket.owner.comm else "a process it does not show"
        unit = f", unit {socket.owner.unit}" if socket.owner.unit else ""
        yield refuse(
            facts.host, "ports", f"port {port}/{protocol}", f"held by {owner}{unit}",
            f"free for {wanted[(protocol, port)]}", "stop that program, or move it to another port",
        )
    if not foreign:
        state = "free, or held by k3s and Cilium" if facts.runs_k3s else "free"
        yield fine(facts.host, "ports", "the ports", state)


def _held_by_us(socket: Socket, facts: Facts) -> bool:
    # The kernel itself holds the port of a tunnel link: nobody is to be seen behind it.
    tunnel = any(link.name in ("cilium_vxlan", "cilium_geneve") for link in facts.links)
    return is_ours(socket.owner) or (tunnel and socket.protocol == "udp" and not socket.owner.comm)


def judge_links(facts: Facts, situation: Situation) -> Findings:
    for link in facts.links:
        owner = next((who for pattern, who in _FOREIGN_LINKS.items() if fnmatch.fnmatch(link.name, pattern)), "")
        if owner:
            way = _MOVE if situation.live else f"remove {owner} and `ip link delete {link.name}`, or reboot"
            yield refuse(facts.host, "other-cni", f"the link {link.name}", f"there, of {owner}", "no other CNI", way)
        elif any(fnmatch.fnmatch(link.name, pattern) for pattern in _CILIUM_LINKS) and not facts.runs_k3s:
            yield warn(
                facts.host, "other-cni", f"the link {link.name}", "left of an earlier Cilium", "a host without it",
                "reboot the host, or delete cilium_host, cilium_net and cilium_vxlan",
            )


def judge_cni_files(facts: Facts) -> Findings:
    for name in facts.cni_files:
        if not name.endswith((".conf", ".conflist", ".json")) or "cilium" in name:
            continue
        if any(foreign in name for foreign in _FOREIGN_FILES):
            yield refuse(
                facts.host, "other-cni", f"/etc/cni/net.d/{name}", "there", "no other CNI's configuration",
                "remove that CNI and its file: containerd takes the first file by name",
            )
        else:
            yield note(
                facts.host, "other-cni", f"/etc/cni/net.d/{name}", "there", "Cilium sets it aside as *.cilium_bak"
            )


def judge_kube_proxy(facts: Facts) -> Findings:
    alone = [process for process in facts.processes if process.comm == "kube-proxy" and process.unit not in OUR_UNITS]
    if facts.active("kube-proxy") or alone:
        where = f"pid {alone[0].pid}, unit {alone[0].unit or '?'}" if alone else "as a unit of systemd"
        yield refuse(
            facts.host, "kube-proxy", "kube-proxy", f"running by itself ({where})", "none but k3s' own",
            "stop and disable it, or delete its DaemonSet: two of them write each other's rules away",
        )


def judge_distributions(facts: Facts) -> Findings:
    found = {
        _DISTRIBUTIONS[process.comm]
        for process in facts.processes
        if process.comm in _DISTRIBUTIONS and process.unit not in OUR_UNITS
    }
    found |= {what for unit, what in _DISTRIBUTION_UNITS.items() if facts.active(unit)}
    for what in sorted(found):
        yield refuse(
            facts.host, "other-kubernetes", what, "running", "a host for k3s alone", f"uninstall {what}, then reboot"
        )
    for mark in facts.marks:
        if mark not in found:
            yield warn(
                facts.host, "other-kubernetes", f"{mark}'s files", "left on the host", "none",
                f"uninstall {mark} to the end",
            )
    if facts.active("docker"):
        yield note(facts.host, "other-kubernetes", "docker", "active", "its FORWARD policy DROP can cut pods off")


def judge_k3s(host: Host, facts: Facts, situation: Situation) -> Findings:
    if facts.datastore and not host.is_server:
        yield refuse(
            facts.host, "k3s-state", "the datastore of a server", "there, on an agent", "none on agents",
            "move the host to the group server, or run k3s-uninstall.sh on it",
        )
    if not facts.k3s_version:
        return
    try:
        have = versions.parse_k3s(facts.k3s_version)
        want = versions.parse_k3s(situation.inventory.text("k3s_version"))
    except MeshwrightError:
        yield note(facts.host, "k3s-state", "k3s", f"{facts.k3s_version}, a build of its own: no step was checked")
        return
    step = versions.k3s_step(have, want) if situation.live and facts.runs_k3s else None
    if step is not None:
        yield from_error(step, facts.host, "k3s-state")
    elif have != want:
        yield note(facts.host, "k3s-state", "k3s", f"{have}, to become {want}")
    else:
        yield fine(facts.host, "k3s-state", "k3s", str(have))


def judge_daemonsets(images: t.Mapping[str, str], inv: Inventory) -> Findings:
    """`namespace/name` of the live cluster, with the image."""
    for full, image in images.items():
        name = full.rpartition("/")[2]
        if full == "kube-system/cilium":
            yield from _judge_cilium_step(image, inv)
        if any(foreign in name for foreign in _FOREIGN_DAEMONSETS):
            yield refuse(
                CLUSTER, "other-cni", f"the DaemonSet {full}", "there", "no other CNI and no kube-proxy beside k3s'",
                _MOVE,
            )


def _judge_cilium_step(image: str, inv: Inventory) -> Findings:
    tag = re.search(r":v?(\d+\.\d+\.\d+)", image)
    if tag is None:
        return
    try:
        want = versions.parse_plain(inv.text("cilium_version"), "cilium_version")
    except MeshwrightError:
        return  # told already
    have = versions.parse_plain(tag.group(1), "the running Cilium")
    step = versions.cilium_step(have, want)
    if step is not None:
        yield from_error(step, CLUSTER, "versions")
    elif have != want:
        yield note(CLUSTER, "versions", "Cilium", f"{have}, to become {want}")
