# SPDX-License-Identifier: GPL-3.0-or-later
"""`policy` by version: vyos-1x, interface-definitions/policy.xml.in; vyatta-cfg-quagga, templates/policy."""

from __future__ import annotations

from vyos import values as v
from vyos.schema import Spec, flag, flags, leaf, multi, node, tag

RULE = v.number(1, 65535)
U32 = v.number(0, 4294967295)


def policy(version: str) -> Spec:
    return node({
        "as-path-list": _list(v.text, {"regex": leaf()}),
        # 1.3 knows them by number only.
        "community-list": _list(v.number(1, 500) if version == "1.3" else v.text, {"regex": leaf()}),
        "extcommunity-list": _list(v.name, {"regex": leaf()}),
        "large-community-list": _list(v.name, {"regex": leaf()}),
        "prefix-list": _list(v.map_name, _prefix(v.ipv4_prefix, 32)),
        "prefix-list6": _list(v.map_name, _prefix(v.ipv6_prefix, 128)),
        "route-map": tag(v.map_name, {"description": leaf(), "rule": tag(RULE, _route_map_rule(version))}),
    })


def _action() -> dict[str, Spec]:
    return {"action": leaf(v.one_of("permit", "deny")), "description": leaf()}


def _list(check: v.Check, rule: dict[str, Spec]) -> Spec:
    return tag(check, {"description": leaf(), "rule": tag(RULE, {**_action(), **rule})})


def _prefix(check: v.Check, bits: int) -> dict[str, Spec]:
    return {"ge": leaf(v.number(0, bits)), "le": leaf(v.number(0, bits)), "prefix": leaf(check)}


def _route_map_rule(version: str) -> dict[str, Spec]:
    return {
        **_action(),
        "call": leaf(),
        "continue": leaf(RULE),
        "match": node(_match(version)),
        "on-match": node({"goto": leaf(RULE), "next": flag()}),
        "set": node(_set_13() if version == "1.3" else _set_14()),
    }


def _match(version: str) -> dict[str, Spec]:
    def family(bits: int, access_list: v.Check, address: v.Check) -> Spec:
        lists = {"access-list": leaf(access_list), "prefix-list": leaf(v.map_name)}
        lists["prefix-len"] = leaf(v.number(0, bits))
        return node({"address": node(lists), "nexthop": node({**lists, "address": leaf(address)})})

    found: dict[str, Spec] = {
        "as-path": leaf(),
        "community": node({"community-list": leaf(), "exact-match": flag()}),
        "extcommunity": leaf(),
        "interface": leaf(),
        "ip": family(32, v.number(1, 2699), v.ipv4),
        "ipv6": family(128, v.name, v.ipv6),
        "large-community": node({"large-community-list": leaf()}),
        "local-preference": leaf(U32),
        "metric": leaf(U32),
        "origin": leaf(v.one_of("egp", "igp", "incomplete")),
        "peer": leaf(v.either(v.ip, v.one_of("local"))),
        "rpki": leaf(v.one_of("invalid", "notfound", "valid")),
        "tag": leaf(v.number(1, 4294967295)),
    }
    if version != "1.3":
        found["protocol"] = leaf(v.one_of("bgp", "connected", "kernel", "ospf", "ospfv3", "rip", "ripng", "static"))
    return found


def _set_common() -> dict[str, Spec]:
    return {
        "aggregator": node({"as": leaf(v.asn), "ip": leaf(v.ipv4)}),
        "atomic-aggregate": flag(),
        "distance": leaf(v.number(0, 255)),
        "ip-next-hop": leaf(v.either(v.ipv4, v.one_of("unchanged", "peer-address"))),
        "ipv6-next-hop": node({"global": leaf(v.ipv6), "local": leaf(v.ipv6), **flags("peer-address prefer-global")}),
        "local-preference": leaf(U32),
        "metric": leaf(v.metric),
        "origin": leaf(v.one_of("egp", "igp", "incomplete")),
        "originator-id": leaf(v.ipv4),
        "src": leaf(v.ip),
        "tag": leaf(v.number(1, 4294967295)),
        "weight": leaf(U32),
    }


def _set_13() -> dict[str, Spec]:
    return {
        **_set_common(),
        "as-path-exclude": leaf(),
        "as-path-prepend": leaf(),
        "comm-list": node({"comm-list": leaf(), "delete": flag()}),
        "community": leaf(v.several(v.community)),
        "large-community": leaf(v.several(v.large_community)),
    }


def _set_14() -> dict[str, Spec]:
    def communities(check: v.Check) -> Spec:
        return node({"add": multi(check), "replace": multi(check), "delete": leaf(), "none": flag()})

    return {
        **_set_common(),
        "as-path": node({"exclude": leaf(), "prepend": leaf(), "prepend-last-as": leaf(v.number(1, 10))}),
        "community": communities(v.community),
        "large-community": communities(v.large_community),
    }
