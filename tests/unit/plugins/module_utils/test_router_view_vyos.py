"""Reading FRR's words as VyOS passes them on."""

from __future__ import annotations

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import router_view_vyos as view
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import IPV4, IPV6
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_vyos import Refused
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view import ESTABLISHED

SUMMARY = """
IPv4 Unicast Summary (VRF default):
BGP router identifier 192.0.2.3, local AS number 64512 vrf-id 0
BGP table version 3
Peers 3, using 2172 KiB of memory

Neighbor        V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc
*192.0.2.12     4      65000         4         4        0    0    0 00:00:16            3        2 N/A
192.0.2.77      4 4200000001         0         0        0    0    0    never       Active        0 N/A
203.0.113.5     4      64999         9         9        0    0    0 1d02h03m Idle (PfxCt)        0 4 words of text
203.0.113.6     4      64999         9         9        0    0    0 00:10:00     (Policy) (Policy) N/A

Total number of neighbors 4
* - dynamic neighbor
1 dynamic neighbor(s), limit 100
"""
OLD_SUMMARY = """
Neighbor        V         AS MsgRcvd MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd
2001:db8:1234:5678::12
                4      65000       4       4        0    0    0 00:01:00            5
"""
TABLE6 = """BGP table version is 7, local router ID is 192.0.2.3, vrf id 0
Status codes:  s suppressed, d damped, h history, * valid, > best, = multipath,
               i internal, r RIB-failure, S Stale, R Removed

   Network          Next Hop            Metric LocPrf Weight Path
*> 2001:db8:20:1234:5678:9abc:def0:1/128
                    fe80::54f0:7aff:fe5a:b9a7
                                             0             0 65000 ?
*= 2001:db8:42::/64 fe80::cc26:7aff:fe10:cab7
                                             0             0 65000 ?
*>                  fe80::54f0:7aff:fe5a:b9a7
                                             0             0 65000 ?
*  2001:db8:43::/64 fe80::54f0:7aff:fe5a:b9a7
                                             0             0 65000 ?

Displayed  3 routes and 4 total paths
"""
TABLE4 = """   Network          Next Hop            Metric LocPrf Weight Path
*> 10.42.1.0/24     192.0.2.12               0     99      0 65000 ?
*= 192.0.2.7/32     192.0.2.13               0     99      0 65000 ?
*>                  192.0.2.12               0     99      0 65000 ?
*                   192.0.2.14               0     50      0 65000 ?
*>i198.51.100.100/32
                    192.0.2.12               0     99      0 65000 ?
"""
PAGE = """BGP routing table entry for 2001:db8:42::/64, version 7
Paths: (3 available, best #2, table default)
  Advertised to non peer-group peers:
  2001:db8::12 2001:db8::13
  65000
    2001:db8::13 from 2001:db8::13 (192.0.2.13)
    (fe80::cc26:7aff:fe10:cab7) (used)
      Origin incomplete, metric 0, localpref 99, valid, external, multipath
      Last update: Sat Nov 21 17:16:16 2026
  65000
    2001:db8::12 from 2001:db8::12 (192.0.2.12)
    (fe80::54f0:7aff:fe5a:b9a7) (used)
      Origin incomplete, metric 0, localpref 99, valid, external, multipath, best (Older Path)
      Community: 65000:99 65000:100
      Large Community: 65000:1:2
      Last update: Sat Nov 21 17:14:35 2026
  65000
    2001:db8::14 from 2001:db8::14 (192.0.2.14)
      Origin incomplete, metric 0, localpref 50, valid, external
"""
NEIGHBOR = """BGP neighbor is 192.0.2.77, remote AS 65000, local AS 64512, external link
  BGP state = Active
  Connections established 1; dropped 1
  Last reset 00:00:28,  Notification sent (OPEN Message Error/Bad Peer AS)
  External BGP neighbor may be up to 1 hops away.
"""


