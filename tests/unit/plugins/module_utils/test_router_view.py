"""FRR 8.4's answers, and what they say about a session that does not come about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import router_view as rv
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_wait import goal_of

NODE = "10.117.66.12"
WANTED = rv.Wanted(NODE, "ipv4", 65000)


def peers(state: str, **detail: Any) -> tuple[rv.PeerSeen, ...]:
    peer = {"remoteAs": 65000, "state": state, "pfxRcd": 2, "pfxSnt": 0, "peerUptimeMsec": 9000}
    return rv.peers_of(json.dumps({"ipv4Unicast": {"peers": {NODE: peer}}}), json.dumps({NODE: detail}))


def route(**path: Any) -> str:
    path = {"bestpath": {"overall": True}, "nexthops": [{"ip": NODE, "afi": "ipv4"}], **path}
    return json.dumps({"routes": {"192.0.2.7/32": [{"prefix": "192.0.2.7/32", "version": 1}, path]}})


def test_a_session() -> None:
    (peer,) = peers("Established", connectionsDropped=0, lastResetDueTo="Waiting for peer OPEN")
    assert (peer.neighbor, peer.family, peer.remote_asn, peer.received, peer.uptime_s) == (NODE, "ipv4", 65000, 2, 9)
    assert rv.diagnose(WANTED, rv.View((peer,))) == "Established"


def test_no_instance_is_no_sessions() -> None:
    assert rv.peers_of("% BGP instance not found\n") == () == rv.peers_of("{}")
    assert rv.routes_of("", "ipv4") == ()


def test_a_route_with_its_communities() -> None:
    text = route(community={"string": "65000:7", "list": ["65000:7"]}, locPrf=200)
    (seen,) = rv.routes_of(text, "ipv4")
    assert seen == rv.RouteSeen("192.0.2.7/32", "ipv4", (NODE,), ("65000:7",), 200)


def test_the_form_without_detail() -> None:
    told = {"routes": {"192.0.2.7/32": [
        {"valid": True, "bestpath": True, "nexthops": [{"ip": "10.0.0.1"}]},
        {"valid": True, "multipath": True, "nexthops": [{"ip": "10.0.0.2"}]},
        {"valid": True, "nexthops": [{"ip": "10.0.0.3"}]},
    ]}}  # fmt: skip
    (seen,) = rv.routes_of(json.dumps(told), "ipv4")
    assert seen.next_hops == ("10.0.0.1", "10.0.0.2"), "the third one is not used"


def test_a_global_next_hop_stands_for_its_link_local_one() -> None:
    hops = [{"ip": "fd00:66::12", "scope": "global"}, {"ip": "fe80::1", "scope": "link-local", "used": True}]
    (seen,) = rv.routes_of(route(nexthops=hops), "ipv6")
    assert seen.next_hops == ("fd00:66::12",)


def test_counters_and_ports() -> None:
    netstat = "TcpExt: A TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure\nTcpExt: 9 1 2 3\nIpExt: A\nIpExt: 1\n"
    assert rv.md5_of(netstat) == rv.Md5(failure=3, missing=1, unexpected=2)
    tcp = "  sl  local_address rem_address   st\n   0: 00000000:00B3 00000000:0000 0A 0\n   1: 0:0016 0:0 01 0\n"
    assert rv.ports_of(tcp) == (179,)
    assert rv.paths_of(f"{NODE}|0|{NODE} dev eth0 FAILED\n203.0.113.9|2|\n") == {
        NODE: rv.NO_NEIGHBOR, "203.0.113.9": rv.NO_ROUTE,
    }  # fmt: skip


BAD_AS = {
    "lastErrorCodeSubcode": "0202", "lastNotificationReason": "OPEN Message Error/Bad Peer AS",
    "lastResetDueTo": "BGP Notification send", "lastResetTimerMsecs": 19000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (rv.View(peers("Idle", **BAD_AS)), "wrong ASN: it is not in AS 65000"),
        (rv.View(peers("Idle (PfxCt)")), "more prefixes than bgp_router_max_prefixes"),
        (rv.View(peers("Connect"), md5=rv.Md5(failure=30)), "wrong password: 30 segments"),
        (rv.View(peers("Connect"), md5=rv.Md5(missing=3)), "no password on the other side"),
        (rv.View(peers("Active"), md5=rv.Md5(unexpected=3)), "no password on the router"),
        (rv.View(peers("Active"), paths={NODE: rv.NO_ROUTE}), "no route from the router"),
        (rv.View(peers("Active"), paths={NODE: rv.NO_NEIGHBOR}), "does not answer on the router's link"),
        (rv.View(peers("Active"), ports=(22,)), "nothing listens on the router's port 179"),
        (rv.View(peers("Active"), ports=(22, 179)), "a firewall drops port 179"),
        (rv.View(()), "not known to the router: it has not connected"),
    ],
)
def test_reasons(seen: rv.View, told: str) -> None:
    assert told in rv.diagnose(WANTED, seen, rv.View(md5=rv.Md5()))


def test_an_old_notification_does_not_hide_a_wrong_password() -> None:
    """FRR keeps the last notification for ever."""
    now = rv.View(peers("Connect", **BAD_AS), md5=rv.Md5(failure=49))
    assert "wrong password" in rv.diagnose(WANTED, now, rv.View(md5=rv.Md5(failure=30)))


def test_counters_from_before_the_wait_say_nothing() -> None:
    same = rv.Md5(failure=30)
    assert "password" not in rv.diagnose(WANTED, rv.View(peers("Connect"), md5=same), rv.View(md5=same))


def test_a_goal() -> None:
    goal = goal_of({
        "established": [{"neighbor": NODE, "family": "ipv4"}], "gone_next_hops": ["10.0.0.3"],
        "present_next_hops": [NODE], "prefixes": ["192.0.2.7/32", "192.0.2.8/32"],
    })  # fmt: skip
    view = rv.View(peers("Connect"), rv.routes_of(route(), "ipv4"))
    assert goal.missing(view) == [
        f"session with {NODE} (ipv4) is Connect", f"no route to 192.0.2.8/32 by {NODE} is there",
    ]  # fmt: skip
    gone = goal_of({"gone_next_hops": [NODE]})
    assert gone.missing(view) == [f"routes by {NODE} are still there"] and gone.missing(rv.View()) == []


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("BGP OPEN receipt failed for peer: 192.0.2.11", "wrong ASN, or the router's own id"),
        ("%NOTIFICATION: sent to neighbor 192.0.2.11 2/2 (OPEN Message Error/Bad Peer AS) 2 bytes", "not in AS 65000"),
        ("%NOTIFICATION: received from neighbor 192.0.2.11 2/2 (OPEN Message Error/Bad Peer AS)", "expects another AS"),
        ("%NOTIFICATION: sent to neighbor 192.0.2.99 2/2 (OPEN Message Error/Bad Peer AS)", "no TCP connection"),
    ],
)
def test_what_only_the_log_remembers(log: str, told: str) -> None:
    """A connection that came in and was refused leaves no trace in FRR's own neighbour."""
    peer = rv.PeerSeen("192.0.2.11", "ipv4", "Connect", 65000)
    assert told in rv.diagnose(rv.Wanted("192.0.2.11", "ipv4"), rv.View((peer,), refusals=rv.refusals_of(log)))
