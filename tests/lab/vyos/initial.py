# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that the router has before anybody manages it: a neighbour outside, its filters, a static route.

It is foreign to the collection, which must leave it as it is.
"""

from __future__ import annotations

import ipaddress
import typing as t
import zlib

from vyos.schema import Spec
from vyos.tree import Config

FOREIGN_ROUTE = {"route": "198.51.100.0/24", "route6": "2001:db8:51::/48"}


def config(spec: Spec, version: str, env: t.Mapping[str, str]) -> Config:
    made = Config(spec)
    for line in _lines(version, env):
        made.set(line.split())
    made.set(["service", "https", "api", "keys", "id", "lab", "key", env["VYOS_KEY"]])
    return made


def _lines(version: str, env: t.Mapping[str, str]) -> t.Iterator[str]:
    yield f"system host-name {env.get('VYOS_HOSTNAME') or 'vyos'}"
    yield "interfaces loopback lo"
    yield "service ssh port 22"
    if version == "1.5":
        yield "service https api rest"
    yield f"protocols static route {FOREIGN_ROUTE['route']} blackhole"
    yield f"protocols static route6 {FOREIGN_ROUTE['route6']} blackhole"
    addresses = env.get("CLIENT_ADDRESSES", "").replace(",", " ").split()
    if addresses and env.get("ROUTER_ASN"):
        yield from _client(version, env, addresses)


def _client(version: str, env: t.Mapping[str, str], addresses: list[str]) -> t.Iterator[str]:
    """Everything goes out to the client, nothing comes in from it."""
    yield "policy route-map CLIENT-OUT rule 10 action permit"
    yield "policy route-map CLIENT-IN rule 10 action deny"
    bgp = f"protocols bgp {env['ROUTER_ASN']}"
    if version != "1.3":
        bgp = "protocols bgp"
        yield f"{bgp} system-as {env['ROUTER_ASN']}"
    router_id = env.get("ROUTER_ID", "")
    if not router_id and all(ipaddress.ip_address(address).version == 6 for address in addresses):
        # Without an IPv4 address FRR finds none itself, and then no session comes up.
        number = zlib.crc32(env.get("VYOS_HOSTNAME", "").encode()) % 0xFFFF
        router_id = str(ipaddress.IPv4Address("10.255.0.1") + number)
    if router_id:
        yield f"{bgp} parameters router-id {router_id}"
    for address in addresses:
        family = f"ipv{ipaddress.ip_address(address).version}-unicast"
        neighbor = f"{bgp} neighbor {address}"
        yield f"{neighbor} remote-as {env['CLIENT_ASN']}"
        yield f"{neighbor} description client"
        yield f"{neighbor} address-family {family} route-map export CLIENT-OUT"
        yield f"{neighbor} address-family {family} route-map import CLIENT-IN"
