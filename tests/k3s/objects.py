"""Objects of the Kubernetes API that several tests make or read."""

from __future__ import annotations

from typing import Any

from .cluster import Node
from .wait import until

IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.57"


def pod(name: str, node: Node, port: int) -> dict[str, Any]:
    """A pod that needs no CNI: on the host's network, put on its node without the scheduler."""
    container = {
        "name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={port}", "--udp-port=-1"],
    }  # fmt: skip
    spec = {
        "nodeName": node.name, "hostNetwork": True, "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0, "tolerations": [{"operator": "Exists"}], "containers": [container],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def wait_running(server: Node, name: str, timeout: float = 60) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        return dict(server.get("pod", name)["status"])

    def runs(status: dict[str, Any]) -> bool:
        return status.get("phase") == "Running" and status["containerStatuses"][0]["ready"]

    return until(f"pod {name} runs", look, runs, timeout)


def voters(server: Node) -> dict[str, str]:
    """The condition EtcdIsVoter of each node that has it."""
    nodes = server.get("nodes")["items"]
    return {
        node["metadata"]["name"]: condition["status"]
        for node in nodes
        for condition in node["status"].get("conditions", [])
        if condition["type"] == "EtcdIsVoter"
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}
