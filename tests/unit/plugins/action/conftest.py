from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.meshwright.k3s_cilium.plugins.action import preflight_inventory

COLLECTIONS = Path(__file__).resolve().parents[4] / "collections"
SPECS = DataLoader()  # reads the roles' files once for all cases

Judge = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session", autouse=True)
def _plugin_loader() -> None:
    init_plugin_loader([str(COLLECTIONS)])


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Runs the action on an inventory file as Ansible does, but without any connection to break the rule with."""

    def run(inventory: dict[str, Any]) -> dict[str, Any]:
        path = tmp_path / "hosts.yml"
        path.write_text(yaml.safe_dump(inventory))
        loader = DataLoader()
        manager = InventoryManager(loader=loader, sources=[str(path)])
        variables = VariableManager(loader=loader, inventory=manager)
        hostvars = HostVars(inventory=manager, variable_manager=variables, loader=loader)
        task_vars = {"groups": manager.get_groups_dict(), "hostvars": hostvars}
        task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
        task.args = {}
        no_connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))  # anything else asked of it fails
        action = preflight_inventory.ActionModule(task, no_connection, None, SPECS, Templar(loader), None)
        findings = action.judge(task_vars)
        action.judge = lambda _task_vars: findings
        result: dict[str, Any] = action.run(task_vars=task_vars)
        return {**result, "findings": [finding.as_dict() for finding in findings]}

    return run
