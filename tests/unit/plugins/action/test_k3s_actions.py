"""The actions of the k3s role: what they show, hide and hand to the module that writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.meshwright.k3s_cilium.plugins.action import k3s_cluster_plan, k3s_config, k3s_info
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import k3s_host

CANARY = "canary-token-0123456789"
MAIN = f"token: {CANARY}\ncluster-cidr: 10.42.0.0/16\n"


def seen(**changes: Any) -> dict[str, Any]:
    """What the module reads on a live server that runs with what is on its disk."""
    return {
        "machine": "x86_64", "hostname": "Server1", "addresses": ["192.0.2.1"], "resolved": False, "cni": [],
        "installed": {"version": "v1.34.4+k3s1", "sha256": "0" * 64, "links": []}, "etcd": None, "joined": True,
        "service": {"active_state": "active", "load_state": "loaded"}, "ca_hash": "aaaa",
        "files": {"config.yaml": MAIN}, "started": {"config.yaml": MAIN}, "registries": None,
        "started_registries": None, "unit_changed": False, "binary_changed": False, "datastore_initialised": True,
        **changes,
    }  # fmt: skip


class Host:
    """Stands for the connection and the modules that run over it."""

    def __init__(self, kind: Any, raw: dict[str, Any], failing: dict[str, Any] | None = None) -> None:
        loader = DataLoader()
        task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
        self.copy = SimpleNamespace(no_log=False)  # the connection has a context of its own
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), _play_context=self.copy)
        context = SimpleNamespace(no_log=False)
        self.action = kind(task, connection, context, loader, Templar(loader), None)
        self.task, self.context, self.raw, self.failing = task, context, raw, failing
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.action._execute_module = self.execute

    def execute(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        assert self.context.no_log and self.copy.no_log, "the connection would print the answer at -vvv"
        self.calls.append((module_name.rpartition(".")[2], module_args))
        if "k3s_info" in module_name:
            return {"changed": False, "raw": self.raw}
        return self.failing or {"changed": True}

    def run(self, check: bool = False, hostvars: Any = None, **arguments: Any) -> dict[str, Any]:
        self.task.args, self.task.check_mode = arguments, check
        result: dict[str, Any] = self.action.run(
            task_vars={"inventory_hostname": "server1", "hostvars": hostvars or {}}
        )
        assert not self.context.no_log and not self.copy.no_log, "it is put back"
        return result


def test_info_is_masked() -> None:
    result = Host(k3s_info.ActionModule, seen()).run(role="server")
    assert CANARY not in str(result)
    assert result["config"]["effective"]["cluster-cidr"] == "10.42.0.0/16"
    assert result["config"]["effective"]["token"] == result["started_config"]["token"]
    assert (result["node_name"], result["kube_proxy"], result["restart_reasons"]) == ("server1", True, [])


def test_configuration_is_written_without_showing_it() -> None:
    host = Host(k3s_config.ActionModule, seen())
    result = host.run(config={"token": CANARY, "cluster-cidr": "10.42.0.0/16"}, extra={"debug": True})
    assert result["changed"] and result["restart_reasons"] == ["debug changed"]
    assert CANARY not in str(result)
    (_read, (module, arguments)) = host.calls
    assert module == "k3s_files"
    assert CANARY in arguments["files"][0]["text"], "what is written is the secret itself"


STAGE = "config.yaml.d/60-kube-proxy.yaml"


@pytest.mark.parametrize("check", [True, False])
def test_the_stage_alone(check: bool) -> None:
    host = Host(k3s_config.ActionModule, seen())
    result = host.run(check=check, kube_proxy="no")
    assert result["writes"] == [f"/etc/rancher/k3s/{STAGE}"] and result["kube_proxy"] is False
    assert result["restart_reasons"] == ["disable-kube-proxy changed"]
    assert [entry["after"] for entry in result["diff"]] == ["disable-kube-proxy: true\n"]
    written = [arguments["files"] for module, arguments in host.calls if module == "k3s_files"]
    assert [[file["path"] for file in files] for files in written] == ([] if check else [result["writes"]])


@pytest.mark.parametrize("arguments", [
    {}, {"role": "agent", "kube_proxy": True}, {"kube_proxy": True, "peers": []}, {"extra": {"debug": True}},
])  # fmt: skip
def test_half_of_a_configuration_is_refused(arguments: dict[str, Any]) -> None:
    host = Host(k3s_config.ActionModule, seen())
    assert host.run(**arguments)["failed"] and host.calls == []


def test_a_stage_that_is_overruled_is_refused() -> None:
    files = {"config.yaml": MAIN, "config.yaml.d/99-mine.yaml": "disable-kube-proxy: false\n"}
    result = Host(k3s_config.ActionModule, seen(files=files)).run(kube_proxy=False)
    assert result["failed"] and "99-mine.yaml" in result["msg"] and result["msg"].startswith("server1: ")


def test_site_keeps_stage_2_and_brings_a_rebuilt_server_to_it() -> None:
    """As the role does it: k3s_info of each server, one plan, the configuration of each."""
    both = {"config.yaml": f"{MAIN}server: https://192.0.2.2:6443\n", STAGE: "disable-kube-proxy: true\n"}
    live, wiped = seen(files=both, started=both), seen(files={}, started=None, datastore_initialised=False)
    wiped["service"] = {"active_state": "inactive", "load_state": "not-found"}
    hostvars: dict[str, Any] = {}
    for number, raw in enumerate((live, live, wiped), 1):
        info = Host(k3s_info.ActionModule, raw).run(role="server")
        hostvars[f"server{number}"] = {"ansible_host": f"192.0.2.{number}", "__k3s_info": info}
    planned = Host(k3s_cluster_plan.ActionModule, {}).run(
        servers=list(hostvars), info="__k3s_info", initial_stage=1, hostvars=hostvars
    )
    assert planned["kube_proxy"] is False
    results = [
        Host(k3s_config.ActionModule, raw).run(
            config={"token": CANARY, "cluster-cidr": "10.42.0.0/16"}, peers=planned["steps"][name]["peers"],
            kube_proxy=planned["steps"][name]["kube_proxy"],
        )
        for name, raw in (("server1", live), ("server3", wiped))
    ]  # fmt: skip
    assert [result["kube_proxy"] for result in results] == [False, False]
    assert results[0]["restart_reasons"] == []
    assert f"/etc/rancher/k3s/{STAGE}" not in results[0]["writes"]
    assert f"/etc/rancher/k3s/{STAGE}" in results[1]["writes"]


def test_what_only_servers_know_restarts_no_agent() -> None:
    agent = {"token": CANARY, "server": "https://192.0.2.2:6443"}
    extra = {"kube-controller-manager-arg": ["v=2"]}
    arguments = {"role": "agent", "config": {"token": CANARY}, "peers": ["https://192.0.2.2:6443"], "extra": extra}
    host = Host(k3s_config.ActionModule, seen(files={}, started={}))
    host.run(**arguments)
    text = host.calls[-1][1]["files"][0]["text"]
    assert yaml.safe_load(text) == agent
    again = Host(k3s_config.ActionModule, seen(files={"config.yaml": text}, started={"config.yaml": text}))
    result = again.run(**arguments)
    assert not result["changed"] and result["restart_reasons"] == []


def test_check_mode_writes_nothing() -> None:
    host = Host(k3s_config.ActionModule, seen())
    result = host.run(check=True, config={"token": CANARY, "debug": True})
    assert result["changed"] and [module for module, _arguments in host.calls] == ["k3s_info"]


def test_critical_values_are_refused_before_anything_is_written() -> None:
    host = Host(k3s_config.ActionModule, seen())
    result = host.run(config={"token": "another-token-0123456", "cluster-cidr": "10.99.0.0/16"})
    assert result["failed"] and len(result["errors"]) == 2
    assert "server1: cluster-cidr" in result["msg"] and "10.99.0.0/16" in result["msg"]
    assert CANARY not in str(result) and "another-token" not in str(result)
    assert [module for module, _arguments in host.calls] == ["k3s_info"]


def test_a_full_disk_is_told_with_the_host() -> None:
    error = {"thing": "the file x", "host": "", "seen": "not written (No space left on device)", "wanted": "room",
             "remedy": "free some space"}  # fmt: skip
    host = Host(k3s_config.ActionModule, seen(), {"failed": True, "msg": "…", "error": error})
    result = host.run(config={"token": CANARY, "debug": True})
    assert result["failed"] and result["msg"].startswith("server1: the file x is not written (No space left")


def test_other_failures_end_the_task() -> None:
    host = Host(k3s_config.ActionModule, seen(), {"failed": True, "msg": "no python"})
    with pytest.raises(AnsibleActionFail, match="no python"):
        host.run(config={"debug": True})


def test_an_absent_file_is_an_empty_answer() -> None:
    host = Host(k3s_config.ActionModule, seen(), {"failed": True, "msg": "file not found: x"})
    assert k3s_host.execute(host.action, "ansible.legacy.slurp", {}, {}, absent="not found") == {}


def test_the_plan_reads_every_server() -> None:
    """server3 took no part in the run; the first address of node-ip is what the others use."""
    info = Host(k3s_info.ActionModule, seen()).run(role="server")
    info["service"]["active"] = True
    hostvars = {
        "server1": {"ansible_host": "192.0.2.1", "__k3s_info": info},
        "server2": {"ansible_host": "192.0.2.2", "k3s_node_ip": "198.51.100.2,2001:db8::2", "__k3s_info": info},
        "server3": {},
    }
    host = Host(k3s_cluster_plan.ActionModule, {})
    result = host.run(servers=list(hostvars), info="__k3s_info", hostvars=hostvars)
    assert result["live"] and result["order"] == ["server1", "server2"]
    assert result["steps"]["server1"]["peers"] == ["https://198.51.100.2:6443", "https://server3:6443"]
    assert result["steps"]["server3"]["action"] == "unseen"
    assert host.calls == []
