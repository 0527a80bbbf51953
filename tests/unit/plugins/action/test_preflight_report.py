"""The report: what it writes, where, and when it refuses; with the facts of this machine in place of the hosts'."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_inventories import HOSTS, Bad, inventory

from ansible_collections.meshwright.k3s_cilium.plugins.action import preflight_report
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_host
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import daemonsets
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.situation import INFO, REACH, situation

Report = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """The shape is the module's own; what matters here is put in order, for this machine is no node."""
    facts = probe_host.facts([], "/")
    facts.update(machine="x86_64", kernel="6.12.1", sockets=[], processes=[], cni_files=[], units={}, features={},
                 links=[], default_routes={"4": "eth0"}, marks=[], nameservers=[])  # fmt: skip
    facts["cgroup"] = {"version": "2", "cgroup2": "/sys/fs/cgroup", "controllers": ["cpu", "memory", "pids"]}
    facts["disk"] = {**facts["disk"], "free_mib": 90_000, "free_inodes": 90_000}
    return facts


@pytest.fixture
def report(controller: Any, seen: dict[str, Any], tmp_path: Path) -> Report:
    def run(case: Bad, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
        case.cluster["preflight_report_dir"] = str(tmp_path / "report")
        here = controller(inventory(case))
        for name in here.manager.hosts:
            facts = {**copy.deepcopy(seen), "hostname": name, "resolves": {}, **changes}
            clock = {"sent": 1.0, "answered": 1.0, "received": 1.0}
            here.register(name, INFO, {"facts": facts, "clock": clock})
            here.register(name, REACH, {"reaches": []})
        result: dict[str, Any] = here.action(preflight_report.ActionModule, check_mode).run(task_vars=here.task_vars)
        return result

    return run


def test_in_order(report: Report, tmp_path: Path) -> None:
    result = report(Bad("good", "", ""))
    assert not result.get("failed"), result.get("msg")
    assert (result["changed"], result["live"], result["stage"]) == (False, False, 1)
    for name in ("report.txt", "report.json"):
        assert (tmp_path / "report" / name).stat().st_mode & 0o777 == 0o600
    document = json.loads((tmp_path / "report/report.json").read_text())
    assert set(document["facts"]) == set(HOSTS)
    assert document["counts"]["refuse"] == 0
    assert "4 of 4 hosts; the cluster is new" in (tmp_path / "report/report.txt").read_text()


def test_refusals_fail_all_at_once_and_the_report_is_there(report: Report, tmp_path: Path) -> None:
    result = report(Bad("even", "", "", servers=("server1", "server2")), machine="armv7l")
    assert result["failed"]
    assert "k3s_cluster: the number of servers is 2, wanted an odd number" in result["msg"]
    assert "its architecture is armv7l" in result["msg"]
    assert json.loads((tmp_path / "report/report.json").read_text())["counts"]["refuse"] == 2


def test_a_live_cluster_of_two_servers_is_only_warned_of(report: Report) -> None:
    case = Bad("even", "", "", servers=("server1", "server2"), agents=())
    result = report(case, k3s={"version": "", "datastore": True, "without_kube_proxy": True})
    assert not result.get("failed"), result.get("msg")
    assert (result["live"], result["stage"]) == (True, 2)


def test_check_mode_writes_nothing(report: Report, tmp_path: Path) -> None:
    assert report(Bad("good", "", ""), check_mode=True)["report"] == ""
    assert not (tmp_path / "report").exists()


def test_a_bad_inventory_is_refused_here_too(report: Report) -> None:
    result = report(Bad("bad", "", "", cluster={"cilium_initial_stage": "x", "k3s_node_ip": "nowhere"}))
    assert result["failed"] and "cilium_initial_stage" in result["msg"]


def test_hosts_that_were_left_out_have_no_facts(controller: Any, seen: dict[str, Any]) -> None:
    here = controller(inventory(Bad("good", "", "")))
    here.register("agent1", INFO, {"facts": seen, "clock": None})
    action = here.action(preflight_report.ActionModule)
    collected = preflight_report.collect(here.task_vars, action._templar, action._loader)
    assert set(situation(collected.inventory, here.hostvars).facts) == {"agent1"}


def test_no_kubeconfig_no_daemonsets(tmp_path: Path) -> None:
    assert daemonsets.daemonsets("") == {}
    assert daemonsets.daemonsets(str(tmp_path / "none")) == {}


def test_daemonsets_with_their_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("")
    item = {
        "metadata": {"namespace": "kube-system", "name": "cilium"},
        "spec": {"template": {"spec": {"containers": [{"image": "quay.io/cilium/cilium:v1.20.2"}]}}},
    }

    class Cluster:
        def list(self, _kind: str, api_version: str) -> list[Any]:
            assert api_version == "apps/v1"
            return [item]

    monkeypatch.setattr(daemonsets.Kube, "from_kubeconfig", lambda _path: Cluster())
    assert daemonsets.daemonsets(str(path)) == {"kube-system/cilium": "quay.io/cilium/cilium:v1.20.2"}
