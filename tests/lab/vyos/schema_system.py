# SPDX-License-Identifier: GPL-3.0-or-later
"""The other top-level nodes, with as much below them as a router of the lab has in its configuration."""

from __future__ import annotations

from vyos import values as v
from vyos.schema import Spec, flag, flags, leaf, multi, node, tag


def interfaces() -> Spec:
    common = {"address": multi(v.host_with_mask), "description": leaf(), **flags("disable")}
    physical = {"hw-id": leaf(), "mtu": leaf(v.number(68, 16000)), "duplex": leaf(), "speed": leaf()}
    return node({
        "dummy": tag(v.name, common),
        "ethernet": tag(v.name, {**common, **physical}),
        "loopback": tag(v.one_of("lo"), common),
    })


def static(version: str) -> Spec:
    def routes(prefix: v.Check, address: v.Check) -> Spec:
        hop = {"distance": leaf(v.number(1, 255)), "disable": flag()}
        children = {
            "blackhole": node({"distance": leaf(v.number(1, 255)), "tag": leaf(v.number(1, 4294967295))}),
            "interface": tag(v.map_name, hop),
            "next-hop": tag(address, {**hop, "interface": leaf(v.map_name)}),
        }
        return tag(prefix, children if version == "1.3" else {**children, "description": leaf()})

    return node({"route": routes(v.ipv4_prefix, v.ipv4), "route6": routes(v.ipv6_prefix, v.ipv6)})


def service(version: str) -> Spec:
    api: dict[str, Spec] = {"keys": node({"id": tag(v.text, {"key": leaf()})})}
    if version == "1.5":
        api["rest"] = node(flags("debug strict"))
    else:
        api.update(flags("debug strict"))
    https: dict[str, Spec] = {
        "allow-client": node({"address": multi(v.either(v.ip, v.prefix))}),
        "api": node(api),
        "certificates": node({"certificate": leaf(), "ca-certificate": leaf()}),
    }
    if version == "1.3":
        https["virtual-host"] = tag(v.text, {"listen-address": leaf(), "listen-port": leaf(), "server-name": multi()})
    else:
        https.update({"listen-address": multi(v.ip), "port": leaf(v.number(1, 65535))})
    ssh = {"listen-address": multi(v.ip), "port": multi(v.number(1, 65535)), **flags("disable-password-authentication")}
    return node({"https": node(https), "ssh": node(ssh)})


def system(version: str) -> Spec:
    management: dict[str, Spec] = {"commit-revisions": leaf(v.number(1, 65535))}
    if version == "1.5":
        management["commit-confirm"] = node({"action": leaf(v.one_of("reload", "reboot"))})
    key = {"key": leaf(), "type": leaf()}
    authentication = {"encrypted-password": leaf(), "plaintext-password": leaf(), "public-keys": tag(v.text, key)}
    return node({
        "config-management": node(management),
        "domain-name": leaf(),
        "host-name": leaf(v.name),
        "login": node({"user": tag(v.name, {"authentication": node(authentication), "full-name": leaf()})}),
        "name-server": multi(v.text),
        "time-zone": leaf(),
    })
