from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_probes import (
    REMEDIES,
    Probe,
    Result,
    answers,
    failure,
    judge,
    matrix,
    probes,
    question,
    summary,
    tries,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import (
    Node,
    Pod,
    Service,
    node_of,
    objects,
    pod_of,
    service_of,
)

PODS = [Pod(f"reach-{at}", f"n{at}", (f"10.42.{at}.5",)) for at in range(4)]
NODES = [Node(f"n{at}", (f"192.168.0.{at}",)) for at in range(4)]
SERVICE = Service(("10.43.0.9",), 31000)


def count(found: list[Probe]) -> dict[str, int]:
    return {check: sum(probe.check == check for probe in found) for check in {probe.check for probe in found}}


def test_all_ways_of_four_nodes() -> None:
    found = probes(PODS, SERVICE, NODES, host_port=18099, egress=["http://10.0.0.1:8000/healthz"])
    assert count(found) == {
        "pod to pod": 12,
        "pod to pod by UDP": 12,
        "pod to ClusterIP": 4,
        "pod to NodePort": 16,
        "pod to hostPort": 12,
        "controller to NodePort": 4,
        "DNS": 4,
        "egress": 4,
    }
    assert set(count(found)) == set(REMEDIES)


def test_what_is_switched_off() -> None:
    found = count(probes(PODS, SERVICE, NODES, controller=False))
    assert not {"pod to hostPort", "controller to NodePort", "egress"} & found.keys()


def test_both_families_are_tried() -> None:
    pods = [Pod(f"p{at}", f"n{at}", (f"10.42.{at}.5", f"fd00:42:{at}::5")) for at in range(2)]
    nodes = [Node(f"n{at}", (f"192.168.0.{at}", f"fd00::{at}")) for at in range(2)]
    found = count(probes(pods, Service(("10.43.0.9", "fd00:43::9"), 31000), nodes, host_port=1))
    assert found["pod to pod"] == 4 and found["pod to ClusterIP"] == 4
    assert found["pod to NodePort"] == 8 and found["pod to hostPort"] == 4


@given(st.integers(1, 12))
def test_every_ordered_pair_once(size: int) -> None:
    pods = [Pod(f"p{at}", f"n{at}", (f"10.42.{at}.5",)) for at in range(size)]
    found = [probe for probe in probes(pods, SERVICE, []) if probe.check == "pod to pod"]
    pairs = {(probe.source, probe.target) for probe in found}
    assert len(found) == len(pairs) == size * (size - 1)
    assert all(source != target for source, target in pairs)


def test_a_pod_answers_for_itself_a_service_for_all() -> None:
    found = probes(PODS, SERVICE, NODES, host_port=18099)
    by_check = {probe.check: probe for probe in found}
    assert by_check["pod to pod"].wanted == ("reach-2",)
    assert by_check["pod to hostPort"].wanted == ("reach-2",) and by_check["pod to hostPort"].target == "n2"
    assert by_check["pod to ClusterIP"].spread and len(by_check["pod to ClusterIP"].wanted) == 4


def test_one_backend_cannot_spread() -> None:
    found = [probe for probe in probes(PODS[:1], SERVICE, NODES[:1]) if probe.check == "pod to ClusterIP"]
    assert tries(found[0]) == 0


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("http://10.0.0.1:8000/healthz?a=1", ("10.0.0.1", 8000, "http", "healthz?a=1")),
        ("http://example.org", ("example.org", 80, "tcp", "/")),
        ("https://example.org/x", ("example.org", 443, "tcp", "x")),
        ("tcp://[fd00::1]:22", ("fd00::1", 22, "tcp", "/")),
    ],
)
def test_egress(target: str, wanted: tuple[Any, ...]) -> None:
    found = next(probe for probe in probes(PODS[:1], SERVICE, [], egress=[target]) if probe.check == "egress")
    assert (found.host, found.port, found.protocol, found.request) == wanted


@pytest.mark.parametrize("target", ["example.org", "ftp://example.org/", "tcp://example.org"])
def test_egress_that_nobody_understands(target: str) -> None:
    with pytest.raises(MeshwrightError, match="validate_egress_targets"):
        probes(PODS, SERVICE, NODES, egress=[target])


