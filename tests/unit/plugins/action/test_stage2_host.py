"""What a host says of itself: k3s' files are judged on the controller, and nothing of them is shown."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.meshwright.k3s_cilium.plugins.action import stage2_host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read import HostSays

CANARY = "canary-token-0123456789"
ONE, TWO = {"config.yaml": f"token: {CANARY}\n"}, {"config.yaml.d/60-kube-proxy.yaml": "disable-kube-proxy: true\n"}
LOOK: dict[str, Any] = {
    "kube_proxy": False, "kube_proxy_elsewhere": "", "kube_proxy_mode": "", "leftovers": 3, "flows": 2,
    "dead_ports": [31000], "active": True, "gone": True, "files": {}, "started": None,
}  # fmt: skip


def run(answer: dict[str, Any], **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the task gets, and what the module was asked."""
    loader, context = DataLoader(), SimpleNamespace(no_log=False)
    task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), _play_context=context)
    action = stage2_host.ActionModule(task, connection, context, loader, Templar(loader), None)
    asked: dict[str, Any] = {}

    def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        assert context.no_log, "the connection would print the answer at -vvv"
        asked.update(module_args)
        return answer

    action._execute_module = execute
    task.args = arguments
    return action.run(task_vars={"inventory_hostname": "server1"}), asked


@pytest.mark.parametrize(("files", "started", "active", "disables", "without"), [
    ({**ONE, **TWO}, {**ONE, **TWO}, True, True, True), ({**ONE, **TWO}, ONE, True, True, False),
    (ONE, {**ONE, **TWO}, True, False, True), ({**ONE, **TWO}, {**ONE, **TWO}, False, True, False),
    ({**ONE, **TWO}, None, True, True, True), (ONE, ONE, True, False, False),
])  # fmt: skip
def test_a_server_is_told_by_its_files(files: Any, started: Any, active: bool, disables: bool, without: bool) -> None:
    result, asked = run({"changed": False, "raw": {**LOOK, "files": files, "started": started, "active": active}})
    says = result["says"]
    assert (says["disables"], says["started_disables"]) == (disables, without)
    assert CANARY not in str(result) and "raw" not in result and asked == {}
    assert set(says) == {field.name for field in fields(HostSays)}
    assert HostSays(**{**says, "dead_ports": tuple(says["dead_ports"])}).host == "server1"
    assert (says["leftovers"], says["flows"], says["dead_ports"]) == (3, 2, [31000])


@pytest.mark.parametrize("gone", [True, False])
def test_an_agent_is_told_by_what_runs_there(gone: bool) -> None:
    says = run({"raw": {**LOOK, "gone": gone}}, role="agent")[0]["says"]
    assert (says["disables"], says["started_disables"]) == (False, gone)


def test_an_answer_comes_through() -> None:
    answer = {"changed": True, "removed": 2, "diff": {"before": "a\n", "after": ""}, "invocation": {}}
    result, asked = run(answer, state="swept", wanted_by=None, node_port="")
    assert result["removed"] == 2 and result["diff"]["before"] == "a\n" and "invocation" not in result
    assert asked == {"state": "swept"}, "what is not set is not asked"


def test_a_failure_is_told_with_the_host() -> None:
    error = {"thing": "kube-proxy", "host": "", "seen": "there", "wanted": "gone", "remedy": "restart k3s"}
    result, _asked = run({"failed": True, "msg": "…", "error": error}, state="proxyless")
    assert result["failed"] and result["msg"] == "server1: kube-proxy is there, wanted gone: restart k3s"
