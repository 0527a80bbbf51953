# SPDX-License-Identifier: GPL-3.0-or-later
"""The router's end of BGP as VyOS has it: the paths to set, for 1.3 and for 1.4 and 1.5. Pure.

* One peer-group for each family, since one that is active in both shows a session under the wrong one as well.
* Timers stand at each neighbour: peer-groups have none (vyos-1x: interface-definitions/include/bgp). With listen ranges
  none are written. The lower hold time of both ends is what holds (RFC 4271, 4.2), and the cluster's is below FRR's
  default; the global timers would be those of other people's neighbours too.
* Graceful restart is not written. FRR helps by default whoever asks for it, and the cluster is who asks or does not;
  a peer-group's own `graceful-restart restart-helper` is refused by bgpd (8.4: not valid at this moment).
* Nothing goes out. Inwards `bgp_policy` decides. `maximum-prefix` has no restart on VyOS: a session that it ended comes
  back after `reset bgp`.
"""

from __future__ import annotations

import hashlib
import typing as t

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

Path = tuple[str, ...]

OLD = "1.3"
VERSIONS = (OLD, "1.4", "1.5")
_DENY = "10"


def commands(bgp: Bgp, router: Router) -> tuple[Path, ...]:
    """What is to be set for this router, sorted. Raises when VyOS cannot have it so."""
    wrong = refusals(bgp, router)
    if wrong:
        raise wrong[0]
    found = _shared(bgp, router)
    for family in router.families:
        found |= _speakers(bgp, router, family) | _policy(bgp, router, family)
    return tuple(sorted(found))


def root(router: Router) -> Path:
    """Where BGP's configuration is: 1.3 has the AS number in the path."""
    return ("protocols", "bgp", str(router.asn)) if router.version == OLD else ("protocols", "bgp")


def masked(paths: t.Iterable[Path]) -> list[str]:
    """For people, without the passwords; two different ones still look different."""
    return typed(map(without_secret, paths))


def typed(paths: t.Iterable[Path]) -> list[str]:
    """As they would be typed on the router, passwords and all."""
    return [f"set {' '.join(map(_quoted, path))}" for path in paths]


def without_secret(path: Path) -> Path:
    if len(path) < 2 or path[-2] not in ("password", "key"):
        return path
    return (*path[:-1], f"hidden, sha256 {hashlib.sha256(path[-1].encode()).hexdigest()[:8]}…")


def group_name(bgp: Bgp, router: Router, family: str) -> str:
    """1.3 takes no hyphens in the names of peer-groups (vyatta-cfg-quagga: scripts/bgp/vyatta-bgp.pl)."""
    name = policy.names(bgp, family).group
    return name.replace("-", "_") if router.version == OLD else name


def refusals(bgp: Bgp, router: Router) -> list[MeshwrightError]:
    """All that VyOS, or this version of it, does not do."""
    found = policy.refusals(bgp, router)
    marked = any(
        rule.community or rule.large_community
        for family in router.families for rule in policy.rules_in(bgp, router, family)
    )
    for wrong, thing, seen, wanted, remedy in (
        (router.version not in VERSIONS, "bgp_vyos_version", router.version or "not set", " or ".join(VERSIONS),
         "set it to the release that `show version` names"),
        (router.port != 179, "bgp_router_port", str(router.port), "179", "VyOS has no setting for its own BGP port"),
        (any(char.isspace() for char in router.password), "bgp_router_password", "one with white space",
         "one without", "VyOS refuses white space in it"),
        (router.version == OLD and marked, "the local preference of announcements", "told apart by communities",
         "told apart by prefixes, on VyOS 1.3", "its community lists have only numbers, which have no owner; "
         "give announcements of one kind the same preference, or take a newer VyOS"),
    ):
        if wrong:
            found.append(MeshwrightError(thing, host=router.name, seen=seen, wanted=wanted, remedy=remedy))
    for family in router.families if router.neighbors == LISTEN else ():
        if not _ranges(router, family):
            found.append(MeshwrightError(
                "bgp_router_listen_ranges", host=router.name, seen=f"without a range of {family}",
                wanted="one for each family", remedy="name the nodes' network, or use bgp_router_neighbors: nodes",
            ))
    return found


# -- protocols bgp


def _shared(bgp: Bgp, router: Router) -> set[Path]:
    """What is there once, for whoever else has neighbours on this router too."""
    base = root(router)
    found: set[Path] = set()
    if router.version != OLD:
        found |= {(*base, "system-as", str(router.asn)), (*base, "parameters", "ebgp-requires-policy")}
    if router.router_id:
        found.add((*base, "parameters", "router-id", router.router_id))
    kind = "ibgp" if policy.is_ibgp(bgp, router) else "ebgp"
    for family in router.families:
        found.add((*base, "address-family", f"{family}-unicast", "maximum-paths", kind, str(router.ecmp_paths)))
    return found


