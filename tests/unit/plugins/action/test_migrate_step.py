"""Steps of a migration that are the API's: each has its way, and none is taken when it might do harm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar
from migrate_world import World

from ansible_collections.meshwright.k3s_cilium.plugins.action import migrate_step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_tell as tell
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import stage2_holder


class Api:
    def __init__(self) -> None:
        self.merged: list[tuple[str, Any]] = []

    def merge(self, kind: str, name: str, patch: Any) -> None:
        self.merged.append((name, patch))

    def nodes(self) -> list[Any]:
        return [{"metadata": {"name": "a0"}, "spec": {"podCIDRs": ["10.42.3.0/24"]}}]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    found = Api()
    monkeypatch.setattr(Kube, "from_kubeconfig", lambda *_given, **_more: found)
    monkeypatch.setattr(stage2_holder, "holder", lambda _kube: SimpleNamespace(renew=lambda: None))
    return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(1, 1)
    monkeypatch.setattr(migrate_step.migrate_situation, "look", lambda *_given: found.facts())
    return found


def run(kind: str, state: str = "taken", check: bool = False) -> dict[str, Any]:
    loader = DataLoader()
    task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    action = migrate_step.ActionModule(task, connection, SimpleNamespace(), loader, Templar(loader), None)
    task.check_mode = check
    told = tell.step_dict(steps.step(kind, steps.NODES, "a0"), "a0") if kind else {}
    plan = {"hosts": {"a0": "a0"}, "ends": {}}
    task.args = {"kubeconfig": "somewhere", "plan": plan, "step": told, "state": state, "timeout": 5}
    return dict(action.run(task_vars={"hostvars": {}}))


def test_every_step_of_the_api_has_its_way() -> None:
    asked = {*steps.API, steps.RENEW, steps.REACH}
    assert [kind for kind in sorted(asked) if not hasattr(migrate_step._Taking, f"_{kind}")] == []


def test_taken_where_it_may_be(api: Api, world: World) -> None:
    assert "runs flannel" in run(steps.ADMIT)["msg"] and api.merged == []
    world.nodes["a0"].runs_none, world.nodes["a0"].bridge = True, False
    assert run(steps.ADMIT)["changed"]
    assert api.merged == [("a0", {"metadata": {"labels": {"meshwright.k3s-cilium/network": "cilium"}}})]
    assert run(steps.CLAIM)["changed"] and run(steps.RELEASE)["changed"] and len(api.merged) == 3


def test_only_asked(api: Api, world: World) -> None:
    """Hosts learn who has been moved by now."""
    assert run(steps.CLEAR, "allowed")["nodes"][0]["moved"] is False
    it = world.nodes["a0"]
    it.runs_none = it.agent = it.conf = True
    it.bridge = it.old = False
    assert run(steps.CLEAR, "allowed")["nodes"][0]["moved"] is True and api.merged == []
    assert "in use on s0" in run(steps.SWEEP, "allowed")["msg"]


def test_pods_to_be_made_anew(api: Api, world: World) -> None:
    """Those of the old network; on the way back to flannel all that are connected."""
    assert run(steps.RENEW)["pods"] == ["web/a", "web/d"]
    world.nodes["a0"].runs_none = True
    assert run(steps.RENEW)["pods"] == ["web/d"]


def test_how_it_ended(api: Api, world: World) -> None:
    assert run("", "finished")["told"] == {"s0": "flannel", "a0": "flannel"}
    assert run(steps.CLAIM, check=True)["skipped"] and api.merged == []
