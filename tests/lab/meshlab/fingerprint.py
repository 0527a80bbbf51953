"""What must not have moved when nothing was to change: objects, pods, releases, files, processes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from kubernetes import client, config

# What the roles own or cause; what a running k3s writes by itself (logs, databases, leases) is not among it.
FILES = (
    "/etc/rancher/k3s /etc/rancher/node /etc/systemd/system /usr/local/bin /etc/sysctl.d /etc/modules-load.d "
    "/var/lib/rancher/k3s/agent/images /var/lib/rancher/k3s/server/token /var/lib/rancher/k3s/agent/etc"
)
SCRIPT = rf"""
for path in {FILES}; do [ -e "$path" ] && find "$path" -xdev \( -type f -o -type l \) -printf '%p %T@ %m %s\n'; done
systemctl show k3s k3s-agent --property=Id,MainPID,ActiveEnterTimestampMonotonic,NRestarts
"""


class Host(Protocol):
    def run(self, command: list[str]) -> object: ...


def of_hosts(hosts: Mapping[str, Host]) -> dict[str, str]:
    """Each file's time, mode and size, and each service's process, by `host line`."""
    with ThreadPoolExecutor(len(hosts) or 1) as pool:
        answers = dict(zip(hosts, pool.map(lambda host: host.run(["sh", "-c", SCRIPT]), hosts.values()), strict=True))
    found = {}
    for name, answer in answers.items():
        for line in str(getattr(answer, "stdout", "")).splitlines():
            thing, _, value = line.partition("=" if "=" in line else " ")
            found[f"{name} {thing}" if thing not in found else f"{name} {thing} "] = value
    return found


def of_cluster(kubeconfig: Path) -> dict[str, str]:
    """Generations of workloads, pods' UIDs and restarts, Helm releases, nodes' labels, taints and annotations."""
    api = config.new_client_from_config(str(kubeconfig))
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    found = {}
    deployments, daemons = apps.list_deployment_for_all_namespaces(), apps.list_daemon_set_for_all_namespaces()
    for workload in [*deployments.items, *daemons.items]:
        meta = workload.metadata
        found[f"workload {meta.namespace}/{meta.name}"] = f"{meta.uid} generation {meta.generation}"
    for pod in core.list_pod_for_all_namespaces().items:
        if pod.metadata.deletion_timestamp:  # of a workload that a test has just removed
            continue
        restarts = sum(status.restart_count for status in pod.status.container_statuses or [])
        found[f"pod {pod.metadata.namespace}/{pod.metadata.name}"] = f"{pod.metadata.uid} restarts {restarts}"
    for secret in core.list_secret_for_all_namespaces(label_selector="owner=helm").items:
        found[f"release {secret.metadata.name}"] = str(secret.metadata.uid)
    for configmap in core.list_namespaced_config_map("kube-system").items:
        found[f"configmap {configmap.metadata.name}"] = str(sorted((configmap.data or {}).items()))
    for node in core.list_node().items:
        meta = node.metadata
        found[f"node {meta.name}"] = str((meta.uid, sorted(meta.labels.items()), node.spec.unschedulable))
        found[f"node {meta.name} taints"] = str(node.spec.taints)
    return found


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """One line for each thing that came, went or changed."""
    lines = []
    for thing in sorted(before.keys() | after.keys()):
        then, now = before.get(thing, "absent"), after.get(thing, "absent")
        if then != now:
            lines.append(f"{thing}: was {then}; is {now}")
    return lines
