# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of BGP for people: who talks to whom, what is announced, what is let in. No secrets. Pure."""

from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import LISTEN, Bgp, Pool, Router, sessions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_policy import as_rows, rules_in


def summary(bgp: Bgp) -> list[str]:
    lines = [f"AS {bgp.asn}, {len(bgp.peers)} of {len(bgp.nodes)} nodes"] if bgp.routers else []
    lines += [f"pool {pool.name}: {_addresses(pool)}" for pool in bgp.pools]
    for router in bgp.routers:
        lines += _router(bgp, router)
    lines += [f"L2 policy {policy.name}: {', '.join(policy.interfaces) or 'all links'}" for policy in bgp.l2_policies]
    return lines


def _addresses(pool: Pool) -> str:
    ranges = [f"{part.first} to {part.last}" for part in pool.ranges]
    ends = "" if pool.allow_first_last_ips else ", without the first and the last of each network"
    return ", ".join([*pool.cidrs, *ranges]) + (ends if pool.cidrs else "")


def _router(bgp: Bgp, router: Router) -> list[str]:
    timers = router.timers
    how = "whoever calls from " + ", ".join(router.listen_ranges) if router.neighbors == LISTEN else "each node"
    lost = timers.hold + timers.restart
    lines = [
        f"{router.name} ({router.kind}, AS {router.asn}): neighbour is {how}, "
        + ("with a password" if router.password else "without a password"),
        f"{router.name}: a lost node's routes stay for {lost} s at most (hold {timers.hold} s"
        + (f", graceful restart {timers.restart} s)" if timers.restart else ", no graceful restart)"),
    ]
    for session in sessions(bgp, router):
        lines.append(f"{router.name}: {session.node} {session.node_address} with {session.router_address}")
    for family in router.families:
        lines += [f"{router.name}: lets in of {family}, {row}" for row in as_rows(rules_in(bgp, router, family))]
    return lines
