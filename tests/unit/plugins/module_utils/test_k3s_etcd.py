"""etcd's answers, read; the gate; which members may be removed."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_etcd import Answer, Etcd, read_active_peers
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

METRICS = """\
# HELP etcd_network_active_peers The current number of active peer connections.
# TYPE etcd_network_active_peers gauge
etcd_network_active_peers{Local="a1",Remote="b2"} 1
etcd_network_active_peers{Local="a1",Remote="c3"} 0
etcd_network_client_grpc_received_bytes_total 4.5e+06
"""


class Known(Etcd):
    """A member whose answers are given."""

    def __init__(self, gone_after: int = 0, **changes: Any) -> None:
        self.looks, self.gone_after, self.changes = 0, gone_after, changes

    def members(self) -> Answer:
        self.looks += 1
        listed = [(0xA1, "server1"), (0xB2, "server2"), (0xC3, "server3")]
        listed = listed[: 2 if self.gone_after and self.looks > self.gone_after else 3]
        raw = [
            {"ID": str(number), "name": f"{name}-1a2b", "peerURLs": [f"https://{name}:2380"]}
            for number, name in listed
        ]  # fmt: skip
        return {"header": {"cluster_id": str(0x1F)}, "members": raw}

    def status(self) -> Answer:
        return {"header": {"member_id": str(0xA1)}, "leader": str(self.changes.get("leader", 0xB2))}

    def active_peers(self) -> dict[int, bool] | None:
        return self.changes.get("peers", {0xB2: True, 0xC3: True})

    def healthy(self) -> bool | None:
        return self.changes.get("healthy", True)


def test_a_whole_cluster() -> None:
    state = k3s_etcd.observe(Known())
    told = state.as_dict()
    assert (told["cluster_id"], told["leader"], told["own"], told["quorum"]) == ("1f", "server2", "server1", 2)
    assert told["members"][2] == {
        "id": "c3", "name": "server3-1a2b", "node": "server3", "peer_urls": ["https://server3:2380"],
        "learner": False, "active": True,
    }  # fmt: skip
    assert k3s_etcd.problem(state, ["server1", "server2", "server3"]) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"leader": 0}, "without a leader"),
        ({"healthy": False}, "cannot commit"),
        ({"peers": {0xB2: True, 0xC3: False}}, "server3, which does not answer"),
        ({"peers": {0xB2: True}}, "server3, which does not answer"),
    ],
)
def test_what_the_gate_holds_back(changes: dict[str, Any], says: str) -> None:
    assert says in k3s_etcd.problem(k3s_etcd.observe(Known(**changes)))


def test_without_metrics_the_leader_counts() -> None:
    state = k3s_etcd.observe(Known(peers=None, healthy=None))
    assert state.source == "status" and k3s_etcd.problem(state) == ""
    assert "without a leader" in k3s_etcd.problem(k3s_etcd.observe(Known(peers=None, healthy=None, leader=0)))


def test_a_missing_voter_and_members_that_do_not_vote() -> None:
    state = k3s_etcd.observe(Known())
    assert "without server4" in k3s_etcd.problem(state, ["server4"])
    learner = replace(state, members=(*state.members[:2], replace(state.members[2], learner=True)))
    assert "server3, which does not vote yet" in k3s_etcd.problem(learner)
    unstarted = replace(state, members=(*state.members[:2], replace(state.members[2], name="")))
    assert "never started" in k3s_etcd.problem(unstarted)


def test_a_dead_member_may_go() -> None:
    state = k3s_etcd.observe(Known(peers={0xB2: True}))
    assert k3s_etcd.plan_removal(state, "server3") == (0xC3,)
    assert k3s_etcd.plan_removal(state, "server9") == ()


@pytest.mark.parametrize("node", ["server1", "server2"])
def test_a_living_member_stays(node: str) -> None:
    with pytest.raises(MeshwrightError, match="alive"):
        k3s_etcd.plan_removal(k3s_etcd.observe(Known()), node)


def test_nobody_goes_without_a_quorum_of_the_others() -> None:
    with pytest.raises(MeshwrightError, match="1 of 2 members alive"):
        k3s_etcd.plan_removal(k3s_etcd.observe(Known(peers={})), "server3")


def test_k3s_removes_the_member_itself_within_the_grace() -> None:
    etcd, clock = Known(gone_after=3, peers={0xB2: True}), Turned()
    assert k3s_etcd.await_removal(etcd, "server3", 30, clock) == (True, ())  # type: ignore[arg-type]
    assert clock.time == 3.0


def test_a_member_that_stays_is_named() -> None:
    etcd = Known(peers={0xB2: True})
    assert k3s_etcd.await_removal(etcd, "server3", 2, Turned()) == (True, (0xC3,))  # type: ignore[arg-type]


def test_metrics() -> None:
    assert read_active_peers(METRICS) == {0xB2: True, 0xC3: False}
    assert read_active_peers("") == {}


def test_a_server_without_etcd(tmp_path: Any) -> None:
    with pytest.raises(Unreachable, match="without readable certificates"):
        Etcd(str(tmp_path)).members()


class Told(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/health" else 200)
        self.end_headers()
        self.wfile.write(b'{"health":"false"}' if self.path == "/health" else METRICS.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=["127.0.0.1", "::1"])
def metrics_port(request: pytest.FixtureRequest) -> Iterator[int]:
    class Server(http.server.HTTPServer):
        address_family = socket.AF_INET6 if ":" in request.param else socket.AF_INET

    with Server((request.param, 0), Told) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_metrics_are_found_on_either_loopback_address(metrics_port: int) -> None:
    """k3s takes ::1 where IPv6 comes first."""
    etcd = Etcd(metrics=metrics_port)
    assert etcd.active_peers() == {0xB2: True, 0xC3: False}
    assert etcd.healthy() is False