def _speakers(bgp: Bgp, router: Router, family: str) -> set[Path]:
    """A group with its members. On 1.3 a member may not have timers, and one of IPv6 needs an AS of its own: there
    each neighbour has everything itself, and only listen ranges have a group.
    """
    base, group = root(router), group_name(bgp, router, family)
    whole = (*base, "peer-group", group)
    alone = router.version == OLD and router.neighbors != LISTEN
    found = set() if alone else {(*whole, *path) for path in _session(bgp, router, family)}
    if router.neighbors == LISTEN:
        return found | {(*base, "listen", "range", prefix, "peer-group", group) for prefix in _ranges(router, family)}
    for session in sessions(bgp, router):
        if session.family != family:
            continue
        own = (*base, "neighbor", session.node_address)
        found |= {(*own, *path) for path in _session(bgp, router, family)} if alone else {(*own, "peer-group", group)}
        found |= {
            (*own, "description", session.node),
            (*own, "timers", "keepalive", str(router.timers.keepalive)),
            (*own, "timers", "holdtime", str(router.timers.hold)),
            (*own, "timers", "connect", str(router.timers.connect_retry)),
        }
    return found


def _session(bgp: Bgp, router: Router, family: str) -> set[Path]:
    """What all sessions of a family have, below their group or neighbour."""
    names = policy.names(bgp, family)
    unicast = ("address-family", f"{family}-unicast")
    found: set[Path] = {
        ("remote-as", str(bgp.asn)),
        (*unicast, "route-map", "import", names.route_map_in),
        (*unicast, "route-map", "export", names.route_map_out),
        (*unicast, "maximum-prefix", str(router.max_prefixes)),
    }
    if router.password:
        found.add(("password", router.password))
    if router.multihop and not policy.is_ibgp(bgp, router):
        found.add(("ebgp-multihop", str(router.multihop)))
    return found


def _ranges(router: Router, family: str) -> list[str]:
    return [prefix for prefix in router.listen_ranges if family_of(prefix) == family]


# -- policy


def _policy(bgp: Bgp, router: Router, family: str) -> set[Path]:
    names = policy.names(bgp, family)
    found: set[Path] = {("policy", "route-map", names.route_map_out, "rule", _DENY, "action", "deny")}
    for rule in policy.rules_in(bgp, router, family):
        own = ("policy", "route-map", names.route_map_in, "rule", str(rule.seq))
        found.add((*own, "action", "permit" if rule.filters else "deny"))
        if rule.filters:
            found |= _matches(own, rule, names, family) | _prefix_list(names.prefix_list_of(rule), rule, family)
        if rule.about:
            found.add((*own, "description", rule.about))
        if rule.local_preference is not None:
            found.add((*own, "set", "local-preference", str(rule.local_preference)))
    return found


def _matches(own: Path, rule: policy.Rule, names: policy.Names, family: str) -> set[Path]:
    address = "ip" if family == IPV4 else "ipv6"
    found = {(*own, "match", address, "address", "prefix-list", names.prefix_list_of(rule))}
    listed = names.community_list_of(rule)
    for text, kind in ((rule.community, "community"), (rule.large_community, "large-community")):
        if text:
            entry = ("policy", f"{kind}-list", listed, "rule", "10")
            # A named list holds regular expressions; an underscore stands for either end or the space between two.
            found |= {
                (*own, "match", kind, f"{kind}-list", listed),
                (*entry, "action", "permit"),
                (*entry, "regex", f"_{text}_"),
            }
    return found


def _prefix_list(name: str, rule: policy.Rule, family: str) -> set[Path]:
    kind = "prefix-list" if family == IPV4 else "prefix-list6"
    found: set[Path] = set()
    for number, item in enumerate(rule.filters, 1):
        own = ("policy", kind, name, "rule", str(10 * number))
        found |= {(*own, "action", "permit"), (*own, "prefix", item.prefix)}
        found |= {(*own, *bound) for bound in _bounds(item, 32 if family == IPV4 else 128)}
    return found


def _bounds(item: Filter, bits: int) -> list[Path]:
    """FRR wants length < ge <= le; of two equal to the longest it keeps `ge` alone."""
    length = int(item.prefix.rpartition("/")[2])
    found: list[Path] = []
    if item.ge > length:
        found.append(("ge", str(item.ge)))
    if item.le > length and item.ge != bits:
        found.append(("le", str(item.le)))
    return found


def _quoted(word: str) -> str:
    return word if word.replace("-", "").replace("_", "").isalnum() else f"'{word}'"
