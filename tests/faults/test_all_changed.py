"""All servers' configuration changes at once: they restart one after the other."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time

import pytest
from conftest import site
from meshlab.lab import Lab

pytestmark = pytest.mark.usefixtures("whole_cluster")


class DownWatch:
    """Asks every server's API all the time and records which did not answer at the same time."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        self.down: set[str] = set()
        self.most_down: set[str] = set()
        self.ever_down: set[str] = set()
        self.samples = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(name,)) for name in addresses]

    def __enter__(self) -> DownWatch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _watch(self, name: str) -> None:
        until = time.monotonic() + 900
        while not self._stop.wait(0.2) and time.monotonic() < until:
            up = _answers(self.addresses[name])
            with self._lock:
                self.samples += 1
                (self.down.discard if up else self.down.add)(name)
                self.ever_down |= self.down
                self.most_down = max(self.most_down, set(self.down), key=len)


def _answers(address: str) -> bool:
    """Does this server's own API say that it is ready?"""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, 6443, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status in (200, 401, 403)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


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
