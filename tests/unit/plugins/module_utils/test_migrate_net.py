"""Flannel in a kernel: what is read of it, and the commands that mend and remove it."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_net as net

NOTES = {
    "backend-type": "vxlan", "backend-data": '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}', "public-ip": "10.1.0.11",
    "kube-subnet-manager": "true",
}  # fmt: skip
ME = net.peer_of("s0", ["10.1.0.11"], ["10.42.0.0/24"], NOTES)
PEER = net.peer_of(
    "s1", ["10.1.0.12"], ["10.42.1.0/24"],
    {"public-ip": "10.1.0.12", "backend-data": '{"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:01"}'},
)  # fmt: skip

ROUTES = [
    {"dst": "default", "gateway": "10.1.0.1", "dev": "eth0"},
    {"dst": "10.1.0.0/24", "dev": "eth0", "protocol": "kernel"},
    {"dst": "10.42.1.0/24", "gateway": "10.42.1.0", "dev": "flannel.1", "flags": ["onlink"]},
]


def test_peers() -> None:
    assert ME.addresses == ("10.1.0.11",) and ME.macs == {4: "12:c6:65:89:b4:e3"}
    strange = net.peer_of("x", ["fd00::1"], [], {"backend-data": "no JSON", "backend-v6-data": "null"})
    assert strange.macs == {} and strange.addresses == ("fd00::1",)
    two = net.peer_of("x", [], [], {"backend-v6-data": '{"VtepMAC":"aa:bb:cc:dd:ee:02"}', "public-ipv6": "fd00::1"})
    assert two.macs == {6: "aa:bb:cc:dd:ee:02"} and two.addresses == ("fd00::1",)


def test_ways_by_flannel_and_direct_ones() -> None:
    seen = net.routes(json.dumps(ROUTES), "")
    assert net.reaches(seen, [PEER]) and not net.direct(seen, [PEER])
    replaced = [*ROUTES[:2], {"dst": "10.42.1.0/24", "gateway": "10.1.0.12", "dev": "eth0"}]
    seen = net.routes(json.dumps(replaced))
    assert net.reaches(seen, [PEER]) and net.direct(seen, [PEER])
    assert not net.reaches(net.routes(json.dumps(ROUTES[:2])), [PEER])
    assert not net.direct(net.routes("[]"), [PEER]) and net.direct(net.routes("[]"), [])


def test_vxlan_is_made_as_flannel_makes_it() -> None:
    found = [" ".join(argv) for argv in net.overlay(ME, [PEER], "eth0", 1500, "vxlan")]
    assert found == [
        "ip link add flannel.1 address 12:c6:65:89:b4:e3 mtu 1450 type vxlan id 1 dev eth0 local 10.1.0.11 "
        "dstport 8472 nolearning",
        "ip address replace 10.42.0.0/32 dev flannel.1",
        "ip link set flannel.1 up",
        "bridge fdb replace aa:bb:cc:dd:ee:01 dev flannel.1 dst 10.1.0.12",
        "ip neighbour replace 10.42.1.0 lladdr aa:bb:cc:dd:ee:01 dev flannel.1 nud permanent",
        "ip route replace 10.42.1.0/24 via 10.42.1.0 dev flannel.1 onlink",
    ]


def test_both_families_have_their_own_link() -> None:
    me = net.Peer("s0", ("10.1.0.11", "fd01::11"), ("10.42.0.0/24", "fd00:42::/64"), {4: "m4", 6: "m6"})
    peer = net.Peer("s1", ("10.1.0.12", "fd01::12"), ("10.42.1.0/24", "fd00:42:0:1::/64"), {4: "p4", 6: "p6"})
    found = [" ".join(argv) for argv in net.overlay(me, [peer], "eth0", 1500, "vxlan")]
    assert "ip address replace fd00:42::/128 dev flannel-v6.1" in found
    assert "bridge fdb replace p6 dev flannel-v6.1 dst fd01::12" in found
    assert sum("dev flannel.1" in line and "route" in line for line in found) == 1
    assert any("mtu 1430 type vxlan" in line and "local fd01::11" in line for line in found)


def test_host_gw_is_one_route_for_each_peer() -> None:
    found = net.overlay(ME, [PEER], "eth0", 1500, "host-gw")
    assert found == (("ip", "route", "replace", "10.42.1.0/24", "via", "10.1.0.12", "dev", "eth0"),)


SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:FLANNEL-POSTRTG - [0:0]
:KUBE-POSTROUTING - [0:0]
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -s 10.42.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:FLANNEL-FWD - [0:0]
:KUBE-ROUTER-INPUT - [0:0]
:KUBE-POD-FW-ABC - [0:0]
-A INPUT -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A KUBE-ROUTER-INPUT -d 10.42.0.3/32 -j KUBE-POD-FW-ABC
COMMIT
"""


@pytest.mark.parametrize(
    ("names", "number", "gone"),
    [(net.CHAINS, 2, "FLANNEL"), (net.ROUTER_CHAINS, 2, "KUBE-ROUTER")],
)
def test_only_these_chains_go(names: re.Pattern[str], number: int, gone: str) -> None:
    assert net.count(SAVED, names) == number
    text = net.rules(SAVED, names)
    assert gone in text and "KUBE-POSTROUTING" not in text
    assert all(line.startswith(("*", ":", "-D ", "-X ", "COMMIT")) for line in text.splitlines())
    # Each line that goes stands as it was printed.
    assert all(f"-A {line[3:]}" in SAVED for line in text.splitlines() if line.startswith("-D "))
    assert net.rules("", names) == ""
