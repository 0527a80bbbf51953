"""What becomes of a run when a router, or the API in front of it, fails: a clear word, and everything as it was."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from meshlab import routers
from meshlab.ends import Ends, faults, lose

testinfra_hosts = ["local://"]
# A change that no session notices.
CHANGE: dict[str, object] = {"bgp_router_max_prefixes": 321, "bgp_router_accept": ["198.51.100.0/24"]}
UNIFI_FAULTS: list[tuple[dict[str, object], str]] = [
    ({"kind": "unauthorized"}, "see that the API key is right"),
    ({"kind": "unsupported"}, "needs UniFi OS 4.1.13"),
    ({"kind": "status", "status": 500, "methods": ["POST"]}, "500"),
    ({"kind": "page", "status": 502}, "502 Bad Gateway"),
    ({"kind": "lose", "methods": ["POST"]}, "BGP"),
]
VYOS_FAULTS: list[tuple[dict[str, object], str]] = [
    ({"down": 502}, "not up behind its web server"),
    ({"error_500": True}, "500"),
    ({"refuse_commit": "the peers are on strike"}, "the peers are on strike"),
    ({"fail_component": "bgp"}, "a part had landed and was taken back"),
]


@pytest.mark.parametrize(("fault", "says"), UNIFI_FAULTS, ids=[str(fault["kind"]) for fault, _ in UNIFI_FAULTS])
def test_the_unifi_application_fails(ends: Ends, fault: dict[str, object], says: str) -> None:
    with faults(ends.lab.hosts["udm"], [fault]):
        run = ends.router("udm", CHANGE).refused()
    assert says in run.output, run.tail()
    assert "udm" in run.recap and run.recap["udm"].failed == 1


def test_a_busy_unifi_application_is_waited_for(ends: Ends) -> None:
    with faults(ends.lab.hosts["udm"], [{"kind": "too_many", "times": 1}]):
        run = ends.router("udm").succeeded()
    assert run.changed == {"udm": 0}
    assert "had too many requests; waited 15 s" in run.output


@pytest.mark.parametrize(("fault", "says"), VYOS_FAULTS, ids=[next(iter(fault)) for fault, _ in VYOS_FAULTS])
def test_the_vyos_api_fails(ends: Ends, fault: dict[str, object], says: str) -> None:
    with faults(ends.lab.hosts["vyos1"], fault):
        run = ends.router("vyos1", CHANGE).refused()
    assert says in run.output, run.tail()
    assert run.recap["vyos1"].failed == 1


def test_a_router_is_lost_during_the_run(ends: Ends) -> None:
    """The routers before it are done; it is named; the next run, after it is back, has nothing to do."""
    lost = ends.lab.hosts["frr1"]
    try:
        run = ends.play(at={r"PLAY \[Bring in the routers' end": lambda: lose(lost)}).refused()
        assert run.recap["frr1"].unreachable + run.recap["frr1"].failed == 1
        assert run.recap["udm"].failed == run.recap["vyos1"].failed == 0
        ends.established(without=["frr1"])
    finally:
        lost.start()
    print(f"a router lost: the run took {run.seconds:.0f} s; its sessions were back {ends.established():.0f} s later")
    assert set(ends.play().succeeded().changed.values()) == {0}


class Listener(http.server.ThreadingHTTPServer):
    """Somebody else at the router's address: takes every request and remembers it."""

    daemon_threads = True

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), Recording)
        self.heard: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class Recording(http.server.BaseHTTPRequestHandler):
    server: Listener

    def _take(self) -> None:
        self.server.heard.append(f"{self.requestline} {self.headers}")
        self.send_error(404)

    do_GET = do_POST = do_DELETE = _take


@pytest.fixture
def listener(ends: Ends, tmp_path: Path) -> Iterator[Listener]:
    certificate = routers.certificate(tmp_path, ends.lab.hosts["udm"])
    with Listener(certificate, tmp_path / "tls.key") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("name", "kind"), [("udm", "unifi"), ("vyos1", "vyos")])
def test_another_certificate(ends: Ends, listener: Listener, name: str, kind: str) -> None:
    url = f"https://127.0.0.1:{listener.server_address[1]}"
    run = ends.router(name, {f"bgp_{kind}_url": url, **CHANGE}).refused()
    assert "nothing was sent to it" in run.output
    assert "read its fingerprint on the device" in run.output
    assert listener.heard == []


def test_two_with_one_router_id(ends: Ends) -> None:
    run = ends.play("--extra-vars", "bgp_router_id=198.51.100.7").refused()
    assert "bgp_router_id" in run.output and "198.51.100.7, which udm has too" in run.output
    assert sum(run.changed.values()) == 0
