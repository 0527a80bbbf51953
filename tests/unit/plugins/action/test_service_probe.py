"""The action of the probes: who asks what from where, and that nothing is lost on the way to the controller."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.meshwright.k3s_cilium.plugins.action import service_probe
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import Offered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_run import There
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import Node

THERE = There(
    Offered(
        (("192.0.2.1", 80),), (("192.168.0.1", 31000),), (("10.43.0.9", 80),), (("10.43.0.10", 53),),
        {"server1": ("10.42.0.1", 8080), "agent1": ("10.42.1.1", 8080)}, (("10.43.0.1", 443),),
    ),
    (Node("agent1", ("192.168.0.2",)), Node("server1", ("192.168.0.1",))), {"server1": "uid-1", "agent1": "uid-2"},
)  # fmt: skip
WRITTEN = [
    {"event": "probe", "time": 1.0, "probe": "DNS from agent1 (pod) to x", "interval": 1.0},
    {"event": "sample", "time": 1.0, "probe": "DNS from agent1 (pod) to x", "seconds": 0.1},
    {"event": "probe_ended", "time": 2.0, "probe": "DNS from agent1 (pod) to x"},
]


class Hosts:
    """The action on one host of two, whose module remembers what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.log = tmp_path / "probes.jsonl"
        self.told: list[dict[str, Any]] = []
        self.unsettled: list[dict[str, str]] = []
        self.made: list[bool] = []
        self.text = "\n".join(json.dumps(line) for line in WRITTEN).encode()
        monkeypatch.setattr(service_probe.Kube, "from_kubeconfig", lambda _path: None)
        monkeypatch.setattr(service_probe, "bring_up", lambda _kube, _wish, make: self.made.append(make) or THERE)
        monkeypatch.setattr(service_probe, "take_down", lambda _kube, _namespace: True)

    def run(self, host: str, state: str, check: bool = False, address: str = "", **given: Any) -> dict[str, Any]:
        loader = DataLoader()
        task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
        task.args = {"kubeconfig": "/kubeconfig", "state": state, "log": str(self.log), **given}
        task.check_mode = check
        context = SimpleNamespace(no_log=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), _play_context=context)
        action = service_probe.ActionModule(task, connection, context, loader, Templar(loader), None)
        action._execute_module = self.module
        variables = {"inventory_hostname": host, "ansible_host": address, "ansible_play_hosts_all": ["agent1", "pi"]}
        variables["ansible_play_batch"] = ["agent1", "pi"]
        result: dict[str, Any] = action.run(task_vars=variables)
        return result

    def module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        assert module_name.endswith(".service_prober")
        assert module_args["name"] == f"services.{task_vars['inventory_hostname']}"
        self.told.append(module_args)
        if module_args["state"] == "started":
            return {"changed": True, "unsettled": self.unsettled}
        if module_args["state"] == "stopped":
            return {"changed": True, "logs": {"pod": len(self.text)}}
        if module_args["state"] == "read":
            piece = self.text[module_args["offset"] :][:20]
            packed = base64.b64encode(gzip.compress(piece)).decode()
            return {"changed": False, "data": packed, "offset": module_args["offset"] + len(piece)}
        return {"changed": True}


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hosts:
    return Hosts(monkeypatch, tmp_path)


def test_a_node_asks_from_its_pod_and_itself(hosts: Hosts) -> None:
    result = hosts.run("pi", "started", address="192.168.0.2", host_rate=2)
    assert result["changed"] and "ClusterIP from agent1 (pod) to 10.43.0.9:80" in result["probes"]
    (told,) = hosts.told
    assert [(part["name"], part["pod"]) for part in told["parts"]] == [("pod", "uid-2"), ("host", "")]
    assert {probe["rate"] for probe in told["parts"][1]["spec"]["probes"]} == {2.0, 0.5}, "flows less often"
    assert "asyncio" in told["program"]


def test_a_host_outside_asks_what_is_for_outside(hosts: Hosts) -> None:
    result = hosts.run("client", "started", flows="no")
    assert result["probes"] == ["LoadBalancer from client to 192.0.2.1:80", "NodePort from client to 192.168.0.1:31000"]
    assert hosts.run("client", "started", node="server1")["probes"][0].startswith("ClusterIP from server1")


def test_one_host_makes_the_workload(hosts: Hosts) -> None:
    for host in ("pi", "agent1"):
        hosts.run(host, "started")
    assert hosts.made == [False, True]


def test_what_does_not_work_from_the_beginning(hosts: Hosts) -> None:
    hosts.unsettled = [{"probe": "DNS from agent1 (pod) to x", "error": "timed out"}]
    result = hosts.run("agent1", "started")
    assert result["failed"] and "broken before anything was done (DNS from agent1" in result["msg"]
    assert [told["state"] for told in hosts.told] == ["started", "absent"]


def test_all_is_brought_in_pieces_and_then_removed(hosts: Hosts) -> None:
    assert hosts.run("agent1", "stopped")["changed"]
    reads = -(-len(hosts.text) // 20)
    assert [told["state"] for told in hosts.told] == ["stopped", *["read"] * reads, "absent"]
    result = hosts.run("agent1", "absent")
    assert (result["sent"], result["lost"], result["unheard"]) == (1, 0, ["pi"])
    assert hosts.log.read_bytes().strip() == hosts.text
    again = hosts.run("agent1", "absent")
    assert (again["sent"], again["unheard"]) == (1, []), "made again, it says the same"


def test_a_lost_request_is_no_task_that_failed(hosts: Hosts) -> None:
    lost = [{**line, "error": "timed out"} if line["event"] == "sample" else line for line in WRITTEN]
    hosts.text = "\n".join(map(json.dumps, lost)).encode()
    hosts.run("agent1", "stopped")
    result = hosts.run("agent1", "absent")
    assert result["lost"] == 1 and not result.get("failed")


def test_nothing_to_bring(hosts: Hosts) -> None:
    hosts.text = b""
    monkey = hosts.module

    def nothing(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        answer = monkey(module_name, module_args, task_vars)
        return {**answer, "logs": {}} if module_args["state"] == "stopped" else answer

    hosts.module = nothing  # type: ignore[method-assign]
    assert hosts.run("agent1", "stopped") == {"changed": False}


@pytest.mark.parametrize("state", ["started", "stopped", "absent"])
def test_check_mode_asks_nothing(hosts: Hosts, state: str) -> None:
    assert hosts.run("agent1", state, check=True)["changed"] is False and hosts.told == []


@pytest.mark.parametrize(("given", "why"), [
    ({"name": "../x"}, "letters"), ({"kubeconfig": None}, "kubeconfig"), ({"state": "gone"}, "started, stopped"),
    ({"state": "absent", "log": ""}, "the option log"),
])  # fmt: skip
def test_wrong_options(hosts: Hosts, given: dict[str, Any], why: str) -> None:
    state = given.pop("state", "started")
    result = hosts.run("agent1", state, **given)
    assert result["failed"] and why in result["msg"]
