# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration as FRR reads it."""

from __future__ import annotations

from vyos import verify
from vyos.tree import Config, Path, ordered

FRR_FAMILY = {"ipv4-unicast": "ipv4 unicast", "ipv6-unicast": "ipv6 unicast"}
FRR_SOURCE = {"ospfv3": "ospf6"}


def frr(config: Config, version: str) -> str:
    host = config.value("system", "host-name") or "vyos"
    head = ["frr defaults traditional", f"hostname {host}", "log syslog informational",
            "service integrated-vtysh-config"]
    parts = [head, _static(config), _lists(config), _route_maps(config, version), _bgp(config, version)]
    return "\n!\n".join("\n".join(part) for part in parts if part) + "\n!\n"


# -- static routes


def _static(config: Config) -> list[str]:
    lines: list[str] = []
    for kind, command in (("route", "ip route"), ("route6", "ipv6 route")):
        for prefix in ordered(config.node("protocols", "static", kind)):
            at = ("protocols", "static", kind, prefix)
            if config.exists((*at, "blackhole")):
                distance = config.value(*at, "blackhole", "distance")
                lines.append(_joined(command, prefix, "blackhole", distance))
            for sort in ("next-hop", "interface"):
                for hop in ordered(config.node(*at, sort)):
                    here = (*at, sort, hop)
                    if not config.exists((*here, "disable")):
                        words = (hop, config.value(*here, "interface"), config.value(*here, "distance"))
                        lines.append(_joined(command, prefix, *words))
    return lines


# -- policy


def _lists(config: Config) -> list[str]:
    lines: list[str] = []
    for kind, command in (("prefix-list", "ip prefix-list"), ("prefix-list6", "ipv6 prefix-list")):
        for name in ordered(config.node("policy", kind)):
            at = ("policy", kind, name)
            description = config.value(*at, "description")
            if description:
                lines.append(f"{command} {name} description {description}")
            for rule in ordered(config.node(*at, "rule")):
                here = (*at, "rule", rule)
                bounds = [f"{key} {config.value(*here, key)}" for key in ("ge", "le") if config.value(*here, key)]
                action, prefix = config.value(*here, "action"), config.value(*here, "prefix")
                lines.append(_joined(command, name, "seq", rule, action, prefix, *bounds))
    commands = (("as-path-list", "bgp as-path access-list"), ("community-list", "bgp community-list"),
                ("extcommunity-list", "bgp extcommunity-list"), ("large-community-list", "bgp large-community-list"))
    for kind, command in commands:
        for name in ordered(config.node("policy", kind)):
            expanded = "" if name.isdigit() or kind == "as-path-list" else "expanded"
            for rule in ordered(config.node("policy", kind, name, "rule")):
                here = ("policy", kind, name, "rule", rule)
                words = (name, "seq", rule, config.value(*here, "action"), config.value(*here, "regex"))
                lines.append(_joined(command, expanded, *words))
    return lines


# Clauses that take the value as it is: where it is in the tree, and what FRR calls it.
MATCH = {
    "as-path": "as-path", "extcommunity": "extcommunity", "interface": "interface",
    "ip address access-list": "ip address", "ip address prefix-list": "ip address prefix-list",
    "ip address prefix-len": "ip address prefix-len", "ip nexthop access-list": "ip next-hop",
    "ip nexthop address": "ip next-hop address", "ip nexthop prefix-list": "ip next-hop prefix-list",
    "ip nexthop prefix-len": "ip next-hop prefix-len", "ipv6 address access-list": "ipv6 address",
    "ipv6 address prefix-list": "ipv6 address prefix-list", "ipv6 address prefix-len": "ipv6 address prefix-len",
    "ipv6 nexthop access-list": "ipv6 next-hop", "ipv6 nexthop address": "ipv6 next-hop address",
    "ipv6 nexthop prefix-list": "ipv6 next-hop prefix-list",
    "large-community large-community-list": "large-community", "local-preference": "local-preference",
    "metric": "metric", "origin": "origin", "peer": "peer", "protocol": "source-protocol", "rpki": "rpki", "tag": "tag",
}
SET = {
    "as-path exclude": "as-path exclude", "as-path prepend": "as-path prepend", "as-path-exclude": "as-path exclude",
    "as-path prepend-last-as": "as-path prepend last-as", "as-path-prepend": "as-path prepend", "distance": "distance",
    "ip-next-hop": "ip next-hop", "ipv6-next-hop global": "ipv6 next-hop global",
    "ipv6-next-hop local": "ipv6 next-hop local", "local-preference": "local-preference", "metric": "metric",
    "origin": "origin", "originator-id": "originator-id", "src": "src", "tag": "tag", "weight": "weight",
    "community": "community", "large-community": "large-community",
}


