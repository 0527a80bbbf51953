"""Whether kube-proxy runs, and who answered, from what a host says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_rules_case import SAVED

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_host as judge
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_host import Log, Look


def socket(port: int, unit: str = "k3s", comm: str = "k3s", protocol: str = "tcp", pid: int = 7) -> dict[str, Any]:
    return {"protocol": protocol, "port": port, "address": "127.0.0.1", "pid": pid, "comm": comm, "unit": unit}


def unit(up: float = 100.0, state: str = "active") -> dict[str, str]:
    return {"ActiveState": state, "ActiveEnterTimestampMonotonic": str(int(up * 1e6))}


@pytest.mark.parametrize("sockets", [
    [], [socket(10250)], [socket(10256, "pod", "cilium-agent")], [socket(10256, protocol="udp")],
])  # fmt: skip
def test_gone(sockets: list[dict[str, Any]]) -> None:
    seen = judge.look(unit(), 200.0, sockets, [], Log())
    assert seen.gone and not seen.kube_proxy and not seen.elsewhere and seen.told == "gone"


@pytest.mark.parametrize("sockets", [[socket(10256)], [socket(10249, "k3s-agent")], [socket(10250), socket(10256)]])
def test_there_by_its_ports(sockets: list[dict[str, Any]]) -> None:
    seen = judge.look(unit(), 200.0, sockets, [], Log())
    assert seen.kube_proxy and seen.decided and not seen.gone and str(sockets[-1]["port"]) in seen.told


def test_there_by_its_log_alone() -> None:
    """Its ports may be closed, as at its start."""
    seen = judge.look(unit(), 200.0, [], [], Log(running=True))
    assert seen.kube_proxy and not seen.gone and "log" in seen.told
    assert not judge.look(unit(state="inactive"), 200.0, [], [], Log(running=True)).kube_proxy, "its run is over"


@pytest.mark.parametrize(("up", "waited", "decided"), [
    (100, 0, True), (194, 0, False), (100, 194, False), (100, 150, True), (193, 192, True),
])  # fmt: skip
def test_silence_counts_after_a_while(up: float, waited: float, decided: bool) -> None:
    seen = judge.look(unit(up), 200.0, [], [], Log(waited=waited))
    assert (seen.decided, seen.gone) == (decided, decided) and not seen.kube_proxy


@pytest.mark.parametrize("state", ["inactive", "failed", "activating", ""])
def test_a_k3s_that_is_down_says_nothing(state: str) -> None:
    seen = judge.look(unit(state=state), 200.0, [], [], Log())
    assert not seen.decided and not seen.gone and (state or "not there") in seen.told


@pytest.mark.parametrize(("sockets", "processes", "where"), [
    ([], [{"pid": 9, "comm": "kube-proxy", "unit": "kube-proxy"}], "kube-proxy"),
    ([], [{"pid": 9, "comm": "kube-proxy", "unit": "pod"}], "pod"),
    ([], [{"pid": 9, "comm": "kube-proxy", "unit": ""}], "process 9"),
    ([], [{"pid": 9, "comm": "kubelet", "unit": "kubelet"}, {"pid": 8, "comm": "kube-proxy", "unit": "k3s"}], ""),
    ([socket(10256, "snap.kubelite", "kubelite")], [], "snap.kubelite"), ([socket(10249, "", "proxy")], [], "proxy"),
    ([socket(10256, "", "", pid=0)], [], ""), ([socket(80, "web")], [], ""),
])  # fmt: skip
def test_somebody_elses(sockets: list[dict[str, Any]], processes: list[dict[str, Any]], where: str) -> None:
    assert judge.look(unit(), 200.0, sockets, processes, Log()).elsewhere == where


def test_ports_of_its_own() -> None:
    text = """
kube-proxy-arg:
  - "healthz-bind-address=0.0.0.0:10300"
  - metrics-bind-address=[::1]:10301
  - 'metrics-bind-address=127.0.0.1'
