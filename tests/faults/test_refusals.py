"""What a run refuses on the lab, what it says then, and that it left everything as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from conftest import site
from meshlab import fingerprint
from meshlab.lab import Lab


@pytest.fixture(autouse=True)
def nothing_changes(lab: Lab, whole_cluster: None) -> Iterator[None]:
    nodes = {name: host for name, host in lab.hosts.items() if host.role in ("server", "agent")}
    before = fingerprint.of_hosts(nodes)
    yield
    assert fingerprint.difference(before, fingerprint.of_hosts(nodes)) == []


def test_wrong_checksum(lab: Lab) -> None:
    wrong = {"k3s_binary_sha256": {"amd64": "0" * 64, "arm64": "0" * 64}}
    run = site("--extra-vars", json.dumps(wrong)).refused()
    assert "sha256" in run.output.lower() or "checksum" in run.output.lower()
    assert "0" * 64 in run.output, "the wanted checksum should be named"


def test_changed_critical_value(lab: Lab) -> None:
    run = site("--extra-vars", json.dumps({"k3s_cluster_cidr": "10.99.0.0/16"})).refused()
    assert "cluster-cidr" in run.output
    assert "10.99.0.0/16" in run.output


def test_full_disk(lab: Lab) -> None:
    """A file system without room below /etc/rancher/k3s, so that the configuration cannot be written."""
    host = lab.hosts["server2"]
    host.run(["sh", "-c", "mkdir -p /run/small && mount -t tmpfs -o size=64k tmpfs /run/small"])
    try:
        host.run(["sh", "-c", "cp -a /etc/rancher/k3s/. /run/small/ && mount --bind /run/small /etc/rancher/k3s"])
        host.run(["sh", "-c", "head -c 1M /dev/zero > /etc/rancher/k3s/fill; true"])
        before = host.run(["cat", "/etc/rancher/k3s/config.yaml"]).stdout
        setting = {"k3s_extra_config": {"kube-controller-manager-arg": ["terminated-pod-gc-threshold=779"]}}
        run = site("--extra-vars", json.dumps(setting), "--limit", "server2,files").refused()
        assert "space" in run.output.lower()
        assert "server2" in run.output
        assert host.run(["cat", "/etc/rancher/k3s/config.yaml"]).stdout == before
    finally:
        host.run(["sh", "-c", "umount /etc/rancher/k3s; umount /run/small; rmdir /run/small"])
