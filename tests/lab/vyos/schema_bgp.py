# SPDX-License-Identifier: GPL-3.0-or-later
"""`protocols bgp` by version.

1.4 and 1.5: vyos-1x, interface-definitions/include/bgp/*.xml.i. 1.3: vyatta-cfg-quagga, templates/protocols/bgp.
"""

from __future__ import annotations

from vyos import values as v
from vyos.schema import Spec, flag, flags, leaf, multi, node, tag

SECONDS = v.number(1, 65535)


def bgp(version: str) -> Spec:
    instance = {
        "address-family": node({name: _family(name) for name in ("ipv4-unicast", "ipv6-unicast")}),
        "listen": node({"limit": leaf(v.number(1, 5000)), "range": tag(v.prefix, {"peer-group": leaf(v.name)})}),
        "neighbor": tag(v.either(v.ip, v.name), _neighbor(version)),
        "parameters": node(_parameters(version)),
        "peer-group": tag(v.group_name_13 if version == "1.3" else v.name, _peer_group(version)),
        "timers": node(_timers()),
    }
    if version == "1.3":
        return tag(v.asn, instance)
    return node({**instance, "system-as": leaf(v.asn)})


def _timers() -> dict[str, Spec]:
    return {"holdtime": leaf(v.either(v.number(4, 65535), v.one_of("0"))), "keepalive": leaf(SECONDS)}


def _family(name: str) -> Spec:
    prefix = v.ipv4_prefix if name.startswith("ipv4") else v.ipv6_prefix
    redistributed = "connected kernel static " + ("ospf rip isis" if name.startswith("ipv4") else "ospfv3 ripng isis")
    return node({
        "aggregate-address": tag(prefix, {**flags("as-set summary-only"), "route-map": leaf(v.map_name)}),
        "distance": node({key: leaf(v.number(1, 255)) for key in ("external", "internal", "local")}),
        "maximum-paths": node({key: leaf(v.number(1, 256)) for key in ("ebgp", "ibgp")}),
        "network": tag(prefix, {**flags("backdoor"), "route-map": leaf(v.map_name)}),
        "redistribute": node({
            source: node({"metric": leaf(v.number(1, 4294967295)), "route-map": leaf(v.map_name)})
            for source in redistributed.split()
        }),
    })


def _both(check: v.Check) -> Spec:
    return node({"export": leaf(check), "import": leaf(check)})


def _peer_family(version: str, family: str) -> dict[str, Spec]:
    found = {
        "allowas-in": node({"number": leaf(v.number(1, 10))}),
        "attribute-unchanged": node(flags("as-path med next-hop")),
        "default-originate": node({"route-map": leaf(v.map_name)}),
        "disable-send-community": node(flags("extended standard")),
        "distribute-list": _both(v.number(1, 65535)),
        "filter-list": _both(v.name),
        "maximum-prefix": leaf(v.number(1, 4294967295)),
        "nexthop-self": node(flags("force")),
        "prefix-list": _both(v.map_name),
        "remove-private-as": flag(),
        "route-map": _both(v.map_name),
        **flags("as-override route-reflector-client route-server-client"),
        "soft-reconfiguration": node(flags("inbound")),
        "unsuppress-map": leaf(v.map_name),
        "weight": leaf(v.number(1, 65535)),
    }
    if version != "1.3":
        found.update(flags("addpath-tx-all addpath-tx-per-as"))
        found["maximum-prefix-out"] = leaf(v.number(1, 4294967295))
        if version == "1.5":
            found["remove-private-as"] = node(flags("all"))
    if family == "ipv6-unicast":
        found["nexthop-local"] = node(flags("unchanged"))
    return found


def _peer(version: str) -> dict[str, Spec]:
    """What neighbours and peer groups have in common."""
    capability = flags("dynamic extended-nexthop")
    found: dict[str, Spec] = {
        "bfd": node(flags("check-control-plane-failure")),
        "capability": node(capability),
        "description": leaf(),
        **flags("disable-capability-negotiation disable-connected-check override-capability passive shutdown"),
        "ebgp-multihop": leaf(v.number(1, 255)),
        "local-as": tag(v.asn, {"no-prepend": node(flags("replace-as"))}),
        "password": leaf(),
        "remote-as": leaf(v.either(v.asn, v.one_of("external", "internal"))),
        "ttl-security": node({"hops": leaf(v.number(1, 254))}),
        "update-source": leaf(v.either(v.ip, v.map_name)),
    }
    if version != "1.3":
        found["bfd"] = node({**flags("check-control-plane-failure"), "profile": leaf(v.name)})
        found["graceful-restart"] = leaf(v.one_of("enable", "disable", "restart-helper"))
        found["port"] = leaf(v.number(1, 65535))
    if version == "1.5":
        found["capability"] = node({**capability, **flags("software-version")})
    return found


def _neighbor(version: str) -> dict[str, Spec]:
    families = {family: _peer_family(version, family) for family in ("ipv4-unicast", "ipv6-unicast")}
    if version == "1.3":
        families["ipv6-unicast"]["peer-group"] = leaf(v.name)
    found = {
        **_peer(version),
        "address-family": node({family: node(children) for family, children in families.items()}),
        "advertisement-interval": leaf(v.number(0, 600)),
        "peer-group": leaf(v.name),
        "port": leaf(v.number(1, 65535)),
        **flags("strict-capability-match"),
        "timers": node({**_timers(), "connect": leaf(v.number(0, 65535))}),
    }
    if version != "1.3":
        membership = {"peer-group": leaf(v.name), "remote-as": leaf(v.either(v.asn, v.one_of("external", "internal")))}
        found["interface"] = node({**membership, "source-interface": leaf(v.name), "v6only": node(membership)})
    if version == "1.5":
        found.update(flags("enforce-first-as solo"))
    return found


def _peer_group(version: str) -> dict[str, Spec]:
    """No timers here, in any version."""
    return {
        **_peer(version),
        "address-family": node({
            family: node(_peer_family(version, family)) for family in ("ipv4-unicast", "ipv6-unicast")
        }),
    }


def _parameters(version: str) -> dict[str, Spec]:
    global_distance = node({key: leaf(v.number(1, 255)) for key in ("external", "internal", "local")})
    found: dict[str, Spec] = {
        "bestpath": node({
            "as-path": node(flags("confed ignore multipath-relax")),
            "compare-routerid": flag(),
            "med": multi(v.one_of("confed", "missing-as-worst")),
        }),
        "cluster-id": leaf(v.ipv4),
        "confederation": node({"identifier": leaf(v.asn), "peers": multi(v.asn)}),
        "default": node({"local-pref": leaf(v.number(0, 4294967295))}),
        "distance": node({"global": global_distance}),
        "graceful-restart": node({"stalepath-time": leaf(v.number(1, 3600))}),
        "router-id": leaf(v.ipv4),
        **flags("always-compare-med deterministic-med graceful-shutdown log-neighbor-changes network-import-check"),
        **flags("no-client-to-client-reflection no-fast-external-failover"),
    }
    if version == "1.3":
        found["default"] = node({"local-pref": leaf(v.number(0, 4294967295)), "no-ipv4-unicast": flag()})
        found.update(flags("enforce-first-as"))
    else:
        found.update(flags("ebgp-requires-policy fast-convergence no-suppress-duplicates reject-as-sets shutdown"))
        found.update(flags("no-hard-administrative-reset suppress-fib-pending"))
        found["minimum-holdtime"] = leaf(SECONDS)
    return found
