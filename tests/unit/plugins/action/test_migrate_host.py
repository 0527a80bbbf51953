"""What a host says of its network: k3s' files are judged on the controller, and nothing of them is shown."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.meshwright.k3s_cilium.plugins.action import migrate_host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_read import HostSays
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import migrate_situation

CANARY = "canary-token-0123456789"
RAW: dict[str, Any] = {
    "up": True, "runs_none": False, "fixed": "", "bridge": True, "overlay": True, "remains": True, "frozen": 0,
    "direct": False, "behind": ["a0"], "conf": False,
}  # fmt: skip
OURS = {"config.yaml.d/50-network.yaml": "flannel-backend: none\ndisable-network-policy: true\n"}


def run(files: dict[str, str], **more: Any) -> dict[str, Any]:
    loader, context = DataLoader(), SimpleNamespace(no_log=False)
    task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), _play_context=context)
    action = migrate_host.ActionModule(task, connection, context, loader, Templar(loader), None)
    answer = {"changed": False, "raw": {**RAW, "files": {"config.yaml": f"token: {CANARY}\n", **files}, **more}}
    action._execute_module = lambda _module, **_asked: answer
    task.args = {"role": "server", "node": "server1"}
    return dict(action.run(task_vars={"inventory_hostname": "server1"}))


@pytest.mark.parametrize(
    ("files", "wants", "fixed"),
    [
        ({}, False, ""),
        (OURS, True, ""),
        ({"config.yaml": "flannel-backend: none\n"}, True, ""),
        ({"config.yaml.d/10-old.yaml": "flannel-backend: host-gw\n", **OURS}, True, ""),
        ({**OURS, "config.yaml.d/90-late.yaml": "flannel-backend: vxlan\n"}, False, "config.yaml.d/90-late.yaml"),
        ({**OURS, "config.yaml.d/90-late.yaml": "node-label: [a=b]\n"}, True, ""),
    ],
)
def test_what_the_files_say(files: dict[str, str], wants: bool, fixed: str) -> None:
    result = run(files)
    assert (result["says"]["wants_none"], result["says"]["fixed"]) == (wants, fixed)
    assert CANARY not in str(result)


def test_the_command_line_comes_first() -> None:
    assert run({}, fixed="the unit's command line")["says"]["fixed"] == "the unit's command line"


def test_it_is_what_the_plan_reads() -> None:
    says = run(OURS)["says"]
    assert says.keys() == {field.name for field in fields(HostSays)} - {"kube_proxy", "kube_proxy_elsewhere"}
    proxy = {"says": {"kube_proxy": False, "kube_proxy_elsewhere": "kube-proxy.service", "leftovers": 3}}
    hostvars: dict[str, Any] = {"h1": {"__migrate_host": {"says": says}, "__stage2_host": proxy}, "h2": {}}
    found = migrate_situation.says(hostvars, {"one": "h1", "two": "h2"})
    assert set(found) == {"one"} and found["one"].behind == ("a0",) and found["one"].wants_none
    assert (found["one"].kube_proxy, found["one"].kube_proxy_elsewhere) == (False, "kube-proxy.service")


def test_ends_come_from_what_is_asked_of_the_chart() -> None:
    options = {"routing_mode": "native", "ipam_mode": "kubernetes", "auto_direct_node_routes": True}
    asked = {"options": options, "cluster_cidr": ["10.42.0.0/16"]}
    assert migrate_situation.ends_of(asked).native_cidrs == ("10.42.0.0/16",), "the default is the cluster's own"
    asked["options"] = {**options, "native_routing_cidr": "10.0.0.0/8", "ipv6_native_routing_cidr": ""}
    assert migrate_situation.ends_of(asked).native_cidrs == ("10.0.0.0/8",)
