from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_status
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Output
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import Unreachable


def path(well: bool = True) -> dict[str, Any]:
    probe = {"latency": 100} if well else {"status": "connection timed out"}
    return {"icmp": {"latency": 90}, "http": probe, "ip": "10.0.0.1"}


def told(name: str, host: bool = True, endpoint: bool | None = True) -> dict[str, Any]:
    node: dict[str, Any] = {"name": name, "host": {"primary-address": path(host)}}
    if endpoint is not None:
        node["health-endpoint"] = {"primary-address": path(endpoint)}
    return node


def status(mode: str = "False", state: str = "Ok", failing: int = 0) -> dict[str, Any]:
    controllers = [
        {"name": f"c{at}", "status": {"consecutive-failure-count": 1 if at < failing else 0, "last-failure-msg": "no"}}
        for at in range(3)
    ]
    return {
        "cilium": {"state": state, "msg": "1.20.2"},
        "kube-proxy-replacement": {"mode": mode},
        "controllers": controllers,
    }


def output(*documents: Any) -> str:
    return "\n".join(json.dumps(document) for document in documents) + "\n"


def test_all_is_well() -> None:
    found = cilium_status.parse_status(output(status("True"), {"nodes": [told("a"), told("b", endpoint=None)]}))
    assert (found.state, found.replacement, found.controllers, found.failing) == ("Ok", "True", 3, ())
    assert (found.reachable, found.known_nodes, found.unreachable) == (2, 2, ())


def test_a_node_that_is_not_reached() -> None:
    nodes = [told("c", host=False), told("a"), told("b", endpoint=False), {"name": "d"}]
    found = cilium_status.parse_status(output(status(), {"nodes": nodes}))
    assert (found.reachable, found.unreachable) == (1, ("b", "c", "d"))


def test_a_probe_to_come_is_no_success() -> None:
    node = {"name": "a", "host": {"primary-address": {"icmp": {"latency": 1}}}}
    assert cilium_status.parse_status(output(status(), {"nodes": [node]})).unreachable == ("a",)


def test_health_checking_off() -> None:
    found = cilium_status.parse_status(output(status()))
    assert found.reachable is None and found.unreachable == ()


def test_the_first_round_is_still_to_come() -> None:
    found = cilium_status.parse_status(output(status(), {"local": {"name": "a"}, "nodes": None}))
    assert (found.reachable, found.known_nodes) == (0, 0)


def test_controllers_that_fail() -> None:
    assert cilium_status.parse_status(output(status(failing=2))).failing == ("c0: no", "c1: no")


@pytest.mark.parametrize("text", ["", "Error: cannot connect to the agent", "[]", "{}"])
def test_no_status(text: str) -> None:
    with pytest.raises(Unreachable):
        cilium_status.parse_status(text)


def test_a_status_that_lacks_everything_else() -> None:
    found = cilium_status.parse_status('{"cilium": {"state": "Failure"}}')
    assert (found.state, found.replacement, found.controllers) == ("Failure", "", 0)


def node(name: str, ready: bool = True, tainted: bool = False) -> dict[str, Any]:
    taints = [{"key": cilium_status.TAINT, "effect": "NoSchedule"}] if tainted else None
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": name}, "spec": {"taints": taints}, "status": {"conditions": conditions}}


def pod(on: str, ready: bool = True, **extra: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"cilium-{on}", "uid": f"uid-{on}"},
        "spec": {"nodeName": on},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}], **extra},
    }


class Cluster:
    def __init__(self, nodes: list[Any], pods: list[Any], answer: Any) -> None:
        self._nodes, self._pods, self._answer = nodes, pods, answer

    def nodes(self) -> list[Any]:
        return self._nodes

    def list(self, _kind: str, _namespace: str, labels: str, fields: str) -> list[Any]:
        assert labels == cilium_status.AGENTS and not fields
        return self._pods

    def exec(self, _namespace: str, name: str, command: Any, container: str, _timeout: float) -> Output:
        assert container == "cilium-agent" and command == cilium_status.COMMAND
        if isinstance(self._answer, Exception):
            raise self._answer
        return Output(0, self._answer, "")


def agents(nodes: list[Any], pods: list[Any], answer: Any = None) -> tuple[cilium_status.Agent, ...]:
    kube: Any = Cluster(nodes, pods, output(status()) if answer is None else answer)
    return cilium_status.agents(kube)


def test_one_entry_for_each_node_by_name() -> None:
    found = agents([node("b"), node("a", tainted=True)], [pod("a"), pod("b")])
    assert [(agent.node, agent.uid, agent.tainted) for agent in found] == [("a", "uid-a", True), ("b", "uid-b", False)]


def test_a_node_without_a_pod_and_a_pod_that_is_late() -> None:
    waiting = {"name": "config", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    late = pod("b", ready=False, initContainerStatuses=[waiting])
    found = agents([node("a"), node("b")], [late])
    assert [agent.error for agent in found] == ["no pod", "config: ImagePullBackOff no such image"]


def test_a_pod_that_goes_is_not_the_agent() -> None:
    old = pod("a")
    old["metadata"]["deletionTimestamp"] = "now"
    assert agents([node("a")], [old])[0].error == "no pod"


def test_an_agent_that_does_not_answer() -> None:
    found = agents([node("a")], [pod("a")], Unreachable("the command", seen="not answered"))
    assert found[0].says is None and "not answered" in found[0].error


def test_table() -> None:
    found = agents([node("a"), node("b")], [pod("a")], output(status("True"), {"nodes": [told("a"), told("b")]}))
    rows = cilium_status.table(found)
    assert rows[0].split()[:2] == ["node", "ready"]
    assert rows[1].split() == ["a", "yes", "Ok", "True", "2/2", "3/3", "cilium-a"]
    assert "no pod" in rows[2]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"status": {"phase": "Pending"}}, "Pending, not ready yet"),
        (
            {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no free port"}]}},
            "not scheduled: no free port",
        ),
        (
            {
                "status": {
                    "containerStatuses": [{"name": "a", "restartCount": 2, "state": {"waiting": {"reason": "Crash"}}}]
                }
            },
            "a: Crash (restarted 2 times)",
        ),
    ],
)
def test_why_a_pod_is_late(found: dict[str, Any], text: str) -> None:
    assert cilium_status.waiting_for(found) == text