def test_peers() -> None:
    dynamic, never, tripped, unpolitical = view.peers_of(SUMMARY, IPV4)
    assert (dynamic.neighbor, dynamic.dynamic, dynamic.state) == ("192.0.2.12", True, ESTABLISHED)
    assert (dynamic.remote_asn, dynamic.received, dynamic.sent, dynamic.uptime_s) == (65000, 3, 2, 16)
    assert (never.state, never.remote_asn, never.uptime_s, never.sent) == ("Active", 4200000001, 0, 0)
    assert (tripped.state, tripped.sent) == ("Idle (PfxCt)", 0)
    assert (unpolitical.state, unpolitical.received) == (ESTABLISHED, 0)


def test_an_address_with_a_line_of_its_own() -> None:
    (peer,) = view.peers_of(OLD_SUMMARY, IPV6)
    assert (peer.neighbor, peer.received, peer.uptime_s) == ("2001:db8:1234:5678::12", 5, 60)


@pytest.mark.parametrize(
    ("text", "found"), [("00:01:54", 114), ("1d02h03m", 93780), ("02w3d04h", 1483200), ("never", 0)]
)
def test_ages(text: str, found: int) -> None:
    assert view.seconds(text) == found


def test_tables() -> None:
    six = {route.prefix: route.next_hops for route in view.table_of(TABLE6, IPV6)}
    assert six == {
        "2001:db8:20:1234:5678:9abc:def0:1/128": ("fe80::54f0:7aff:fe5a:b9a7",),
        "2001:db8:42::/64": ("fe80::cc26:7aff:fe10:cab7", "fe80::54f0:7aff:fe5a:b9a7"),
    }
    four = {route.prefix: route.next_hops for route in view.table_of(TABLE4, IPV4)}
    assert four == {
        "10.42.1.0/24": ("192.0.2.12",), "192.0.2.7/32": ("192.0.2.13", "192.0.2.12"),
        "198.51.100.100/32": ("192.0.2.12",),
    }
    assert view.table_of("% BGP instance not found\n", IPV4) == ()


def test_a_prefix_has_its_page() -> None:
    route = view.route_of(PAGE, "2001:db8:42::/64")
    assert route is not None
    assert route.next_hops == ("2001:db8::13", "2001:db8::12")
    assert route.communities == ("65000:99", "65000:100", "65000:1:2")
    assert route.local_preference == 99
    assert view.route_of("% Network not in table\n", "2001:db8::/64") is None


def test_why_a_session_ended() -> None:
    assert view.reset_of(NEIGHBOR) == ("Notification sent (OPEN Message Error/Bad Peer AS)", 28)
    assert view.reset_of("  Last reset never,  Waiting") == ("", -1)
    assert view.reset_of("") == ("", -1)


class Words:
    """A router that knows some commands."""

    host = "vyos1"
    with_confirm = False

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def show(self, *words: str) -> str:
        asked = " ".join(words)
        if asked not in self.known:
            raise Refused("show", seen=f"Invalid command: {asked}")
        return self.known[asked]


def test_the_whole_view() -> None:
    device = Words({
        "bgp ipv4 summary": SUMMARY, "bgp ipv4": "", "bgp ipv4 neighbors 192.0.2.77": NEIGHBOR,
        "bgp ipv4 neighbors 203.0.113.5": "", "ipv6 bgp summary": OLD_SUMMARY, "ipv6 bgp": TABLE6,
        "ipv6 bgp 2001:db8:42::/64": PAGE, "ipv6 bgp 2001:db8:20:1234:5678:9abc:def0:1/128": "% Network not in table",
    })
    seen = view.VyosReader(device).run_view()  # type: ignore[arg-type]
    peer = seen.peer("192.0.2.77", IPV4)
    assert peer is not None
    assert (peer.reason, peer.reason_age_s) == ("Notification sent (OPEN Message Error/Bad Peer AS)", 28)
    assert {route.prefix: route.next_hops[0] for route in seen.routes} == {
        "2001:db8:42::/64": "2001:db8::13", "2001:db8:20:1234:5678:9abc:def0:1/128": "fe80::54f0:7aff:fe5a:b9a7",
    }
