# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers of the inventory: each by itself, then together with the nodes. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_inventory import KINDS_OF_ROUTERS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    FAMILIES,
    IPV4,
    LISTEN,
    Bgp,
    Router,
    family_of,
    first_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_policy import refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    Finding,
    Findings,
    from_error,
    note,
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_forms import (
    judge_addresses,
    judge_asn,
    judge_name,
    judge_prefixes,
    judge_router_id,
    judge_timers,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_pools import (
    capacity,
    expected,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Host,
    Inventory,
    address,
    networks,
    words,
)

ROUTERS = "bgp-routers"
_MD5_LONGEST = 80  # TCP_MD5SIG_MAXKEYLEN of Linux
_QUOTES = "'\"\\`"
_LIMITS = {
    "bgp_router_port": (1, 65535), "bgp_router_multihop": (0, 255), "bgp_router_ecmp_paths": (1, 64),
    "bgp_router_max_prefixes": (1, 4294967295),
}  # fmt: skip


def judge_routers(inv: Inventory, bgp: Bgp) -> Findings:
    for host in inv.routers:
        router = bgp.router(host.name)
        if router is not None:
            yield from _judge_router(inv, bgp, host, router)
    yield from _judge_duplicates(bgp)


def _judge_router(inv: Inventory, bgp: Bgp, host: Host, router: Router) -> Findings:
    yield from _judge_groups(inv, host)
    yield from judge_name(host.name, ROUTERS, "its name", host.name, bgp.cluster, dots=True)
    yield from judge_asn(host.name, ROUTERS, "bgp_router_asn", host.get("bgp_router_asn"))
    if router.asn == bgp.asn != 0:
        yield refuse(
            host.name, ROUTERS, "bgp_router_asn", f"{router.asn}, the cluster's own", "another AS than bgp_cluster_asn",
            "give the routers a number of their own: inside one AS a router passes on nothing that it learned (iBGP)",
        )
    yield from judge_timers(host.name, ROUTERS, _timers_variable(host), router.timers)
    yield from _judge_amounts(host, router)
    yield from judge_password(host, router)
    yield from judge_router_id(host.name, ROUTERS, "bgp_router_id", host.get("bgp_router_id"))
    wrong = list(judge_addresses(host.name, ROUTERS, "bgp_router_addresses", router.addresses))
    yield from wrong
    if not wrong:
        yield from _judge_id(host, router)
        yield from _judge_families(bgp, host, router)
        yield from _judge_listening(bgp, host, router)
    yield from _judge_announced(bgp, host, router)
    yield from _judge_accept(bgp, host)
    yield from _judge_room(bgp, host, router)


def _timers_variable(host: Host) -> str:
    return "bgp_router_timers" if host.get("bgp_router_timers") else "bgp_timer_values"


def _judge_groups(inv: Inventory, host: Host) -> Findings:
    kinds = [kind for kind in KINDS_OF_ROUTERS if kind in host.groups]
    if len(kinds) != 1:
        yield refuse(
            host.name, ROUTERS, "its groups", " and ".join(["routers", *kinds]),
            f"routers and one of its children {', '.join(KINDS_OF_ROUTERS)}", "move it into the child of its kind",
        )
    if host.name in inv.names:
        yield refuse(
            host.name, ROUTERS, "its groups", "routers and the cluster's", "one of them",
            "take it out of routers: a node does not route for the others here",
        )


def _judge_amounts(host: Host, router: Router) -> Findings:
    values = (router.port, router.multihop, router.ecmp_paths, router.max_prefixes)
    for (name, (least, most)), value in zip(_LIMITS.items(), values):
        if not least <= value <= most:
            yield refuse(host.name, ROUTERS, name, str(value), f"{least} to {most}", "correct the number")


def _judge_id(host: Host, router: Router) -> Findings:
    if router.addresses and not router.router_id and not first_of(router.addresses, IPV4):
        yield refuse(
            host.name, ROUTERS, "bgp_router_id", "missing on a router with IPv6 alone", "32 bits, written as IPv4",
            "set bgp_router_id, 198.51.100.1 say: BGP names routers by it, and no packet goes there",
        )


def judge_password(host: Host, router: Router) -> Findings:
    name, text = "bgp_router_password", router.password
    seen = f"hidden, {len(text)} long"
    if not text and host.written.get(name) is not None:
        yield refuse(
            host.name, ROUTERS, name, "empty", "a password",
            "draw one, or leave the variable out for sessions without MD5",
        )
    elif len(text.encode()) > _MD5_LONGEST:
        yield refuse(
            host.name, ROUTERS, name, seen, f"{_MD5_LONGEST} characters at most",
            "draw a shorter one: TCP MD5 takes no longer keys",
        )
    elif re.search(r"[^!-~]", text):
        yield refuse(
            host.name, ROUTERS, name, f"{seen}, with white space or letters beyond ASCII", "visible ASCII characters",
            "draw one of letters and digits: routers cut it at a blank, or refuse it",
        )
    elif any(sign in text for sign in _QUOTES):
        yield refuse(
            host.name, ROUTERS, name, f"{seen}, with quotes or backslashes", "one without them",
            "draw one of letters and digits: VyOS takes quotes for its own",
        )


def _judge_families(bgp: Bgp, host: Host, router: Router) -> Findings:
    if not router.addresses:
        yield refuse(
            host.name, ROUTERS, "bgp_router_addresses", "missing", "the router's addresses in the nodes' network",
            "write the IPv4 address, the IPv6 address, or both",
        )
        return
    known = [node for node in bgp.peers if node.addresses or node.local]
    nodes = {family for family in FAMILIES if any(node.address(family) for node in known)}
    if known and not router.families:
        own = {family_of(text) for text in router.addresses}
        yield refuse(
            host.name, ROUTERS, "bgp_router_addresses", " and ".join(sorted(own)),
            f"{' or '.join(sorted(nodes))}, as the nodes have",
            "give the router an address in the nodes' network, or the nodes both in k3s_node_ip",
        )
    for family in router.families:
        if family not in FAMILIES:
            continue  # its spec tells
        if not router.address(family):
            yield refuse(
                host.name, ROUTERS, "bgp_router_families", family, "families of its bgp_router_addresses",
                f"add its {family} address, or leave the family out",
            )
        elif known and family not in nodes:
            yield refuse(
                host.name, ROUTERS, "bgp_router_families", f"{family}, which no node has", "families of the nodes",
                "leave it out, or write the nodes' addresses of both families in k3s_node_ip",
            )


def _judge_listening(bgp: Bgp, host: Host, router: Router) -> Findings:
    given = words(host.get("bgp_router_listen_ranges"))
    yield from judge_prefixes(host.name, ROUTERS, "bgp_router_listen_ranges", given)
    if router.neighbors != LISTEN:
        if given:
            yield warn(
                host.name, ROUTERS, "bgp_router_listen_ranges", "given, while bgp_router_neighbors is nodes",
                "one of the two", "set bgp_router_neighbors to listen, or leave the ranges out",
            )
        return
    for family in router.families:
        ranges = [network for network in networks(router.listen_ranges) if family_of(str(network)) == family]
        if not ranges:
            yield refuse(
                host.name, ROUTERS, "bgp_router_listen_ranges", f"without a range of {family}", "the nodes' networks",
                "add the network that the nodes' addresses are in",
            )
            continue
        for node in bgp.peers:
            ip = address(node.address(family))
            if ip is not None and not any(ip in network for network in ranges):
                yield refuse(
                    host.name, ROUTERS, "bgp_router_listen_ranges", ", ".join(map(str, ranges)),
                    f"a range that holds {node.host} ({ip})", "add the network of that node",
                )


def _judge_announced(bgp: Bgp, host: Host, router: Router) -> Findings:
    known = [item.name for item in bgp.announcements]
    for name in router.announcements:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else "add it to bgp_announce, or leave it out"
            yield refuse(
                host.name, ROUTERS, "bgp_router_announce", repr(name), f"names of bgp_announce ({', '.join(known)})",
                remedy,
            )
    for error in refusals(bgp, router):
        yield from_error(error, host.name, ROUTERS)


def _judge_accept(bgp: Bgp, host: Host) -> Findings:
    name, given = "bgp_router_accept", words(host.get("bgp_router_accept"))
    yield from judge_prefixes(host.name, ROUTERS, name, given)
    for network in networks(given):
        if network.prefixlen == 0:
            yield refuse(
                host.name, ROUTERS, name, str(network), "the networks that nodes may announce",
                "name them: with everything let in, one node can take over all of the router's traffic",
            )
            continue
        owners = [(node.host, text) for node in bgp.nodes for text in node.addresses]
        owners += [(router.name, text) for router in bgp.routers for text in router.addresses]
        inside = [(owner, ip) for owner, text in owners if (ip := address(text)) is not None and ip in network]
        if inside:
            owner, ip = inside[0]
            yield refuse(
                host.name, ROUTERS, name, str(network), f"a network without {owner}'s own address {ip}",
                "leave it out: a node could take over the traffic to it",
            )


def _judge_room(bgp: Bgp, host: Host, router: Router) -> Findings:
    kinds = {item.kind for item in bgp.announced_to(router)}
    for family in router.families:
        least = expected(bgp, kinds, family)
        if 0 < router.max_prefixes < least:
            yield refuse(
                host.name, ROUTERS, "bgp_router_max_prefixes", str(router.max_prefixes),
                f"{least} or more: what a node announces of {family} when its pools are in use",
                "raise it: a session with more prefixes than that is torn down",
            )
            return
    room = capacity(bgp, IPV4)
    if "load_balancer_ips" in kinds and IPV4 in router.families and router.max_prefixes < room:
        yield note(
            host.name, ROUTERS, "bgp_router_max_prefixes",
            f"{router.max_prefixes}, while the pools hold {room} addresses",
            "raise it before as many services have one",
        )


def _judge_duplicates(bgp: Bgp) -> Findings:
    yield from _twice(
        ((router.name, "bgp_router_addresses", text) for router in bgp.routers for text in router.addresses),
        ((node.host, "k3s_node_ip", text) for node in bgp.nodes for text in node.addresses),
        "an address of its own",
    )
    # A node that was given none has its IPv4 address for router id.
    nodes = [(node.host, node.router_id, first_of(node.addresses, IPV4)) for node in bgp.nodes]
    yield from _twice(
        ((router.name, "bgp_router_id", router.router_id) for router in bgp.routers),
        ((host, "bgp_node_router_id", own or implied) for host, own, implied in nodes),
        "a router id of its own: BGP refuses a session between two with the same",
    )


Owned = t.Iterable[tuple[str, str, str]]


def _twice(routers: Owned, nodes: Owned, wanted: str) -> Findings:
    owners: dict[str, str] = {}
    ordered = [*((*item, False) for item in nodes), *((*item, True) for item in routers)]
    for host, thing, text, is_router in ordered:
        if not text or address(text) is None:
            continue
        other = owners.setdefault(text, host)
        # Two nodes with one address are told of by the judge of addresses.
        if other != host and (is_router or thing != "k3s_node_ip"):
            yield _taken(host, thing, text, other, wanted)


def _taken(host: str, thing: str, text: str, other: str, wanted: str) -> Finding:
    check = ROUTERS
    return refuse(host, check, thing, f"{text}, which {other} has too", wanted, "change one of the two")
