# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths each version of VyOS knows, of those that we write; checked before anything is sent. Pure.

Read off vyos-1x (interface-definitions: protocols-bgp.xml.in with include/bgp, policy.xml.in) for 1.4 and 1.5, and off
vyatta-cfg-quagga (templates/protocols/bgp, templates/policy) for 1.3. `*` is a name of the user's, `=` a value; a line
without a value at its end is a node that is only there or not.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

Path = tuple[str, ...]

_BOTH = """
policy prefix-list * rule * action =
policy prefix-list * rule * prefix =
policy prefix-list * rule * ge =
policy prefix-list * rule * le =
policy prefix-list6 * rule * action =
policy prefix-list6 * rule * prefix =
policy prefix-list6 * rule * ge =
policy prefix-list6 * rule * le =
policy route-map * rule * action =
policy route-map * rule * description =
policy route-map * rule * match ip address prefix-list =
policy route-map * rule * match ipv6 address prefix-list =
policy route-map * rule * set local-preference =
"""

_NEW_POLICY = """
policy community-list * rule * action =
policy community-list * rule * regex =
policy large-community-list * rule * action =
policy large-community-list * rule * regex =
policy route-map * rule * match community community-list =
policy route-map * rule * match large-community large-community-list =
"""

# Below `protocols bgp`, or `protocols bgp <asn>` on 1.3.
_BGP_BOTH = """
parameters router-id =
address-family ipv4-unicast maximum-paths ebgp =
address-family ipv4-unicast maximum-paths ibgp =
address-family ipv6-unicast maximum-paths ebgp =
address-family ipv6-unicast maximum-paths ibgp =
listen range * peer-group =
neighbor * description =
neighbor * peer-group =
neighbor * timers keepalive =
neighbor * timers holdtime =
neighbor * timers connect =
peer-group * remote-as =
peer-group * password =
peer-group * ebgp-multihop =
peer-group * address-family ipv4-unicast route-map import =
peer-group * address-family ipv4-unicast route-map export =
peer-group * address-family ipv4-unicast maximum-prefix =
peer-group * address-family ipv6-unicast route-map import =
peer-group * address-family ipv6-unicast route-map export =
peer-group * address-family ipv6-unicast maximum-prefix =
"""

# Used on 1.3 only, though all versions have them.
_BGP_OLD = """
neighbor * remote-as =
neighbor * password =
neighbor * ebgp-multihop =
neighbor * address-family ipv4-unicast route-map import =
neighbor * address-family ipv4-unicast route-map export =
neighbor * address-family ipv4-unicast maximum-prefix =
neighbor * address-family ipv6-unicast route-map import =
neighbor * address-family ipv6-unicast route-map export =
neighbor * address-family ipv6-unicast maximum-prefix =
"""

_BGP_NEW = """
system-as =
parameters ebgp-requires-policy
"""


def _lines(text: str, *before: str) -> list[Path]:
    return [(*before, *line.split()) for line in text.split("\n") if line]


_OLD_PATHS = [*_lines(_BOTH), *_lines(_BGP_BOTH + _BGP_OLD, "protocols", "bgp", "*")]
_NEW_PATHS = [*_lines(_BOTH + _NEW_POLICY), *_lines(_BGP_BOTH + _BGP_NEW, "protocols", "bgp")]
PATHS: t.Mapping[str, t.Sequence[Path]] = {"1.3": _OLD_PATHS, "1.4": _NEW_PATHS, "1.5": _NEW_PATHS}


def known(path: Path, version: str) -> bool:
    return any(_fits(path, pattern) for pattern in PATHS.get(version, ()))


def is_value(path: Path, version: str) -> bool:
    """Whether the last word of a known path is the one value of the node before it: setting another replaces it."""
    return any(pattern[-1] == "=" and _fits(path, pattern) for pattern in PATHS.get(version, ()))


def check(paths: t.Iterable[Path], version: str, host: str = "") -> list[MeshwrightError]:
    """Everything that this version would refuse: unknown paths, then names that are used and not defined."""
    given = list(paths)
    unknown = [
        MeshwrightError(
            f"the path {' '.join(_safe(path))}", host=host, seen=f"unknown to VyOS {version}",
            wanted="one that this version has", remedy="see that bgp_vyos_version is what `show version` says",
        )
        for path in given
        if not known(path, version)
    ]
    return unknown + _dangling(given, host)


def _dangling(paths: t.Sequence[Path], host: str) -> list[MeshwrightError]:
    defined = {path[:3] for path in paths if path[0] == "policy"}
    groups = {
        path[index + 1]
        for path in paths
        for index in (2, 3)  # 1.3 has the AS number before it
        if path[0] == "protocols" and path[index:index + 1] == ("peer-group",) and len(path) > index + 2
    }
    found = []
    for path in paths:
        wanted = _reference(path)
        if wanted and wanted not in defined:
            found.append(_undefined(wanted[1], wanted[2], path, host))
        if path[-2:-1] == ("peer-group",) and path[-1] not in groups:
            found.append(_undefined("peer-group", path[-1], path, host))
    return found


def _reference(path: Path) -> Path | None:
    """The head of the definition that a path names, if it names one."""
    if path[0] == "protocols" and path[-3:-2] == ("route-map",):
        return ("policy", "route-map", path[-1])
    if path[:2] == ("policy", "route-map") and "match" in path:
        kind = path[-2]
        return ("policy", "prefix-list6" if kind == "prefix-list" and "ipv6" in path else kind, path[-1])
    return None


def _undefined(kind: str, name: str, path: Path, host: str) -> MeshwrightError:
    return MeshwrightError(
        f"{kind} {name}", host=host, seen=f"not defined, but named by {' '.join(_safe(path))}", wanted="a definition",
        remedy="this is ours to mend: please report it with the inventory's BGP variables",
    )


def _fits(path: Path, pattern: Path) -> bool:
    return len(path) == len(pattern) and all(mine in ("*", "=", word) for word, mine in zip(path, pattern))


def _safe(path: Path) -> Path:
    return (*path[:-1], "********") if path[-2:-1] == ("password",) else path
