"""All servers' configuration changes at once: they restart one after the other."""

from __future__ import annotations

import json

import pytest
from conftest import site
from meshlab.down_watch import DownWatch
from meshlab.lab import Lab

# In `make test` the walk between the stages restarts them all, and watches the same.
pytestmark = [pytest.mark.full, pytest.mark.usefixtures("whole_cluster")]


def test_servers_restart_one_at_a_time(lab: Lab) -> None:
    servers = {name: host.ip for name, host in lab.hosts.items() if host.role == "server"}
    setting = {"k3s_extra_config": {"kube-controller-manager-arg": ["terminated-pod-gc-threshold=777"]}}
    try:
        with DownWatch(servers) as there:
            site("--extra-vars", json.dumps(setting)).succeeded()
    finally:
        with DownWatch(servers) as back:
            site().succeeded()
    for watch in (there, back):
        print(f"{watch.samples} samples; down at the same time at most {sorted(watch.most_down)}")
        assert watch.ever_down == set(servers), "every server should have restarted"
        assert len(watch.most_down) == 1
