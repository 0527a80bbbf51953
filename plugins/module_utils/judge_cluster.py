# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts together, and all judgements in their order. Pure."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    judge_bgp,
    judge_cilium,
    judge_hosts,
    judge_occupied,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    Finding,
    Findings,
    fine,
    merged,
    note,
    refuse,
    skipping,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cidrs import node_addresses, overlap
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import Facts, Link, Situation
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Host,
    address,
    networks,
    number,
    words,
)

_OVERHEAD = {"vxlan": 50, "geneve": 50}
# Links of a CNI carry addresses of pods: they say nothing about the host's own networks.
_POD_LINKS = ("cilium_", "lxc", "cni", "flannel", "kube-", "veth")

HOST_CHECKS = (
    "architecture", "kernel", "kernel-features", "cgroups", "bpffs", "disk", "resources", "hostname", "resolver",
    "firewall", "networkd", "ports", "other-cni", "kube-proxy", "other-kubernetes", "k3s-state", "servers", "clock",
    "mtu", "node-ip", "node-networks", "default-route", "reachability", "stage",
)  # fmt: skip


def judge_hosts_all(situation: Situation) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for host, facts in situation.pairs:
        found += judge_hosts.judge_host(host, facts, situation)
        found += judge_occupied.judge_occupied(host, facts, situation)
        found += judge_addresses(host, facts, situation)
    found += judge_names(situation)
    found += judge_clocks(situation)
    found += judge_mtu(situation)
    found += judge_reaches(situation)
    if situation.servers_seen:
        found += judge_servers(situation)
        found += judge_cilium.judge_stage(situation.inventory, situation.stage)
        found += judge_bgp.judge_bgp_stage(situation.inventory, situation.stage)
    else:
        found.append(note(CLUSTER, "stage", "the state of the cluster", "not known: no server is part of this run"))
    found += judge_occupied.judge_daemonsets(situation.daemonsets, situation.inventory)
    told = skipping(found, words(situation.inventory.get("preflight_skip")))
    return merged(told, [host.name for host, _facts in situation.pairs])


def judge_servers(situation: Situation) -> Findings:
    count = len(situation.inventory.servers)
    if count % 2:
        yield fine(CLUSTER, "servers", "the number of servers", str(count))
        return
    tell = warn if situation.live else refuse
    yield tell(
        CLUSTER, "servers", "the number of servers", str(count), "an odd number",
        f"{count} lose no more of each other than {count - 1}: add one, or make one an agent",
    )


def judge_names(situation: Situation) -> Findings:
    owners: dict[str, str] = {}
    for host, facts in situation.pairs:
        extra = host.get("k3s_extra_config")
        name = str((extra.get("node-name") if isinstance(extra, dict) else None) or facts.hostname).lower()
        if name and name in owners:
            yield refuse(
                host.name, "hostname", "its host name", f"{name}, which {owners[name]} has too", "a name of its own",
                "set another with hostnamectl: nodes are told apart by it",
            )
        owners.setdefault(name, host.name)


def node_link(host: Host, facts: Facts) -> Link | None:
    """The link that carries the node's address; else the one of the default route."""
    wanted = {address(text) for text in node_addresses(host)} - {None}
    for link in facts.links:
        if link.name.startswith(_POD_LINKS):
            continue
        if any(ipaddress.ip_interface(own).ip in wanted for own in link.addresses):
            return link
    names = set(facts.default_routes.values())
    return next((link for link in facts.links if link.name in names), None)


def judge_addresses(host: Host, facts: Facts, situation: Situation) -> Findings:
    own = {ipaddress.ip_interface(text).ip for link in facts.links for text in link.addresses}
    for text in words(host.get("k3s_node_ip")):
        ip = address(text)
        if own and ip is not None and ip not in own:
            yield refuse(
                facts.host, "node-ip", "k3s_node_ip", str(ip), "an address of one of its links",
                "correct k3s_node_ip, or configure the address on the host",
            )
    if not facts.default_routes:
        tell = warn if host.get("k3s_node_ip") else refuse
        yield tell(
            facts.host, "default-route", "its default route", "missing", "a default route of the node's family",
            "add one, to a dummy link if need be: without it k3s finds no address and pods reach no service",
        )
    yield from _judge_networks(facts, situation)


def _judge_networks(facts: Facts, situation: Situation) -> Findings:
    inv = situation.inventory
    for link in facts.links:
        if link.name == "lo" or link.name.startswith(_POD_LINKS):
            continue
        for text in link.addresses:
            network = ipaddress.ip_interface(text).network
            for name in ("k3s_cluster_cidr", "k3s_service_cidr"):
                for ours in networks(inv.get(name)):
                    if overlap(ours, network):
                        yield refuse(
                            facts.host, "node-networks", name, str(ours),
                            f"apart from {network} on its link {link.name}", f"choose another network for {name}",
                        )
    own = {
        ipaddress.ip_interface(text).network: link.name
        for link in facts.links if link.name != "lo" and not link.name.startswith(_POD_LINKS) for text in link.addresses
    }
    yield from judge_bgp.judge_node_networks(inv, facts.host, own)


