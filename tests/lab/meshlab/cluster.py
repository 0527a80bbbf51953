"""What a verification asks a cluster: its nodes, each agent's own word, a workload's answers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.stream import stream


class Cluster:
    """The lab's cluster, seen through its kubeconfig and nothing of the collection."""

    def __init__(self, kubeconfig: Path) -> None:
        api = config.new_client_from_config(str(kubeconfig))
        self.core, self.apps = client.CoreV1Api(api), client.AppsV1Api(api)
        self.coordination = client.CoordinationV1Api(api)

    def nodes(self) -> dict[str, Any]:
        return {node.metadata.name: node for node in self.core.list_node().items}

    def ready(self) -> set[str]:
        return {name for name, node in self.nodes().items() if _condition(node, "Ready") == "True"}

    def agents(self) -> dict[str, Any]:
        """Cilium's pod on each node."""
        pods = self.core.list_namespaced_pod("kube-system", label_selector="k8s-app=cilium").items
        return {pod.spec.node_name: pod for pod in pods}

    def leases(self, namespace: str) -> dict[str, str]:
        """Each lease's holder."""
        found = self.coordination.list_namespaced_lease(namespace).items
        return {lease.metadata.name: lease.spec.holder_identity for lease in found if lease.spec.holder_identity}

    def agent_status(self, node: str) -> dict[str, Any]:
        """What the agent on a node says of itself."""
        command = ["cilium-dbg", "status", "-o", "json"]
        deadline = time.monotonic() + 30
        while True:
            try:
                pod = self.agents()[node].metadata.name
                return dict(json.loads(self.exec("kube-system", pod, command, "cilium-agent")))
            except (RuntimeError, KeyError):
                # The tunnel of a server that has just come back takes some seconds.
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def exec(self, namespace: str, pod: str, command: list[str], container: str | None = None) -> str:
        connect = self.core.connect_get_namespaced_pod_exec
        options: dict[str, Any] = {"container": container} if container else {}
        session = stream(
            connect, pod, namespace, command=command, stdout=True, stderr=True, stdin=False, tty=False,
            _preload_content=False, **options,
        )  # fmt: skip
        session.run_forever(timeout=30)
        output = str(session.read_stdout())
        try:
            code = session.returncode
        except ValueError as error:
            raise RuntimeError(f"{' '.join(command)} in {namespace}/{pod}: not run: {error}") from error
        if code:
            shown = f"{code}: {session.read_stderr()}"
            raise RuntimeError(f"{' '.join(command)} in {namespace}/{pod}: {shown}")
        return output


def problems(cluster: Cluster, roles: dict[str, str]) -> list[str]:
    """What differs from a whole cluster of these nodes (name to role), one sentence each."""
    found, nodes, agents = [], cluster.nodes(), cluster.agents()
    for name, role in roles.items():
        if name not in nodes:
            found.append(f"{name}: is no node of the cluster")
            continue
        wanted = ["Ready"] + (["EtcdIsVoter"] if role == "server" else [])
        found += [f"{name}: {kind} is not True" for kind in wanted if _condition(nodes[name], kind) != "True"]
        state = cluster.agent_status(name)["cilium"]["state"] if name in agents else "absent"
        if state != "Ok":
            found.append(f"{name}: Cilium's agent says {state}, wanted Ok")
    return found


def _condition(node: Any, kind: str) -> str:
    return next((cond.status for cond in node.status.conditions if cond.type == kind), "absent")