def _route_maps(config: Config, version: str) -> list[str]:
    lines: list[str] = []
    for name in ordered(config.node("policy", "route-map")):
        for rule in ordered(config.node("policy", "route-map", name, "rule")):
            at = ("policy", "route-map", name, "rule", rule)
            lines.append(f"route-map {name} {config.value(*at, 'action')} {rule}")
            lines += [f" {line}" for line in _rule(config, at)]
            lines.append("exit")
    return lines


def _rule(config: Config, at: Path) -> list[str]:
    lines: list[str] = []
    for key, command in (("description", "description"), ("call", "call"), ("continue", "on-match goto")):
        if config.value(*at, key):
            lines.append(f"{command} {config.value(*at, key)}")
    community = config.value(*at, "match", "community", "community-list")
    if community:
        exact = "exact-match" if config.exists((*at, "match", "community", "exact-match")) else ""
        lines.append(_joined("match community", community, exact))
    for word, table in (("match", MATCH), ("set", SET)):
        for path, command in table.items():
            values = config.values(*at, word, *path.split())
            if values:
                lines.append(f"{word} {command} {values[0]}")
    lines += _set_communities(config, at)
    if config.exists((*at, "set", "atomic-aggregate")):
        lines.append("set atomic-aggregate")
    if config.exists((*at, "on-match", "next")):
        lines.append("on-match next")
    if config.value(*at, "on-match", "goto"):
        lines.append(f"on-match goto {config.value(*at, 'on-match', 'goto')}")
    return lines


def _set_communities(config: Config, at: Path) -> list[str]:
    lines: list[str] = []
    for kind, deleting in (("community", "comm-list"), ("large-community", "large-comm-list")):
        where = (*at, "set", kind)
        for key, suffix in (("replace", ""), ("add", "additive")):
            values = " ".join(config.values(*where, key)).replace("local-as", "local-AS")
            if values:
                lines.append(_joined("set", kind, values, suffix))
        if config.exists((*where, "none")):
            lines.append(f"set {kind} none")
        if config.exists((*where, "delete")):
            lines.append(f"set {deleting} {config.value(*where, 'delete')} delete")
    if config.exists((*at, "set", "comm-list", "delete")):
        lines.append(f"set comm-list {config.value(*at, 'set', 'comm-list', 'comm-list')} delete")
    return lines


# -- bgp

PARAMETERS = {
    "always-compare-med": "bgp always-compare-med", "deterministic-med": "bgp deterministic-med",
    "bestpath as-path confed": "bgp bestpath as-path confed", "bestpath as-path ignore": "bgp bestpath as-path ignore",
    "bestpath as-path multipath-relax": "bgp bestpath as-path multipath-relax",
    "bestpath compare-routerid": "bgp bestpath compare-routerid", "fast-convergence": "bgp fast-convergence",
    "graceful-restart": "bgp graceful-restart", "graceful-shutdown": "bgp graceful-shutdown",
    "log-neighbor-changes": "bgp log-neighbor-changes", "network-import-check": "bgp network import-check",
    "no-client-to-client-reflection": "no bgp client-to-client reflection",
    "no-fast-external-failover": "no bgp fast-external-failover", "reject-as-sets": "bgp reject-as-sets",
    "shutdown": "bgp shutdown", "suppress-fib-pending": "bgp suppress-fib-pending",
}
PARAMETER_VALUES = {
    "router-id": "bgp router-id", "cluster-id": "bgp cluster-id", "default local-pref": "bgp default local-preference",
    "graceful-restart stalepath-time": "bgp graceful-restart stalepath-time",
    "minimum-holdtime": "bgp minimum-holdtime", "confederation identifier": "bgp confederation identifier",
}
PEER_FLAGS = {
    "bfd": "bfd", "capability dynamic": "capability dynamic",
    "capability extended-nexthop": "capability extended-nexthop", "passive": "passive", "shutdown": "shutdown",
    "disable-capability-negotiation": "dont-capability-negotiate", "solo": "solo",
    "disable-connected-check": "disable-connected-check", "override-capability": "override-capability",
    "strict-capability-match": "strict-capability-match", "enforce-first-as": "enforce-first-as",
}
PEER_VALUES = {
    "advertisement-interval": "advertisement-interval", "description": "description", "ebgp-multihop": "ebgp-multihop",
    "password": "password", "port": "port", "ttl-security hops": "ttl-security hops",
    "timers connect": "timers connect", "update-source": "update-source",
}
RESTART = {"enable": "graceful-restart", "disable": "graceful-restart-disable",
           "restart-helper": "graceful-restart-helper"}
