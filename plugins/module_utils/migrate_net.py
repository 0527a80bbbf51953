# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel left in a host's kernel, and how it is mended or removed. Pure, Python 3.9, stdlib only.

A node with flannel's vxlan reaches a peer's pods by a route over flannel.1 to the first address of the peer's podCIDR,
whose neighbour entry has the MAC of the peer's flannel.1, which in turn stands in the forwarding table with the peer's
own address (flannel: pkg/backend/vxlan). With host-gw it is one route by the peer's address. That is all there is: it
works as long as the kernel has it, whether a flannel runs or not.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import kube_rules

BRIDGE = "cni0"
OVERLAYS = {4: "flannel.1", 6: "flannel-v6.1"}
VXLAN_PORT = 8472  # Linux' own default, which flannel takes (flannel: Documentation/backends.md)
HEADER = {4: 50, 6: 70}  # what vxlan adds to a packet

CHAINS = re.compile(r"FLANNEL-.+")
ROUTER_CHAINS = re.compile(r"KUBE-(ROUTER|NWPLCY|POD-FW)-.+")

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Peer:
    """Another node, as its annotations and its podCIDRs tell."""

    name: str
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    macs: t.Mapping[int, str] | None = None  # of its flannel.1, by family


@dataclass(frozen=True)
class Routes:
    """The main table of a host: destination → gateway and device."""

    by_cidr: t.Mapping[str, tuple[str, str]]

    def to(self, cidr: str) -> tuple[str, str] | None:
        return self.by_cidr.get(str(ipaddress.ip_network(cidr, strict=False)))


def routes(*printed: str) -> Routes:
    """Of what `ip -json route show` says, once for each family."""
    found: dict[str, tuple[str, str]] = {}
    for text in printed:
        for item in json.loads(text or "[]"):
            if item.get("dst", "default") != "default":
                cidr = str(ipaddress.ip_network(item["dst"], strict=False))
                found[cidr] = (str(item.get("gateway", "")), str(item.get("dev", "")))
    return Routes(found)


def reaches(seen: Routes, peers: t.Iterable[Peer]) -> bool:
    """It has some way to each peer's pods."""
    return all(seen.to(cidr) is not None for peer in peers for cidr in peer.pod_cidrs)


def direct(seen: Routes, peers: t.Iterable[Peer]) -> bool:
    """Its way to each peer's pods is the peer itself."""
    return all((seen.to(cidr) or ("", ""))[0] in peer.addresses for peer in peers for cidr in peer.pod_cidrs)


def peer_of(name: str, addresses: t.Iterable[str], pod_cidrs: t.Iterable[str], notes: t.Mapping[str, str]) -> Peer:
    """`notes` are flannel's annotations, without their common beginning."""
    macs = {}
    for family, key in ((4, "backend-data"), (6, "backend-v6-data")):
        try:
            mac = (json.loads(notes.get(key) or "null") or {}).get("VtepMAC")
        except ValueError:
            mac = None
        if mac:
            macs[family] = str(mac)
    own = tuple(notes[key] for key in ("public-ip", "public-ipv6") if notes.get(key))
    return Peer(name, tuple(dict.fromkeys((*own, *addresses))), tuple(pod_cidrs), macs)


# -- mending


def overlay(me: Peer, peers: t.Iterable[Peer], device: str, mtu: int, backend: str) -> tuple[Argv, ...]:
    """Commands that give a kernel without flannel its ways to the peers that have it. The link must not be there."""
    others = tuple(peers)
    if backend == "host-gw":
        return tuple(
            ("ip", "route", "replace", cidr, "via", _same_family(peer.addresses, cidr), "dev", device)
            for peer in others for cidr in peer.pod_cidrs
        )  # fmt: skip
    found: list[Argv] = []
    for cidr in me.pod_cidrs:
        family = ipaddress.ip_network(cidr).version
        found += _link(me, cidr, family, device, mtu)
        for peer in others:
            found += _way(peer, family)
    return tuple(found)


def _link(me: Peer, cidr: str, family: int, device: str, mtu: int) -> list[Argv]:
    """The peers' flannels know its MAC from the annotation, so it has to be the same."""
    name, own = OVERLAYS[family], _same_family(me.addresses, cidr)
    first = str(ipaddress.ip_network(cidr)[0])
    return [
        ("ip", "link", "add", name, "address", _mac(me, family), "mtu", str(mtu - HEADER[family]), "type", "vxlan",
         "id", "1", "dev", device, "local", own, "dstport", str(VXLAN_PORT), "nolearning"),
        ("ip", "address", "replace", f"{first}/{32 if family == 4 else 128}", "dev", name),
        ("ip", "link", "set", name, "up"),
    ]  # fmt: skip


def _way(peer: Peer, family: int) -> t.Iterator[Argv]:
    name, mac = OVERLAYS[family], _mac(peer, family)
    for cidr in peer.pod_cidrs:
        if ipaddress.ip_network(cidr).version == family and mac:
            first = str(ipaddress.ip_network(cidr)[0])
            yield ("bridge", "fdb", "replace", mac, "dev", name, "dst", _same_family(peer.addresses, cidr))
            yield ("ip", "neighbour", "replace", first, "lladdr", mac, "dev", name, "nud", "permanent")
            yield ("ip", "route", "replace", cidr, "via", first, "dev", name, "onlink")


def _mac(peer: Peer, family: int) -> str:
    return (peer.macs or {}).get(family, "")


def _same_family(addresses: t.Iterable[str], cidr: str) -> str:
    version = ipaddress.ip_network(cidr).version
    return next((one for one in addresses if ipaddress.ip_address(one).version == version), "")


# -- rules


def rules(saved: str, names: re.Pattern[str]) -> str:
    """The input of `iptables-restore --noflush` that removes the chains of these names, and jumps into them."""
    return kube_rules.restore(
        removal for table in kube_rules.parse(saved) if (removal := _removal(table, names)).text
    )


def count(saved: str, names: re.Pattern[str]) -> int:
    return sum(1 for table in kube_rules.parse(saved) for chain in table.chains if names.fullmatch(chain))


def _removal(table: kube_rules.Table, names: re.Pattern[str]) -> kube_rules.Removal:
    doomed = tuple(chain for chain in table.chains if names.fullmatch(chain))
    jumps = tuple(rule for rule in table.rules if rule.target in doomed and rule.chain not in doomed)
    return kube_rules.Removal(table.name, doomed, jumps, (), (), ())
