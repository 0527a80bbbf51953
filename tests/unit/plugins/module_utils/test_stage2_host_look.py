"""What is asked of a host, waited for, and tidied there; the host is a table of answers that changes with time."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from kube_rules_case import SAVED
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_iptables as iptables
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_host_look as looking
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_iptables import Backend, Swept
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut

NFT = Backend(4, "nft", "save", "restore")
CANARY = ":KUBE-PROXY-CANARY - [0:0]\n"
PORT = 30080


def whole(packets: int = 0) -> str:
    return (
        f"*mangle\n{CANARY}COMMIT\n*filter\n{CANARY}COMMIT\n*nat\n{CANARY}[0:0] -A KUBE-SERVICES -j KUBE-NODEPORTS\n"
        f"[{packets}:0] -A KUBE-NODEPORTS -p tcp -m tcp --dport {PORT} -j KUBE-EXT-AAAA\nCOMMIT\n"
    )


def served(port: int, unit: str = "k3s") -> dict[str, Any]:
    return {"protocol": "tcp", "port": port, "address": "127.0.0.1", "pid": 7, "comm": "k3s", "unit": unit}


@dataclass
class Fake(looking.Host):
    """`at` changes what there is from a time on; time is that of the clock that only waiting moves."""

    role: str = "agent"
    clock: Turned = field(default_factory=Turned)
    at: dict[float, Callable[[Fake], None]] = field(default_factory=dict)
    state: str = "active"
    up: float = -100.0
    held: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    saved: Callable[[], str] = lambda: ""
    pages: Callable[[str, int], tuple[int, str]] = lambda address, port: (0, "refused")
    listed: list[Any] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    done: list[Any] = field(default_factory=list)

    def unit(self) -> dict[str, str]:
        for when in [when for when in self.at if when <= self.clock.now()]:
            self.at.pop(when)(self)
        since = str(int((self.up + 1000) * 1e6))
        return {"ActiveState": self.state, "InvocationID": "abcd", "ActiveEnterTimestampMonotonic": since}

    def now(self) -> float:
        return self.clock.now() + 1000

    def files(self) -> looking.Files:
        return self.config

    def started(self) -> looking.Files | None:
        return self.config or None

    def sockets(self) -> list[dict[str, Any]]:
        return self.held

    def processes(self) -> list[dict[str, Any]]:
        return []

    def log(self, invocation: str) -> list[str]:
        self.done.append(("log", invocation))
        return self.lines

    def rules(self) -> list[tuple[Backend, str]]:
        return [(NFT, self.saved())]

    def sweep(self, router: bool) -> Swept:
        self.done.append(("sweep", router))
        return Swept({"nft IPv4": 12}, {}, {}, ("KUBE-SRC-AAAA",))

    def destroy(self, ipset: str) -> None:
        self.done.append(("destroy", ipset))

    def flows(self, services: looking.Services) -> list[Any]:
        self.done.append(services)
        return self.listed

    def forget(self, flows: Sequence[Any]) -> int:
        self.done.append(("forget", len(flows)))
        return 1

    def addresses(self) -> list[str]:
        return ["192.0.2.1"]

    def get(self, address: str, port: int, path: str) -> tuple[int, str]:
        return self.pages(address, port)


def wanted(state: str, **more: Any) -> dict[str, Any]:
    return {
        "state": state, "service_cidrs": ["10.43.0.0/16"], "service_addresses": [], "udp_node_ports": [],
        "health_ports": [], "network_policy": True, "addresses": ["192.0.2.1"], "node_port": PORT, "path": "/",
        "wanted_by": None, "timeout": 30, **more,
    }  # fmt: skip


def act(host: Fake, state: str, check: bool = False, **more: Any) -> dict[str, Any]:
    return looking.act(host, wanted(state, **more), check)


# -- kube-proxy comes and goes


def test_gone_once_there_was_time() -> None:
    host = Fake(up=0)
    seen = looking.wait_proxyless(host, 30, host.clock)
    assert seen.gone and host.clock.now() == 7


def test_an_agent_that_waits_for_its_server() -> None:
    line = '[ 1005.0] a k3s: msg="Waiting to retrieve kube-proxy configuration; server is not ready"'
    host = Fake(up=0, at={5: lambda fake: fake.lines.append(line)})
    assert looking.wait_proxyless(host, 30, host.clock).gone and host.clock.now() == 12


def test_an_agent_that_asked_a_server_from_before() -> None:
    host = Fake(up=0, at={6: lambda fake: fake.held.append(served(10256, "k3s-agent"))})
    with pytest.raises(TimedOut, match=r"kube-proxy is serving port 10256 in k3s, wanted gone within 30 s: .*restart"):
        looking.wait_proxyless(host, 30, host.clock)


def test_another_kube_proxy_is_not_gone() -> None:
    host = Fake(held=[served(10256, "kube-proxy")])
    with pytest.raises(TimedOut, match="is run by kube-proxy"):
        looking.wait_proxyless(host, 3, host.clock)


def test_an_old_log_is_not_searched() -> None:
    looking.look(old := Fake(up=-3601))
    looking.look(down := Fake(up=-3601, state="activating"))
    looking.look(young := Fake(up=-3599))
    assert (old.done, down.done, young.done) == ([], [("log", "abcd")], [("log", "abcd")])


def page(stamp: str) -> Callable[[str, int], tuple[int, str]]:
    text = f"kubeproxy_sync_proxy_rules_last_timestamp_seconds {stamp}\n"
    return lambda address, port: (200, text) if (address, port) == ("127.0.0.1", 10249) else (0, "")


def test_there_with_rules_that_it_wrote_itself() -> None:
    """What a former one left may look the same."""
    def writes(fake: Fake) -> None:
        fake.pages = page("1.7e+09")

    ports = [served(10249), served(10256)]
    host = Fake(held=ports, saved=whole, pages=page("0"), at={4: writes})
    assert looking.wait_proxied(host, (4,), 30, host.clock).ports == (10249, 10256) and host.clock.now() == 4
    moved = Fake(held=[served(10256)], saved=whole)
    assert looking.wait_proxied(moved, (), 30, moved.clock).kube_proxy, "its metrics are elsewhere"


@pytest.mark.parametrize(("host", "families", "said"), [
    (Fake(), (), "without its ports,"),
    (Fake(state="failed"), (), r"its ports \(not to be judged while k3s is failed\)"),
    (Fake(held=[served(10256)]), (4,), r"rules in KUBE-SERVICES \(IPv4\)"),
    (Fake(held=[served(10256)], saved=whole), (4, 6), r"without iptables \(IPv6\)"),
    (Fake(held=[served(10256), served(10249)], saved=whole), (4,), "a first writing of its rules"),
])  # fmt: skip
def test_what_is_missing_is_named(host: Fake, families: tuple[int, ...], said: str) -> None:
    with pytest.raises(TimedOut, match=said):
        looking.wait_proxied(host, families, 2, host.clock)


def test_what_came_or_went_is_told_as_it_is_then() -> None:
    """The guards of other hosts' steps read it, without asking the host once more."""
    assert act(Fake(), "proxyless")["raw"]["kube_proxy"] is False
    there = Fake(held=[served(10249), served(10256)], saved=whole, pages=page("1.7e+09"))
    assert act(there, "proxied", service_cidrs=["10.43.0.0/16"])["raw"]["kube_proxy"] is True


