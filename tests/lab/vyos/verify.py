# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit refuses, component by component, in the order in which VyOS commits them.

Texts of 1.4 and 1.5: vyos-1x, src/conf_mode/{policy,protocols_bgp}.py. Of 1.3: vyatta-cfg-quagga,
scripts/bgp/vyatta-bgp.pl and templates/protocols/bgp.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from vyos.tree import Config, Path

LISTS = ("as-path-list", "community-list", "extcommunity-list", "large-community-list", "prefix-list", "prefix-list6")
FAMILIES = ("ipv4-unicast", "ipv6-unicast")
WAYS = ("import", "export")


class CommitError(Exception):
    """A component refuses."""


@dataclass(frozen=True)
class Component:
    path: Path
    verify: t.Callable[[Config, str], list[str]] = field(default=lambda config, version: [])  # returns warnings


def components() -> tuple[Component, ...]:
    """By priority; what is not atomic about a commit follows from this list."""
    return (
        Component(("system",)), Component(("interfaces",)), Component(("policy",), policy),
        Component(("protocols", "static")), Component(("service",)), Component(("protocols", "bgp"), bgp),
    )


def instance(config: Config) -> tuple[str, Path]:
    """The AS and the path of its settings; empty strings where there is no BGP."""
    found = config.node("protocols", "bgp")
    if not found:
        return "", ("protocols", "bgp")
    if config.spec.children["protocols"].children["bgp"].kind == "tag":
        asn = next(iter(found))
        return asn, ("protocols", "bgp", asn)
    return config.value("protocols", "bgp", "system-as"), ("protocols", "bgp")


# -- policy


def policy(config: Config, version: str) -> list[str]:
    for kind in LISTS:
        for name in config.node("policy", kind):
            _list(config, kind, name)
    for name in config.node("policy", "route-map"):
        for rule in config.node("policy", "route-map", name, "rule"):
            _route_map_rule(config, name, rule)
    _in_use(config)
    return []


def _list(config: Config, kind: str, name: str) -> None:
    seen = []
    for rule in config.node("policy", kind, name, "rule"):
        found = config.node("policy", kind, name, "rule", rule)
        wanted = f'must be specified for "{kind} {name} rule {rule}"!'
        if "action" not in found:
            raise CommitError(f"Action {wanted}")
        content = "prefix" if kind.startswith("prefix") else "regex"
        if content not in found:
            raise CommitError(f"A {content} {wanted}")
        if content == "prefix" and found in seen:
            raise CommitError(f'Rule "{rule}" contains a duplicate prefix definition!')
        seen.append(found)


def _route_map_rule(config: Config, name: str, rule: str) -> None:
    at = ("policy", "route-map", name, "rule", rule)
    if not config.value(*at, "action"):
        raise CommitError(f'Action must be specified for "route-map {name} rule {rule}"!')
    references = (
        (("match", "community", "community-list"), "community-list"),
        (("match", "extcommunity"), "extcommunity-list"),
        (("match", "large-community", "large-community-list"), "large-community-list"),
        (("match", "ip", "address", "prefix-list"), "prefix-list"),
        (("match", "ipv6", "address", "prefix-list"), "prefix-list6"),
        (("match", "ipv6", "nexthop", "prefix-list"), "prefix-list6"),
    )
    for path, kind in references:
        wanted = config.value(*at, *path)
        if wanted and not config.exists(("policy", kind, wanted)):
            raise CommitError(f"{kind} {wanted} does not exist!")


def _in_use(config: Config) -> None:
    """Lists and maps that BGP still names must stay."""
    for path in config.entries():
        if path[:2] != ("protocols", "bgp") or path[-1] in WAYS:
            continue
        kind = path[-3] if path[-2] in WAYS else path[-2]
        others = {"route-map": ("route-map",), "prefix-list": ("prefix-list", "prefix-list6")}.get(kind, ())
        if others and not any(config.exists(("policy", other, path[-1])) for other in others):
            raise CommitError(f'Can not delete {kind} "{path[-1]}", still in use!')