def judge_clocks(situation: Situation) -> Findings:
    most = float(situation.inventory.get("preflight_max_clock_skew", 2.0))
    clocks = {facts.host: facts.clock.bounds for _host, facts in situation.pairs if facts.clock is not None}
    worst = 0.0
    for (name_a, a), (name_b, b) in itertools.combinations(clocks.items(), 2):
        apart = max(a[0] - b[1], b[0] - a[1])
        worst = max(worst, apart)
        if apart > most:
            ahead, behind = (name_a, name_b) if a[0] > b[0] else (name_b, name_a)
            yield refuse(
                ahead, "clock", "its clock", f"at least {apart:.1f} s ahead of {behind}'s", f"{most:g} s at most",
                "start a time service on both hosts",
            )
    for name, (low, high) in clocks.items():
        if max(low, -high) > most:
            yield warn(
                name, "clock", "its clock", f"at least {max(low, -high):.1f} s away from this machine's",
                f"{most:g} s at most", "correct the one that is wrong: certificates have a first second",
            )
    if clocks and worst <= most:
        yield fine(CLUSTER, "clock", "the difference of the clocks", f"{worst:.2f} s at least, {most:g} s allowed")


def judge_mtu(situation: Situation) -> Findings:
    found = {facts.host: link for host, facts in situation.pairs for link in [node_link(host, facts)] if link}
    sizes = sorted({link.mtu for link in found.values()})
    wanted = number(situation.inventory.get("cilium_mtu")) or 0
    if len(sizes) > 1:
        told = ", ".join(f"{link.mtu} on {host} ({link.name})" for host, link in found.items())
        fits = 0 < wanted <= sizes[0]
        tell = warn if fits else refuse
        yield tell(
            CLUSTER, "mtu", "the MTU of the nodes' links", told, "the same on all nodes",
            f"set it to {sizes[0]} on all, or cilium_mtu to {sizes[0]} at most",
        )
    elif sizes:
        yield fine(CLUSTER, "mtu", "the MTU of the nodes' links", str(sizes[0]))
    overhead = 0
    if situation.inventory.get("cilium_routing_mode") == "tunnel":
        overhead = _OVERHEAD.get(str(situation.inventory.get("cilium_tunnel_protocol", "vxlan")), 0)
    if sizes and wanted > sizes[0]:
        yield refuse(
            CLUSTER, "mtu", "cilium_mtu", str(wanted), f"{sizes[0]} at most, as the links have it",
            f"leave it out: Cilium takes {overhead} bytes off for itself" if overhead else "leave it out",
        )


def judge_reaches(situation: Situation) -> Findings:
    """One finding for each host that is not reached, not for each pair of ports."""
    good = 0
    for reach in situation.reaches:
        lost = {port: said for port, said in reach.ports.items() if said.startswith("lost")}
        good += len(reach.ports) - len(lost)
        if lost:
            ports, said = ", ".join(lost), next(iter(lost.values()))
            yield refuse(
                reach.source, "reachability", f"its way to {reach.target} ({reach.address})",
                f"closed for port {ports} ({said})", "open, or refused by the host itself",
                "open the ports between the nodes, or correct k3s_node_ip",
            )
        if reach.echo == "too large":
            yield warn(
                reach.source, "reachability", f"its way to {reach.target} ({reach.address})",
                "too narrow for a packet as large as the link's MTU", "the same MTU all the way",
                "lower the MTU of the links, or raise it on the way",
            )
    if good:
        yield fine(CLUSTER, "reachability", "the ways between the nodes", f"open ({good} connections tried)")
    elif not situation.reaches and len(situation.facts) > 1:
        yield note(CLUSTER, "reachability", "the ways between the nodes", "not tried")


def reach_targets(
    source: str, situation: Situation, ssh_ports: t.Mapping[str, int]
) -> list[dict[str, t.Any]]:
    """What one host should try to reach: all others, at the ports that it will need there."""
    by_name = {host.name: (host, facts) for host, facts in situation.pairs}
    if source not in by_name:
        return []
    me, mine = by_name[source]
    link = node_link(me, mine)
    targets = []
    for name, (host, facts) in by_name.items():
        if name == source:
            continue
        ports = [ssh_ports.get(name, 22), 10250, 4240]
        if host.is_server:
            ports += [6443, *((2379, 2380) if me.is_server else ())]
        theirs = node_link(host, facts)
        mtu = min(link.mtu, theirs.mtu) if link and theirs else 0
        targets.append({"host": name, "address": _target_address(host, facts), "ports": ports, "mtu": mtu})
    return targets


def _target_address(host: Host, facts: Facts) -> str:
    """An address, so that no node needs the controller's DNS: the inventory's, or one of the node's own link."""
    for text in node_addresses(host):
        if address(text) is not None:
            return text
    link = node_link(host, facts)
    own = [ipaddress.ip_interface(text).ip for text in link.addresses] if link else []
    return next((str(ip) for ip in own if not ip.is_link_local), host.address)