def test_check_mode_waits_for_nothing() -> None:
    for state in ("proxyless", "proxied"):
        host = Fake(held=[served(10256)] if state == "proxyless" else [])
        assert act(host, state, check=True)["evidence"]["state"] == "active"
    assert act(Fake(), "answered", check=True) == {}


# -- what there is


def test_observed() -> None:
    host = Fake("server", held=[served(10256)], saved=lambda: SAVED, listed=[1, 2])
    host.config = {"config.yaml": "token: a\n"}
    host.pages = lambda address, port: (503, "") if port == 31000 else (0, "refused")
    answer = act(host, "observed", health_ports=[31000, 31001])
    assert answer["evidence"]["ports"] == [10256]
    assert answer["raw"] == {
        "kube_proxy": True, "kube_proxy_elsewhere": "", "kube_proxy_mode": "", "leftovers": 12, "flows": 2,
        "dead_ports": [31001], "active": True, "gone": False, "files": host.config, "started": host.config,
    }  # fmt: skip
    assert act(Fake(config=host.config), "observed")["raw"]["files"] == {}, "an agent's files say nothing of it"


@pytest.mark.parametrize(
    ("port", "page", "mode"),
    [(10249, (200, "ipvs"), "ipvs"), (10249, (404, "no such page"), ""), (10256, (200, "ipvs"), "")],
)
def test_the_mode_is_kube_proxys_own_word(port: int, page: tuple[int, str], mode: str) -> None:
    """Beside its metrics; what is served elsewhere is not asked."""
    host = Fake(held=[served(port)])
    host.pages = lambda _address, asked: page if asked == 10249 else (0, "refused")
    assert act(host, "observed")["raw"]["kube_proxy_mode"] == mode


