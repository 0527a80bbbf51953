"""A server that lost its disk, the first one too, comes back into the cluster that is there."""

from __future__ import annotations

import pytest
from conftest import api_of, site, voters
from kubernetes import client
from meshlab.lab import Host, Lab

pytestmark = pytest.mark.usefixtures("whole_cluster")


def wipe(host: Host) -> None:
    """What a new disk means: no k3s, no data, no password of the node, no configuration."""
    host.run(["systemctl", "stop", "k3s"], timeout=60)
    host.run(["sh", "-c", "for p in $(pgrep -f [c]ontainerd-shim-runc-v2); do kill -9 $p; done; true"])
    mounted = "grep -oE ' /(var/lib/kubelet|run/k3s|run/netns)/[^ ]*' /proc/mounts | sort -r | xargs -r umount -l"
    host.run(["sh", "-c", mounted])
    host.run(["rm", "-rf", "/var/lib/rancher/k3s", "/etc/rancher", "/run/k3s", "/run/k3s-started"])
    host.run(["sh", "-c", "rm -rf /var/lib/kubelet/*"])
    host.run(["rm", "-f", "/usr/local/bin/k3s", "/etc/systemd/system/k3s.service"])
    host.run(["systemctl", "daemon-reload"])
    host.seed_images()


def cluster_id(api: client.CoreV1Api) -> str:
    return str(api.read_namespace("kube-system").metadata.uid)


@pytest.mark.parametrize("lost", ["server1", pytest.param("server2", marks=pytest.mark.full)])
def test_wiped_server_rejoins(lab: Lab, kubeconfig: object, lost: str) -> None:
    survivor = next(host for name, host in lab.hosts.items() if host.role == "server" and name != lost)
    api = api_of(lab.paths.kubeconfig, survivor.ip)
    before = cluster_id(api)
    wipe(lab.hosts[lost])
    run = site().succeeded()
    print(f"{lost} rejoined in {run.seconds:.0f} s")
    assert cluster_id(api_of(lab.paths.kubeconfig, lab.hosts[lost].ip)) == before
    assert voters(api) == {name for name, host in lab.hosts.items() if host.role == "server"}
    assert sum(site().succeeded().changed.values()) == 0