kubelet-arg: ["healthz-bind-address=10.0.0.1", healthz-bind-address=fd00::10]
"""
    assert judge.bound([text]) == {10300, 10301}
    assert judge.look(unit(), 200.0, [socket(10300)], [], Log(), [text]).kube_proxy


def test_the_log() -> None:
    lines = [
        '[  150.250000] server1 k3s[7]: level=info msg="Waiting to retrieve kube-proxy configuration; server is …"',
        '[  155.5] server1 k3s[7]: level=info msg="Waiting to retrieve kube-proxy configuration; server is not …"',
        'server1 k3s[7]: level=info msg="Waiting to retrieve kube-proxy configuration"',
    ]
    assert judge.log_of(lines) == Log(waited=155.5)
    assert judge.log_of([*lines, '[160.0] a k3s: msg="Running kube-proxy --cluster-cidr=10.42.0.0/16"']).running
    assert judge.log_of([]) == Log()


@given(st.lists(st.text()))
def test_any_log(lines: list[str]) -> None:
    assert judge.log_of(lines).waited >= 0
    assert isinstance(judge.bound(lines), frozenset)


# -- rules

CANARY = ":KUBE-PROXY-CANARY - [0:0]\n"
WHOLE = f"*mangle\n{CANARY}COMMIT\n*filter\n{CANARY}COMMIT\n*nat\n:KUBE-SERVICES - [0:0]\n{CANARY}" \
    "[1:60] -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT\n"


def test_all_of_its_rules() -> None:
    assert judge.missing({4: [WHOLE], 6: [""]}) == []
    assert judge.missing({4: ["*nat\nCOMMIT\n", WHOLE], 6: [WHOLE]}, (4, 6)) == [], "the other backend has it"


def test_what_it_lacks() -> None:
    assert "rules in KUBE-SERVICES (IPv6)" in judge.missing({4: [WHOLE], 6: [SAVED.partition("*nat")[0]]}, (4, 6))
    assert judge.missing({4: [WHOLE]}, (4, 6)) == ["iptables (IPv6)"]
    assert judge.missing({}) and judge.missing({4: []}) == ["iptables"]
    bare = WHOLE.replace("[1:60] -A KUBE-SERVICES", "-A OTHER").replace(f"*mangle\n{CANARY}", "*mangle\n")
    assert judge.missing({4: [bare]}) == ["chain KUBE-PROXY-CANARY in mangle", "rules in KUBE-SERVICES"]


@pytest.mark.parametrize(("value", "synced"), [("1.7e+09", True), ("0", False), ("nothing", False)])
def test_its_first_writing(value: str, synced: bool) -> None:
    name = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
    page = f'# HELP {name} text\nprocess_start_time_seconds 9\n{name}{{ip_family="IPv4"}} {value}\n'
    assert judge.synced(page) is synced
    assert judge.synced(f"{name} {value}\n") is synced, "without families before Kubernetes 1.33"
    assert not judge.synced("")


# -- who answered

RULE = "-p tcp -m comment --comment \"web/it:http\" -m tcp --dport {port} -j KUBE-EXT-AAAA"


def counted(packets: int, port: int = 30080, chain: str = "KUBE-NODEPORTS") -> str:
    return f"*nat\n:{chain} - [0:0]\n[{packets}:{packets * 60}] -A {chain} {RULE.format(port=port)}\nCOMMIT\n"


def test_packets_of_a_port() -> None:
    text = counted(3) + counted(5, 3008) + counted(7, 30081) + counted(9, chain="KUBE-SERVICES")
    assert judge.counts(text, 30080) == {RULE.format(port=30080): 3}
    assert sum(judge.counts(counted(3) + counted(4), 30080).values()) == 7
    assert judge.counts("-A KUBE-NODEPORTS --dport 30080\n", 30080) == {}, "without counters"


@pytest.mark.parametrize(("before", "after", "by"), [
    ({}, {}, "cilium"), ({"a": 1}, {"a": 1}, "cilium"), ({"a": 1}, {"a": 2}, "kube-proxy"),
    ({}, {"a": 1}, "kube-proxy"), ({}, {"a": 0}, "cilium"), ({"a": 5}, {"a": 1}, ""), ({"a": 5}, {}, ""),
    ({"a": 0, "b": 4}, {"a": 1, "b": 0}, "kube-proxy"),
])  # fmt: skip
def test_who_answered(before: dict[str, int], after: dict[str, int], by: str) -> None:
    assert judge.answered_by(before, after) == by


@given(st.dictionaries(st.integers(1, 65535), st.integers(0, 10**12), max_size=5), st.integers(1, 65535))
def test_any_counters(ports: dict[int, int], more: int) -> None:
    """Read back as they were printed; one packet more is kube-proxy's, none is not."""
    text = "".join(counted(packets, port) for port, packets in ports.items())
    for port, packets in ports.items():
        before = judge.counts(text, port)
        assert list(before.values()) == [packets]
        after = judge.counts(text.replace(f"[{packets}:{packets * 60}]", f"[{packets + more}:0]"), port)
        assert judge.answered_by(before, after) == "kube-proxy"
        assert judge.answered_by(before, before) == "cilium"


@given(st.text(), st.integers(0, 70000))
def test_any_text_has_no_packets(text: str, port: int) -> None:
    assert all(packets >= 0 for packets in judge.counts(text, port).values())
    assert all(isinstance(what, str) for what in judge.missing({4: [text]}))


def test_what_people_read_of_an_answer() -> None:
    assert judge.describe_answer({"192.0.2.1": 0, "2001:db8::1": 200}, "cilium") == "not answered at 192.0.2.1"
    assert judge.describe_answer({"192.0.2.1": 503}, "") == "answered with 503 at 192.0.2.1"
    assert judge.describe_answer({"192.0.2.1": 200}, "kube-proxy") == "answered by kube-proxy"
    assert judge.describe_answer({"192.0.2.1": 200}, "") == "answered by somebody, not sure by whom"


def test_what_is_told_of_a_short_silence() -> None:
    assert Look(quiet=3.4).told == "not to be seen for 3 s only"
    assert Look(elsewhere="kube-proxy").told == "run by kube-proxy"