SPREAD = Probe("pod to ClusterIP", "n0", "reach-0", "the service", "10.43.0.9", 80, wanted=("a", "b"), spread=True)
PLAIN = Probe("pod to pod", "n0", "reach-0", "n1", "10.42.1.5", 8080, wanted=("b",))


@pytest.mark.parametrize(
    ("probe", "responses", "error", "well", "seen"),
    [
        (PLAIN, ["b"], "", True, "b"),
        (PLAIN, [], "", False, "no answer"),
        (PLAIN, [], "dial tcp: timeout", False, "dial tcp: timeout"),
        (PLAIN, ["b"], "one of two failed", False, "one of two failed"),
        (PLAIN, ["c"], "", False, "an answer of 'c'"),
        (SPREAD, ["a"], "", True, "a"),
        (SPREAD, ["a", "b", "a"], "", True, "a, b"),
        (SPREAD, ["a"] * 20, "", False, "20 answers, all of a"),
        (Probe("egress", "n0", "p", "http://x/y", "x", 80), ["hello"], "", True, "hello"),
    ],
)
def test_judge(probe: Probe, responses: list[str], error: str, well: bool, seen: str) -> None:
    assert judge(probe, responses, error) == Result(probe, well, seen)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"responses": ["a\\n", "b"]}', (("a", "b"), "")),
        ('{"errors": ["timeout", "other"]}', ((), "timeout")),
        ('{"responses": ["a"], "errors": ["timeout"]}', (("a",), "timeout")),
        ("host and/or port param are invalid", ((), "host and/or port param are invalid")),
    ],
)
def test_answers(text: str, wanted: Any) -> None:
    assert answers(text) == wanted


def test_question() -> None:
    assert question(PLAIN, 3) == {
        "host": "10.42.1.5",
        "port": "8080",
        "request": "hostname",
        "protocol": "http",
        "tries": "3",
    }


GOOD, BAD = Result(PLAIN, True, "b"), Result(PLAIN, False, "timeout")


def test_what_people_read() -> None:
    assert summary([GOOD, BAD]) == ["pod to pod: 1 of 2", "  n0 → n1 (10.42.1.5 port 8080): timeout"]


def test_one_familys_success_does_not_cover_the_others_failure() -> None:
    for order in ([GOOD, BAD], [BAD, GOOD]):
        assert matrix(order) == {"pod to pod": {"n0": {"n1": "timeout"}}}


def test_failure_names_way_and_remedy() -> None:
    assert failure([GOOD]) is None
    found = failure([GOOD, *[BAD] * 9])
    assert found is not None
    for text in ("9 of 10 ways", "n0 → n1", "timeout", "and 1 more", REMEDIES["pod to pod"]):
        assert text in str(found)


def test_workload_keeps_to_the_strictest_profile_but_for_the_port() -> None:
    namespace, service, daemonset = objects("ns", "image", 18099)
    spec = daemonset["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] and container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["ports"][0]["hostPort"] == 18099
    assert service["metadata"]["namespace"] == namespace["metadata"]["name"] == "ns"
    labels = daemonset["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels == daemonset["spec"]["selector"]["matchLabels"]
    assert labels.items() <= namespace["metadata"]["labels"].items()


def test_workload_without_a_port_of_the_host() -> None:
    container = objects("ns", "image", 0)[2]["spec"]["template"]["spec"]["containers"][0]
    assert "hostPort" not in container["ports"][0]


def test_objects_as_the_api_returns_them() -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "status": {"podIPs": [{"ip": "10.42.0.5"}]}}
    assert pod_of(pod) == Pod("a", "n", ("10.42.0.5",))
    service = {"spec": {"clusterIPs": ["10.43.0.1"], "ports": [{"port": 80, "nodePort": 31234}]}}
    assert service_of(service) == Service(("10.43.0.1",), 31234)
    addresses = [{"type": "InternalIP", "address": "192.168.0.1"}, {"type": "Hostname", "address": "n"}]
    assert node_of({"metadata": {"name": "n"}, "status": {"addresses": addresses}}) == Node("n", ("192.168.0.1",))
