"""All servers' configuration changes at once: they restart one after the other."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from conftest import site
from kubernetes import client
from meshlab.lab import Lab

pytestmark = pytest.mark.usefixtures("whole_cluster")


class DownWatch:
    """Samples every server's API port and records how many were closed at the same time."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        self.most_down: set[str] = set()
        self.ever_down: set[str] = set()
        self.samples = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> DownWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _watch(self) -> None:
        until = time.monotonic() + 900
        while not self._stop.wait(0.2) and time.monotonic() < until:
            down = {name for name, address in self.addresses.items() if not _open(address, 6443)}
            self.samples += 1
            self.ever_down |= down
            if len(down) > len(self.most_down):
                self.most_down = down


def _open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def test_servers_restart_one_at_a_time(lab: Lab, api: client.CoreV1Api) -> None:
    servers = {name: host.ip for name, host in lab.hosts.items() if host.role == "server"}
    setting = {"k3s_extra_config": {"kube-controller-manager-arg": ["terminated-pod-gc-threshold=777"]}}
    with DownWatch(servers) as watch:
        site("--extra-vars", json.dumps(setting)).succeeded()
    print(f"{watch.samples} samples; down at the same time at most {sorted(watch.most_down)}")
    assert watch.ever_down == set(servers), "every server should have restarted"
    assert len(watch.most_down) == 1
    assert sum(site("--extra-vars", json.dumps(setting)).succeeded().changed.values()) == 0

    with DownWatch(servers) as watch:
        site().succeeded()
    assert watch.ever_down == set(servers), "taking the setting back restarts every server once more"
    assert len(watch.most_down) == 1