# -- bgp


def bgp(config: Config, version: str) -> list[str]:
    if not config.exists(("protocols", "bgp")):
        return []
    asn, at = instance(config)
    if not asn:
        raise CommitError("BGP system-as number must be defined!")
    if version == "1.3":
        _bgp_13(config, at)
        return []
    warnings: list[str] = []
    for kind in ("neighbor", "peer-group"):
        for peer in config.node(*at, kind):
            _peer(config, at, kind, peer)
            if kind == "neighbor" and not _has_family(config, at, peer):
                warnings.append(f'BGP neighbor "{peer}" requires address-family!')
    _listen(config, at)
    return warnings


def remote_as(config: Config, at: Path, where: Path) -> str:
    """A peer's AS: its own, its interface's, or its group's."""
    for part in ((), ("interface",), ("interface", "v6only")):
        own = config.value(*where, *part, "remote-as")
        group = config.value(*where, *part, "peer-group")
        if own or (group and config.value(*at, "peer-group", group, "remote-as")):
            return own or config.value(*at, "peer-group", group, "remote-as")
    return ""


def _has_family(config: Config, at: Path, peer: str) -> bool:
    where = (*at, "neighbor", peer)
    groups = [config.value(*where, *part, "peer-group") for part in ((), ("interface",), ("interface", "v6only"))]
    places = [(*where, "address-family"), *((*at, "peer-group", name, "address-family") for name in groups if name)]
    return any(config.exists(place) for place in places)


def _peer(config: Config, at: Path, kind: str, peer: str) -> None:
    where = (*at, kind, peer)
    group = config.value(*where, "peer-group")
    if group and not config.exists((*at, "peer-group", group)):
        raise CommitError(f'Specified peer-group "{group}" for neighbor "neighbor" does not exist!')
    if config.exists((*where, "ebgp-multihop")) and config.exists((*where, "ttl-security")):
        raise CommitError("You can not set both ebgp-multihop and ttl-security hops")
    if config.exists((*where, "ebgp-multihop")) and config.exists((*where, "interface")):
        raise CommitError(f'Ebgp-multihop can not be used with directly connected neighbor "{peer}"')
    if " " in config.value(*where, "password"):
        raise CommitError("Whitespace is not allowed in passwords!")
    if kind == "neighbor":
        if not remote_as(config, at, where):
            raise CommitError(f'Neighbor "{peer}" remote-as must be set!')
        if group and config.value(*where, "remote-as") and config.value(*at, "peer-group", group, "remote-as"):
            raise CommitError(f'Peer-group member "{peer}" cannot override remote-as of peer-group "{group}"!')
    _local_as(config, at, where, peer)
    for family in FAMILIES:
        _peer_family(config, (*where, "address-family", family), "6" if family == "ipv6-unicast" else "")


def _local_as(config: Config, at: Path, where: Path, peer: str) -> None:
    numbers = list(config.node(*where, "local-as"))
    if len(numbers) > 1:
        raise CommitError(f'Only one local-as number can be specified for peer "{peer}"!')
    if numbers and numbers[0] == config.value(*at, "system-as"):
        raise CommitError("Cannot have local-as same as system-as number")


def _peer_family(config: Config, where: Path, six: str) -> None:
    for way in WAYS:
        name = config.value(*where, "prefix-list", way)
        if name and not config.exists(("policy", f"prefix-list{six}", name)):
            raise CommitError(f'Specified prefix-list{six} "{name}" does not exist!')
        name = config.value(*where, "route-map", way)
        if name and not config.exists(("policy", "route-map", name)):
            raise CommitError(f'Specified route-map "{name}" does not exist!')


def _listen(config: Config, at: Path) -> None:
    for prefix in config.node(*at, "listen", "range"):
        group = config.value(*at, "listen", "range", prefix, "peer-group")
        if not group:
            raise CommitError(f'Listen range for prefix "{prefix}" has no peer group configured.')
        if not config.exists((*at, "peer-group", group)):
            raise CommitError(f'Peer-group "{group}" for listen range "{prefix}" does not exist!')
        if not config.value(*at, "peer-group", group, "remote-as"):
            raise CommitError(f'Peer-group "{group}" requires remote-as to be set!')