FAMILY_FLAGS = {
    "addpath-tx-all": "addpath-tx-all-paths", "addpath-tx-per-as": "addpath-tx-bestpath-per-AS",
    "as-override": "as-override", "nexthop-local unchanged": "nexthop-local unchanged",
    "remove-private-as": "remove-private-AS", "route-reflector-client": "route-reflector-client",
    "route-server-client": "route-server-client", "soft-reconfiguration inbound": "soft-reconfiguration inbound",
}
FAMILY_VALUES = {
    "maximum-prefix": "maximum-prefix {}", "maximum-prefix-out": "maximum-prefix-out {}",
    "unsuppress-map": "unsuppress-map {}", "weight": "weight {}",
    **{f"{kind} {way}": f"{kind} {{}} {short}"
       for kind in ("distribute-list", "filter-list", "prefix-list", "route-map")
       for way, short in (("import", "in"), ("export", "out"))},
}


def _bgp(config: Config, version: str) -> list[str]:
    asn, at = verify.instance(config)
    if not asn:
        return []
    lines = [f"router bgp {asn}", *(f" {line}" for line in _instance(config, at, version))]
    for kind in ("peer-group", "neighbor"):
        for peer in ordered(config.node(*at, kind)):
            lines += [f" neighbor {peer} {line}" for line in _peer(config, at, kind, peer)]
    for prefix in ordered(config.node(*at, "listen", "range")):
        group = config.value(*at, "listen", "range", prefix, "peer-group")
        lines.append(f" bgp listen range {prefix} peer-group {group}")
    for family, command in FRR_FAMILY.items():
        inside = _family(config, at, family, version)
        if inside:
            lines += [" !", f" address-family {command}", *(f"  {line}" for line in inside), " exit-address-family"]
    return [*lines, "exit"]


def _instance(config: Config, at: Path, version: str) -> list[str]:
    """VyOS switches off what FRR has by default, unless its parameter is there."""
    where = (*at, "parameters")
    lines: list[str] = []
    if not config.exists((*where, "ebgp-requires-policy")):
        lines.append("no bgp ebgp-requires-policy")
    if version != "1.3" or config.exists((*where, "default", "no-ipv4-unicast")):
        lines.append("no bgp default ipv4-unicast")
    if not config.exists((*where, "network-import-check")):
        lines.append("no bgp network import-check")
    for path, command in PARAMETER_VALUES.items():
        value = config.value(*where, *path.split())
        if value:
            lines.append(f"{command} {value}")
    lines += [line for path, line in PARAMETERS.items() if config.exists((*where, *path.split()))]
    for value in config.values(*where, "bestpath", "med"):
        lines.append(f"bgp bestpath med {value}")
    peers = config.values(*where, "confederation", "peers")
    if peers:
        lines.append(f"bgp confederation peers {' '.join(peers)}")
    keepalive, hold = (config.value(*at, "timers", key) for key in ("keepalive", "holdtime"))
    if keepalive and hold:
        lines.append(f"timers bgp {keepalive} {hold}")
    if config.value(*at, "listen", "limit"):
        lines.append(f"bgp listen limit {config.value(*at, 'listen', 'limit')}")
    return lines


def _group(config: Config, where: Path) -> str:
    """A neighbour's group; 1.3 has IPv6's below the family."""
    own = config.value(*where, "peer-group")
    return own or config.value(*where, "address-family", "ipv6-unicast", "peer-group")


