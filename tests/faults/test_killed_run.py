"""The controller is killed at five points of one change; the last run finishes what the first began."""

from __future__ import annotations

import json

import pytest
from conftest import INVENTORY, site
from kubernetes import client
from meshlab.lab import Lab
from meshlab.playbook import run_playbook

pytestmark = pytest.mark.usefixtures("whole_cluster")

THRESHOLD = "terminated-pod-gc-threshold=778"
SETTING = json.dumps({"k3s_extra_config": {"kube-controller-manager-arg": [THRESHOLD]}})

# Lines of the output at which the run is killed; each run goes further than the one before.
POINTS = (
    r"TASK \[.*preflight : ",
    r"changed: \[server1\]",  # configured, not restarted
    r"TASK \[.*k3s : Wait until it votes",  # restarted, its vote not awaited
    r"changed: \[server2\]",  # one server done, the next configured
    r"TASK \[.*cilium : ",
)


def running_with_it(api: client.CoreV1Api) -> set[str]:
    """Nodes whose k3s was started with the setting, by the annotation that k3s itself writes."""
    return {
        node.metadata.name
        for node in api.list_node().items
        if THRESHOLD in node.metadata.annotations.get("k3s.io/node-args", "")
    }


def test_killed_runs_are_continued(lab: Lab, api: client.CoreV1Api) -> None:
    servers = {name for name, host in lab.hosts.items() if host.role == "server"}
    for point in POINTS:
        killed = site("--extra-vars", SETTING, kill_at=point)
        assert killed.returncode < 0, f"the run ended by itself before a line matched {point!r}\n{killed.tail()}"
        print(f"killed at {point!r} after {killed.seconds:.0f} s; changed so far: {sorted(running_with_it(api))}")
    site("--extra-vars", SETTING).succeeded()
    assert running_with_it(api) == servers
    assert sum(site("--extra-vars", SETTING).succeeded().changed.values()) == 0
    site().succeeded()
    assert running_with_it(api) == set()
    assert sum(run_playbook(INVENTORY).succeeded().changed.values()) == 0