# -- bgp of 1.3

SIX = ("address-family", "ipv6-unicast")
# What a member of a peer group may not have of its own.
NOT_IN_A_GROUP = ("advertisement-interval", "local-as", "timers", "ttl-security")
NOT_IN_A_GROUP_FAMILY = (
    "attribute-unchanged", "default-originate", "disable-send-community", "nexthop-self", "remove-private-as",
    "route-reflector-client", "route-server-client", "unsuppress-map",
)


def _bgp_13(config: Config, at: Path) -> None:
    if len(config.node("protocols", "bgp")) > 1:
        raise CommitError("Only one BGP AS can be defined")
    for kind in ("peer-group", "neighbor"):
        for peer in config.node(*at, kind):
            where = (*at, kind, peer)
            label = " ".join(where)
            if config.exists((*where, "ebgp-multihop")) and config.exists((*where, "ttl-security")):
                raise CommitError(f"{label}: you can't set both ebgp-multihop and ttl-security hops")
            if any(character.isspace() for character in config.value(*where, "password")):
                raise CommitError(f"{label} password: whitespace is not allowed in a password")
            for family in FAMILIES:
                _references_13(config, (*where, "address-family", family), label)
            if kind == "neighbor":
                _neighbor_13(config, at, where)
    _listen(config, at)


def _references_13(config: Config, where: Path, label: str) -> None:
    six = "6" if where[-1] == "ipv6-unicast" else ""
    for way in WAYS:
        for kind, listed in (("route-map", "route-map"), ("prefix-list", f"prefix-list{six}")):
            name = config.value(*where, kind, way)
            if name and not config.exists(("policy", listed, name)):
                raise CommitError(f"{label} {way}: {kind} {name} doesn't exist")


def _neighbor_13(config: Config, at: Path, where: Path) -> None:
    own, as4, as6 = _numbers_13(config, at, where)
    group4 = config.value(*where, "peer-group")
    group6 = config.value(*where, *SIX, "peer-group")
    only6 = config.exists((*at, "parameters", "default", "no-ipv4-unicast"))
    wrong = {
        "peer-group defined but ipv4-unicast is disabled": group4 and only6,
        # The AS of a group that is only IPv6's does not count, as every neighbour is one of IPv4 as well.
        "must set remote-as or peer-group with remote-as defined": not own and not as4 and not only6,
        "must set remote-as or address-family ipv6-unicast peer-group with remote-as defined":
            config.exists((*where, *SIX)) and not own and not as6,
        "remote-as should not be defined in both neighbor and peer-group": own and as4,
    }
    banned: list[Path] = [(key,) for key in NOT_IN_A_GROUP] if group4 else []
    for family, group in (("ipv4-unicast", group4), ("ipv6-unicast", group6)):
        banned += [("address-family", family, key) for key in NOT_IN_A_GROUP_FAMILY] if group else []
        if group and not config.exists((*at, "peer-group", group)):
            wrong[f"peer-group {group} doesn't exist"] = True
    for path in banned:
        text = f"parameter {path[-1]} is incompatible with a neighbor in a peer-group"
        wrong[text] = config.exists((*where, *path))
    for text, so in wrong.items():
        if so:
            raise CommitError(f"[ {' '.join(where)} ]\n  {text}")


def _numbers_13(config: Config, at: Path, where: Path) -> tuple[str, str, str]:
    """The neighbour's own AS, that of its group, and that of its group for IPv6."""
    groups = [config.value(*where, "peer-group"), config.value(*where, *SIX, "peer-group")]
    found = [config.value(*at, "peer-group", group, "remote-as") if group else "" for group in groups]
    if not config.exists((*at, "peer-group", groups[1], *SIX)):
        found[1] = ""
    return config.value(*where, "remote-as"), found[0], found[1]