def _peer(config: Config, at: Path, kind: str, peer: str) -> list[str]:
    where = (*at, kind, peer)
    lines = ["peer-group"] if kind == "peer-group" else []
    lines += _unnumbered(config, (*where, "interface"))
    group = _group(config, where) if kind == "neighbor" else ""
    # 1.3 wants the AS at an IPv6 member too; FRR does not, when the group has it.
    if config.value(*where, "remote-as") and not config.value(*at, "peer-group", group, "remote-as"):
        lines.append(f"remote-as {config.value(*where, 'remote-as')}")
    if group:
        lines.append(f"peer-group {group}")
    lines += [line for path, line in PEER_FLAGS.items() if config.exists((*where, *path.split()))]
    for path, line in PEER_VALUES.items():
        value = config.value(*where, *path.split())
        if value:
            lines.append(f"{line} {value}")
    for number in config.node(*where, "local-as"):
        paths = (("no-prepend",), ("no-prepend", "replace-as"))
        more = [path[-1] for path in paths if config.exists((*where, "local-as", number, *path))]
        lines.append(_joined("local-as", number, *more))
    restart = config.value(*where, "graceful-restart")
    if restart:
        lines.append(RESTART[restart])
    keepalive, hold = (config.value(*where, "timers", key) for key in ("keepalive", "holdtime"))
    if keepalive and hold:
        lines.append(f"timers {keepalive} {hold}")
    return lines


def _unnumbered(config: Config, where: Path) -> list[str]:
    """A neighbour that is known by its interface."""
    six = ("v6only",) if config.exists((*where, "v6only")) else ()
    values = {key: config.value(*where, *six, key) for key in ("peer-group", "remote-as")}
    return [_joined("interface", *six, key, value) for key, value in values.items() if value]


def _family(config: Config, at: Path, family: str, version: str) -> list[str]:
    where, lines = (*at, "address-family", family), list[str]()
    # 1.3 leaves IPv4 on for every peer, and then FRR does not write that it is.
    only6 = config.exists((*at, "parameters", "default", "no-ipv4-unicast"))
    active = version == "1.3" and family == "ipv4-unicast" and not only6
    for prefix in ordered(config.node(*where, "network")):
        route_map = config.value(*where, "network", prefix, "route-map")
        lines.append(_joined("network", prefix, f"route-map {route_map}" if route_map else ""))
    for prefix in ordered(config.node(*where, "aggregate-address")):
        at_prefix = (*where, "aggregate-address", prefix)
        words = [word for word in ("as-set", "summary-only") if config.exists((*at_prefix, word))]
        lines.append(_joined("aggregate-address", prefix, *words))
    for source in ordered(config.node(*where, "redistribute")):
        words = [f"{key} {config.value(*where, 'redistribute', source, key)}" for key in ("metric", "route-map")
                 if config.value(*where, "redistribute", source, key)]
        lines.append(_joined("redistribute", FRR_SOURCE.get(source, source), *words))
    for kind in ("peer-group", "neighbor"):
        for peer in ordered(config.node(*at, kind)):
            for line in _peer_family(config, (*at, kind, peer), family):
                if not (line == "activate" and active):
                    lines.append(f"no neighbor {peer} {line[3:]}" if line[:3] == "no " else f"neighbor {peer} {line}")
    for key, command in (("ebgp", "maximum-paths"), ("ibgp", "maximum-paths ibgp")):
        value = config.value(*where, "maximum-paths", key)
        if value:
            lines.append(f"{command} {value}")
    return lines


def _peer_family(config: Config, peer: Path, family: str) -> list[str]:
    where = (*peer, "address-family", family)
    if not config.exists(where):
        return []
    lines = ["activate"]
    lines += [line for path, line in FAMILY_FLAGS.items() if config.exists((*where, *path.split()))]
    for path, line in FAMILY_VALUES.items():
        value = config.value(*where, *path.split())
        if value:
            lines.append(line.format(value))
    if config.exists((*where, "nexthop-self")):
        lines.append("next-hop-self force" if config.exists((*where, "nexthop-self", "force")) else "next-hop-self")
    if config.exists((*where, "allowas-in")):
        lines.append(_joined("allowas-in", config.value(*where, "allowas-in", "number")))
    if config.exists((*where, "default-originate")):
        route_map = config.value(*where, "default-originate", "route-map")
        lines.append(_joined("default-originate", f"route-map {route_map}" if route_map else ""))
    lines += [f"no send-community {word}" for word in ("extended", "standard")
              if config.exists((*where, "disable-send-community", word))]
    return lines


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)
