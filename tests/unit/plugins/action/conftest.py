from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
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


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once() -> Iterator[None]:
    """The same defaults stand in every inventory that is judged; to compile their templates cost half of the time."""
    compiled: dict[tuple[type, str], Any] = {}
    compiling = jinja2.Environment.compile

    def once(self: jinja2.Environment, source: Any, *args: Any, **more: Any) -> Any:
        if not isinstance(source, str) or args or more or self.overlayed:
            return compiling(self, source, *args, **more)
        key = (type(self), str(source))
        if key not in compiled:
            compiled[key] = compiling(self, source)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinja2.Environment, "compile", once)
        yield


class Controller:
    """Ansible's own inventory and variables of one file, as an action meets them."""

    def __init__(self, path: Path, inventory: dict[str, Any]) -> None:
        path.write_text(yaml.safe_dump(inventory))
        self.loader = DataLoader()
        self.manager = InventoryManager(loader=self.loader, sources=[str(path)])
        self.variables = VariableManager(loader=self.loader, inventory=self.manager)
        self.hostvars = HostVars(inventory=self.manager, variable_manager=self.variables, loader=self.loader)

    def register(self, host: str, name: str, result: dict[str, Any]) -> None:
        self.variables.set_nonpersistent_facts(host, {name: result})

    @property
    def task_vars(self) -> dict[str, Any]:
        return {"groups": self.manager.get_groups_dict(), "hostvars": self.hostvars}

    def action(self, kind: Any, check_mode: bool = False) -> Any:
        task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
        task.args = {}
        task.check_mode = check_mode
        no_connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))  # anything else asked of it fails
        return kind(task, no_connection, None, SPECS, Templar(self.loader), None)


@pytest.fixture
def controller(tmp_path: Path) -> Callable[[dict[str, Any]], Controller]:
    return lambda inventory: Controller(tmp_path / "hosts.yml", inventory)


@pytest.fixture
def judge(controller: Callable[[dict[str, Any]], Controller]) -> Judge:
    """Runs the action on an inventory file as Ansible does, but without any connection to break the rule with."""

    def run(inventory: dict[str, Any]) -> dict[str, Any]:
        here = controller(inventory)
        action = here.action(preflight_inventory.ActionModule)
        findings = action.judge(here.task_vars)
        action.judge = lambda _task_vars: findings
        result: dict[str, Any] = action.run(task_vars=here.task_vars)
        return {**result, "findings": [finding.as_dict() for finding in findings]}

    return run
