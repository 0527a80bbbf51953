"""A small workload behind a service, made for a verification and removed with its namespace."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Any

from kubernetes.client import ApiException

from meshlab.cluster import Cluster

IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.57"
LABELS = {"app": "web"}


class Workload:
    """`with Workload(cluster, "name").on_every_node() as workload: …`; it is ready when the block begins."""

    def __init__(self, cluster: Cluster, namespace: str, policy: str = "Cluster") -> None:
        self.cluster, self.namespace = cluster, namespace
        self.policy = policy
        self.node: str | None = None
        self.replicas = 0

    def on_every_node(self) -> Workload:
        """One pod on each node."""
        return self

    def on_node(self, node: str) -> Workload:
        """One pod, on this node."""
        self.node = node
        return self

    def spread(self, replicas: int) -> Workload:
        """So many pods, on as many nodes, that move when theirs is drained."""
        self.replicas = replicas
        return self

    def __enter__(self) -> Workload:
        self.cluster.core.create_namespace({"metadata": {"name": self.namespace}})
        try:
            create = self.cluster.apps.create_namespaced_deployment if self.replicas else None
            (create or self.cluster.apps.create_namespaced_daemon_set)(self.namespace, self._pods())
            self.cluster.core.create_namespaced_service(self.namespace, self._service())
            self._wait()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self, seconds: float = 120) -> None:
        """And wait for it: whoever compares the cluster next must not see it going."""
        deadline = time.monotonic() + seconds
        self.cluster.core.delete_namespace(self.namespace)
        with contextlib.suppress(ApiException):  # 404 is what is waited for
            while self.cluster.core.read_namespace(self.namespace):
                assert time.monotonic() < deadline, f"{self.namespace}: still there after {seconds:.0f} s"
                time.sleep(0.5)

    def _pods(self) -> dict[str, Any]:
        container = {
            "name": "web",
            "image": IMAGE,
            "args": ["netexec", "--http-port=8080", "--delay-shutdown=5"],
            "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        }
        spec: dict[str, Any] = {"terminationGracePeriodSeconds": 8, "containers": [container]}
        if self.node:
            spec["nodeSelector"] = {"kubernetes.io/hostname": self.node}
        found: dict[str, Any] = {
            "metadata": {"name": "web", "labels": LABELS},
            "spec": {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": spec}},
        }
        if self.replicas:
            found["spec"]["replicas"] = self.replicas
            spec["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": LABELS},
                }
            ]
        else:
            spec["tolerations"] = [{"operator": "Exists"}]
        return found

    def _service(self) -> dict[str, Any]:
        spec = {
            "type": "LoadBalancer",
            "selector": LABELS,
            "ports": [{"port": 80, "targetPort": 8080}],
            "externalTrafficPolicy": self.policy,
            "ipFamilyPolicy": "PreferDualStack",
        }
        return {"metadata": {"name": "web", "labels": LABELS}, "spec": spec}

    def _wait(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not self._ready():
            assert time.monotonic() < deadline, f"{self.namespace}: the workload is not ready"
            time.sleep(0.5)

    def _ready(self) -> bool:
        if self.replicas:
            status = self.cluster.apps.read_namespaced_deployment_status("web", self.namespace).status
            return bool(status.ready_replicas == self.replicas)
        status = self.cluster.apps.read_namespaced_daemon_set_status("web", self.namespace).status
        return bool(status.number_ready and status.number_ready == status.desired_number_scheduled)

    def pods(self) -> dict[str, str]:
        """Each pod's name with its node."""
        found = self.cluster.core.list_namespaced_pod(self.namespace, label_selector="app=web").items
        return {pod.metadata.name: pod.spec.node_name for pod in found}

    def addresses(self, seconds: float = 30) -> list[str]:
        """The addresses that LB-IPAM gave to the service."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.cluster.core.read_namespaced_service("web", self.namespace).status
            found = [entry.ip for entry in status.load_balancer.ingress or []]
            if found:
                return found
            assert time.monotonic() < deadline, f"{self.namespace}: the service has no address: {status}"
            time.sleep(0.3)

    def cluster_addresses(self) -> list[str]:
        return list(self.cluster.core.read_namespaced_service("web", self.namespace).spec.cluster_ips)
