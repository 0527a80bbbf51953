# SPDX-License-Identifier: GPL-3.0-or-later
"""What a router lets in and what it makes of it, decided once for all kinds of routers. Pure.

Local preference does not cross an eBGP session (RFC 4271, 5.1.5), whatever the other side was told. The router sets it
itself, in its route-map in: on the prefixes that follow from the announcement, and where another announcement of the
same kind (hence with the same prefixes) is to have another preference, on a community that the announcement alone has.
With equal AS numbers the session is iBGP, which carries the preference: nothing is set.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    Announcement,
    Bgp,
    Filter,
    Router,
    filters,
    owned_name,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

_STEP = 10
# The last rule keeps its number, however many come before it.
_LAST = 1000


@dataclass(frozen=True)
class Names:
    """What we call our things on a router. One peer-group for each family: a group must not be active in both."""

    group: str
    route_map_in: str
    route_map_out: str
    prefix_list: str  # of everything that is accepted

    def prefix_list_of(self, rule: Rule) -> str:
        return self.prefix_list if rule.seq == _LAST else f"{self.group}-{rule.seq}"

    def community_list_of(self, rule: Rule) -> str:
        return f"{self.group}-{rule.seq}"


@dataclass(frozen=True)
class Rule:
    """A rule of the route-map in: what it matches (all of it), and what it sets. No filters: it permits nothing."""

    seq: int
    filters: tuple[Filter, ...]
    about: str = ""  # the announcement
    community: str = ""
    large_community: str = ""
    local_preference: int | None = None


def names(bgp: Bgp, family: str) -> Names:
    group = f"{owned_name(bgp.cluster).upper()}-{family.upper()}"
    return Names(group, f"{group}-IN", f"{group}-OUT", f"{group}-ACCEPT")


def is_ibgp(bgp: Bgp, router: Router) -> bool:
    return bgp.asn == router.asn


def rules_in(bgp: Bgp, router: Router, family: str) -> tuple[Rule, ...]:
    """Announcements with a preference of their own, those told by a community first; then all that is accepted."""
    preferring = [] if is_ibgp(bgp, router) else [
        item for item in bgp.announced_to(router) if item.local_preference is not None
    ]
    preferring.sort(key=lambda item: not _rivals(bgp, router, item))
    found: list[Rule] = []
    for item in preferring:
        only = filters(bgp, replace(router, announcements=(item.name,), accept=()), family)
        if only:
            community, large = mark(bgp, router, item) if _rivals(bgp, router, item) else ("", "")
            seq = _STEP * (len(found) + 1)
            found.append(Rule(seq, only, item.name, community, large, item.local_preference))
    return (*found, Rule(_LAST, filters(bgp, router, family)))


def mark(bgp: Bgp, router: Router, item: Announcement) -> tuple[str, str]:
    """A community, or else a large one, that tells this announcement from the others of its kind."""
    others = [other for other in bgp.announced_to(router) if other.kind == item.kind and other.name != item.name]
    taken = {text for other in others for text in (*other.communities, *other.large_communities)}
    community = next((text for text in item.communities if text not in taken), "")
    large = next((text for text in item.large_communities if text not in taken), "")
    return (community, "") if community else ("", large)


def refusals(bgp: Bgp, router: Router) -> list[MeshwrightError]:
    """Announcements whose local preference the router could not tell from another's."""
    if is_ibgp(bgp, router):
        return []
    return [
        MeshwrightError(
            f"the local preference of announcement {item.name}", host=router.name,
            seen=f"{item.local_preference}, with nothing that tells its routes from those of "
                 + ", ".join(other.name for other in _rivals(bgp, router, item)),
            wanted="a community that it alone has", remedy=f"give {item.name} one in bgp_announce",
        )
        for item in bgp.announced_to(router)
        if item.local_preference is not None and _rivals(bgp, router, item) and not any(mark(bgp, router, item))
    ]


def _rivals(bgp: Bgp, router: Router, item: Announcement) -> list[Announcement]:
    """Announcements with the same prefixes that are to be preferred differently."""
    return [
        other for other in bgp.announced_to(router)
        if other.name != item.name and other.kind == item.kind and other.local_preference != item.local_preference
    ]


def as_rows(rules: t.Iterable[Rule]) -> list[str]:
    """For people: what comes in, one line for each rule."""
    return [
        f"{rule.about or 'accepted'}: " + (", ".join(map(shown, rule.filters)) or "nothing")
        + (f", local preference {rule.local_preference}" if rule.local_preference is not None else "")
        for rule in rules
    ]


def shown(item: Filter) -> str:
    length = str(item.ge) if item.ge == item.le else f"{item.ge} to {item.le}"
    return f"{item.prefix} (length {length})"
