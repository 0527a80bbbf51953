# SPDX-License-Identifier: GPL-3.0-or-later
"""A router's side of BGP as FRR's text, complete in itself. Pure.

Everything is written as FRR shows it again, and nothing that is a default: what is shown is then what was wanted.
`bgp ebgp-requires-policy` is FRR's default and stays; `bfd` and `ttl-security` are left out, for Cilium has neither.
"""

from __future__ import annotations

import re

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_policy as policy
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    IPV4,
    LISTEN,
    Bgp,
    Filter,
    Router,
    family_of,
    sessions,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

# Of max_prefixes, in per cent, before FRR warns; minutes after which it tries a session again that sent too many.
WARNING, RESTART = 80, 5
LONGEST_PASSWORD = 80
HIDDEN = "(hidden)"
_DEFAULT_RESTART, _DEFAULT_LISTEN_LIMIT = 120, 100
_PASSWORD = re.compile(r"(\bpassword(?: \d)? )\S.*$", re.MULTILINE)


def config(bgp: Bgp, router: Router) -> str:
    """Lists first, then the maps that use them, then the sessions that use those: no moment without its filters."""
    _check(router)
    lines = [f"! {bgp.cluster}: written by meshwright.k3s_cilium from the inventory"]
    for family in router.families:
        lines += _lists(bgp, router, family)
    for family in router.families:
        lines += _maps(bgp, router, family)
    return "\n".join([*lines, *_instance(bgp, router), ""])


def masked(text: str) -> str:
    return _PASSWORD.sub(rf"\g<1>{HIDDEN}", text)


def _check(router: Router) -> None:
    """FRR takes a password to the end of its line; one that does not fit there would be another configuration."""
    text = router.password
    if text and (len(text) > LONGEST_PASSWORD or not re.fullmatch(r"[!-~]+", text)):
        raise MeshwrightError(
            f"bgp_router_password of {router.name}", seen="not writable in FRR's configuration",
            wanted=f"at most {LONGEST_PASSWORD} printable ASCII characters without white space",
        )  # fmt: skip


def _lists(bgp: Bgp, router: Router, family: str) -> list[str]:
    names, lines = policy.names(bgp, family), []
    for rule in policy.rules_in(bgp, router, family):
        start = f"{'ip' if family == IPV4 else 'ipv6'} prefix-list {names.prefix_list_of(rule)} seq"
        lines += [f"{start} {10 * number} permit {_prefix(item)}" for number, item in enumerate(rule.filters, 1)]
        for kind, text in (("community", rule.community), ("large-community", rule.large_community)):
            if text:
                lines.append(f"bgp {kind}-list standard {names.community_list_of(rule)} seq 5 permit {text}")
    return [*lines, "!"] if lines else []


def _prefix(item: Filter) -> str:
    length = int(item.prefix.rpartition("/")[2])
    longer = f" ge {item.ge}" if item.ge > length else ""
    return f"{item.prefix}{longer}" + (f" le {item.le}" if item.le > length else "")


def _maps(bgp: Bgp, router: Router, family: str) -> list[str]:
    names, lines = policy.names(bgp, family), []
    for rule in policy.rules_in(bgp, router, family):
        if not rule.filters:  # an empty prefix-list cannot be written, and a missing one is easily taken for a mistake
            lines += [f"route-map {names.route_map_in} deny {rule.seq}", "exit", "!"]
            continue
        lines.append(f"route-map {names.route_map_in} permit {rule.seq}")
        if rule.community:
            lines.append(f" match community {names.community_list_of(rule)}")
        if rule.large_community:
            lines.append(f" match large-community {names.community_list_of(rule)}")
        lines.append(f" match {'ip' if family == IPV4 else 'ipv6'} address prefix-list {names.prefix_list_of(rule)}")
        if rule.local_preference is not None:
            lines.append(f" set local-preference {rule.local_preference}")
        lines += ["exit", "!"]
    return [*lines, f"route-map {names.route_map_out} deny 10", "exit", "!"]


def _instance(bgp: Bgp, router: Router) -> list[str]:
    lines = [f"router bgp {router.asn}", *(f" {line}" for line in _settings(router))]
    for family in router.families:
        lines += [f" neighbor {line}" for line in _group(bgp, router, family)]
    for family in router.families:
        lines += [f" {line}" for line in _members(bgp, router, family)]
    limit = _listen_limit(bgp, router)
    lines += [f" bgp listen limit {limit}"] if limit > _DEFAULT_LISTEN_LIMIT else []
    for family in router.families:
        lines += [" !", f" address-family {family} unicast"]
        lines += [f"  {line}" for line in _activation(bgp, router, family)]
        lines += [" exit-address-family"]
    return [*lines, "exit", "!"]


def _settings(router: Router) -> list[str]:
    """Of the whole instance. Graceful restart comes before the first neighbour, where bgpd checks it without one."""
    restart = router.timers.restart
    return [
        *([f"bgp router-id {router.router_id}"] if router.router_id else []),
        "bgp log-neighbor-changes",
        "no bgp default ipv4-unicast",
        *([f"bgp graceful-restart restart-time {restart}"] if restart not in (0, _DEFAULT_RESTART) else []),
        *(["bgp graceful-restart"] if restart else []),
        "bgp bestpath as-path multipath-relax",
    ]


def _group(bgp: Bgp, router: Router, family: str) -> list[str]:
    group, timers = policy.names(bgp, family).group, router.timers
    lines = ["peer-group", f"remote-as {bgp.asn}"]
    if router.password:
        lines.append(f"password {router.password}")
    if router.multihop and not policy.is_ibgp(bgp, router):
        lines.append(f"ebgp-multihop {router.multihop}")
    lines += [f"timers {timers.keepalive} {timers.hold}", f"timers connect {timers.connect_retry}"]
    return [f"{group} {line}" for line in lines]


def _members(bgp: Bgp, router: Router, family: str) -> list[str]:
    group = policy.names(bgp, family).group
    if router.neighbors == LISTEN:
        ranges = [prefix for prefix in router.listen_ranges if family_of(prefix) == family]
        return [f"bgp listen range {prefix} peer-group {group}" for prefix in ranges]
    ours = [item.node_address for item in sessions(bgp, router) if item.family == family]
    return [f"neighbor {address} peer-group {group}" for address in ours]


def _listen_limit(bgp: Bgp, router: Router) -> int:
    """Room for every node twice: one that was renumbered may come before its former session has gone."""
    return 2 * len(bgp.nodes) * len(router.families) if router.neighbors == LISTEN else 0


def _activation(bgp: Bgp, router: Router, family: str) -> list[str]:
    names = policy.names(bgp, family)
    lines = ["activate"]
    if router.max_prefixes:
        lines.append(f"maximum-prefix {router.max_prefixes} {WARNING} restart {RESTART}")
    lines += [f"route-map {names.route_map_in} in", f"route-map {names.route_map_out} out"]
    found = [f"neighbor {names.group} {line}" for line in lines]
    kind = "maximum-paths ibgp" if policy.is_ibgp(bgp, router) else "maximum-paths"
    return [*found, *([f"{kind} {router.ecmp_paths}"] if router.ecmp_paths else [])]
