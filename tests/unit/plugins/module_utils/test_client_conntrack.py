"""Asking for flows, and having them forgotten."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Sequence

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_conntrack as conntrack
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.kube_flows import Services

FLOW = "udp 17 25 src=10.42.1.5 dst=10.43.0.10 sport=4 dport=53 src=10.42.2.7 dst=10.42.1.5 sport=53 dport=4 use=1\n"
SERVICES = Services((ipaddress.ip_network("10.43.0.0/16"),))


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "program", lambda name: f"/sbin/{name}")


def answering(code: int, said: str) -> conntrack.Run:
    def call(argv: Sequence[str], _text: str) -> subprocess.CompletedProcess[str]:
        asked.append(list(argv))
        return subprocess.CompletedProcess(argv, code, FLOW if "ipv4" in argv and "-L" in argv else "", said)

    asked.clear()
    return call


asked: list[list[str]] = []


def test_flows_of_both_families() -> None:
    found = conntrack.stale(SERVICES, answering(0, ""))
    assert len(found) == 1 and [argv[3] for argv in asked] == ["ipv4", "ipv6"]
    assert conntrack.forget(found, answering(1, "0 flow entries have been deleted.")) == 1, "it ended by itself"
    assert asked[0][:3] == ["/sbin/conntrack", "-D", "-f"]


def test_what_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MeshwrightError, match="Operation not permitted"):
        conntrack.stale(SERVICES, answering(1, "Operation not permitted"))
    monkeypatch.setattr(conntrack, "program", lambda _name: None)
    with pytest.raises(MeshwrightError, match="the program conntrack is missing"):
        conntrack.stale(SERVICES, answering(0, ""))