def test_one_that_came_up_just_now_is_given_its_time() -> None:
    host = Fake(up=0, at={3: lambda fake: fake.held.append(served(10256))})
    assert looking.settled(host, host.clock).kube_proxy and host.clock.now() == 3
    quiet = Fake(up=0)
    assert looking.settled(quiet, quiet.clock).gone and quiet.clock.now() == 7
    for number in range(100):
        quiet.at[float(number)] = lambda fake: setattr(fake, "up", fake.clock.now())
    assert not looking.settled(quiet, quiet.clock).decided, "it does not wait for ever"


def test_networks_that_are_none() -> None:
    with pytest.raises(MeshwrightError, match="k3s_service_cidr"):
        act(Fake(), "observed", service_cidrs=["10.43.0.0/160"])
    assert not act(host := Fake(listed=[1]), "observed", service_cidrs=[])["raw"]["flows"] and len(host.done) == 1


# -- who answers


class Serving(Fake):
    """Answers from a time on; `counted` says how many packets its rules take at each look."""

    def __init__(self, counted: Sequence[int], answers: float = 0.0) -> None:
        super().__init__()
        packets = iter(counted)
        last = [0]

        def saved() -> str:
            last[0] = next(packets, last[0])
            return whole(last[0])

        self.saved = saved
        self.pages = lambda address, port: (200, "") if self.clock.now() >= answers and port == PORT else (0, "")


def answered(host: Fake, by: str = "", timeout: float = 10) -> looking.Answer:
    return looking.wait_answered(host, ["192.0.2.1", "2001:db8::1"], PORT, "/", by, timeout, host.clock)


def test_answered_by_kube_proxy() -> None:
    host = Serving([0, 2, 4])
    found = answered(host, "kube-proxy")
    assert (found.by, found.statuses) == ("kube-proxy", {"192.0.2.1": 200, "2001:db8::1": 200})
    assert host.clock.now() == 0


def test_answered_by_cilium_is_seen_twice() -> None:
    """Frozen rules of a former kube-proxy do not count on."""
    host = Serving([7])
    assert answered(host, "cilium").by == "cilium" and host.clock.now() == 0.5
    rewritten = Serving([2, 2, 4, 6])  # written anew in between, two packets since
    assert answered(rewritten).by == "kube-proxy"


def test_rules_that_are_written_anew() -> None:
    host = Serving([9, 2, 4])
    assert answered(host).by == "kube-proxy" and host.clock.now() == 0.5


def test_answered_late() -> None:
    host = Serving([0], answers=4)
    assert answered(host).good and host.clock.now() >= 4


@pytest.mark.parametrize(("host", "by", "said"), [
    (Serving(range(0, 200, 2)), "cilium", r"is answered by kube-proxy, wanted answered by cilium within 10 s: .*dbg"),
    (Serving([0]), "kube-proxy", "is answered by cilium, wanted answered by kube-proxy within 10 s: see k3s' log"),
    (Serving([0], answers=99), "", "is not answered at 192.0.2.1, 2001:db8::1, wanted answered within 10 s"),
])  # fmt: skip
def test_not_as_wanted(host: Fake, by: str, said: str) -> None:
    with pytest.raises(TimedOut, match=said):
        answered(host, by)


def test_an_answer_is_told() -> None:
    assert act(Serving([0, 2]), "answered") == {"answered": {"192.0.2.1": 200}, "by": "kube-proxy"}


# -- tidying


@pytest.mark.parametrize("check", [True, False])
def test_swept(check: bool) -> None:
    host = Fake(saved=lambda: SAVED)
    answer = act(host, "swept", check=check)
    assert answer["changed"] and answer["removed"] == 12 and answer["unknown"] == [] and answer["kept"] == []
    lines = answer["diff"]["before"].splitlines()
    assert len(lines) == 12 and "nft IPv4 nat KUBE-SERVICES" in lines and not any("KUBELET" in line for line in lines)
    done = [item for item in host.done if item[0] in ("sweep", "destroy")]
    assert done == ([] if check else [("sweep", True), ("destroy", "KUBE-SRC-AAAA")])


def test_nothing_to_sweep() -> None:
    host = Fake(saved=lambda: "*nat\n:KUBE-KUBELET-CANARY - [0:0]\n:KUBE-STRANGE - [0:0]\nCOMMIT\n")
    answer = act(host, "swept")
    assert (answer["changed"], answer["removed"], answer["unknown"]) == (False, 0, ["nft IPv4 nat KUBE-STRANGE"])
    assert host.done == []


@pytest.mark.parametrize("unit", ["k3s", "another"])
def test_not_under_one_that_runs(unit: str) -> None:
    host = Fake(saved=lambda: SAVED, held=[served(10256, unit)])
    with pytest.raises(MeshwrightError, match="wanted gone before its rules are removed"):
        act(host, "swept")
    assert ("sweep", True) not in host.done


def test_forgotten() -> None:
    host = Fake(listed=[1, 2, 3])
    assert act(host, "forgotten", check=True) == {"changed": True, "removed": 3} and len(host.done) == 1
    assert act(host, "forgotten", udp_node_ports=[30053], service_addresses=["198.51.100.7"])["removed"] == 3
    services = host.done[1]
    assert 30053 in services.node_ports and str(min(services.addresses)) == "198.51.100.7" and services.own
    assert host.done[-1] == ("forget", 3)
    assert act(Fake(), "forgotten") == {"changed": False, "removed": 0}


# -- the host itself


@pytest.fixture
def page_of_a_host() -> Iterator[int]:
    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b"no")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page(page_of_a_host: int) -> None:
    host = looking.Host("agent")
    assert host.get("127.0.0.1", page_of_a_host, "/healthz") == (503, "no")
    assert host.get("127.0.0.1", 1, "/")[0] == 0


def test_what_is_run_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*argv: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        ran.append(argv)
        if argv[0] == "journalctl" and "slow" in argv[1]:
            raise subprocess.TimeoutExpired(argv, timeout)
        return subprocess.CompletedProcess(argv, 0, "12000000\n" if "--value" in argv else "one\ntwo\n", "")

    monkeypatch.setattr(looking.client_host, "run", run)
    monkeypatch.setattr(iptables, "program", lambda name: f"/sbin/{name}")
    host = looking.Host("agent")
    assert host.unit()["ActiveEnterTimestampMonotonic"] == "12000000" and ran[0][2] == "k3s-agent"
    assert host.log("abcd") == ["one", "two"] and "_SYSTEMD_INVOCATION_ID=abcd" in ran[-1]
    assert host.log("slow") == []
    host.destroy("KUBE-SRC-AAAA")
    assert ran[-1] == ("/sbin/ipset", "destroy", "KUBE-SRC-AAAA")


def test_rules_come_with_their_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []

    def call(argv: Sequence[str], _text: str = "") -> subprocess.CompletedProcess[str]:
        asked.append(argv)
        return subprocess.CompletedProcess(argv, 0, "*nat\n", "")

    monkeypatch.setattr(iptables, "run", call)
    monkeypatch.setattr(iptables, "backends", lambda: (NFT,))
    assert looking.Host("agent").rules() == [(NFT, "*nat\n")] and asked == [("save", "-c")]
