"""Which stage a cluster is at, by its processes, rules and agents; and whether every kind of service is answered."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from kubernetes.client import ApiException

from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.workload import IMAGE

# Lines of what is there of kube-proxy on a node.
PROXY = r"""
ss -Hltn 'sport = :10256' | grep -q . && echo port
for process in /proc/[0-9]*; do
  tr '\0' ' ' < "$process/cmdline" 2>/dev/null | grep -qE '^([^ ]+ )?[^ ]*kube-proxy( |$)' && echo process
done
{ iptables-save; ip6tables-save; } 2>/dev/null | grep -q -- '^:KUBE-SVC-' && echo services
true
"""
# What a rollout and the maintenance write on nodes while they have them in hand.
MARKS = {f"meshwright.k3s-cilium/{name}" for name in ("stage", "rollout", "cordoned", "excluded", "withdrawn")}
DROP_IN = "/etc/rancher/k3s/config.yaml.d/60-kube-proxy.yaml"


def proxy_of(host: Host) -> set[str]:
    return set(host.run(["sh", "-c", PROXY]).stdout.split())


def problems(cluster: Cluster, members: Mapping[str, Host], stage: int) -> list[str]:
    """What is not as it is at this stage once a run has ended, one sentence each."""
    found, mode = [], {1: "False", 2: "True"}[stage]
    with ThreadPoolExecutor(len(members)) as pool:
        seen = dict(zip(members, pool.map(proxy_of, members.values()), strict=True))
    for name, host in members.items():
        there = seen[name]
        if stage == 2 and there & {"process", "port", "services"}:
            found.append(f"{name}: kube-proxy has left {', '.join(sorted(there))}")
        if stage == 1 and not {"port", "services"} <= there:
            found.append(f"{name}: of kube-proxy there is only {', '.join(sorted(there)) or 'nothing'}")
        says = cluster.agent_status(name)
        if says["kube-proxy-replacement"]["mode"] != mode or says["cilium"]["state"] != "Ok":
            found.append(f"{name}: its agent says {says['kube-proxy-replacement']['mode']}, {says['cilium']['state']}")
        if host.role == "server":
            text = host.run(["sh", "-c", f"cat {DROP_IN} 2>/dev/null || true"]).stdout
            if ("disable-kube-proxy: true" in text) != (stage == 2):
                found.append(f"{name}: {DROP_IN} says {text.strip()!r}")
    return found + leavings(cluster) + _chart(cluster, mode)


def leavings(cluster: Cluster) -> list[str]:
    """What a rollout uses while it lasts, and is to take away: notes, labels, cordons."""
    found = []
    for name, node in cluster.nodes().items():
        told = {*(node.metadata.labels or {}), *(node.metadata.annotations or {})}
        found += [f"{name}: still has {key}" for key in sorted(told & MARKS)]
        found += [f"{name}: still cordoned"] if node.spec.unschedulable else []
    return found


def _chart(cluster: Cluster, mode: str) -> list[str]:
    data = cluster.core.read_namespaced_config_map("cilium-config", "kube-system").data or {}
    says = str(data.get("kube-proxy-replacement")).capitalize()
    return [] if says == mode else [f"the chart's value is {says}, wanted {mode}"]


# -- every kind of service

NAMESPACE, HOST_PORT = "verify-services", 18081
LABELS = {"app": "kinds"}


class Kinds:
    """`with Kinds(lab, cluster) as kinds: assert kinds.unanswered() == []`: pods everywhere, services of all kinds."""

    EXTERNAL = "203.0.113.77"  # nobody's; the host that asks is told that a node has it

    def __init__(self, lab: Lab, cluster: Cluster) -> None:
        self.lab, self.cluster = lab, cluster
        self.nodes = {name: host for name, host in lab.hosts.items() if host.role in ("server", "agent")}
        # In the nodes' own network, but no node: nothing of the cluster's runs there.
        self.asker = next(host for host in lab.hosts.values() if host.role == "files")
        self.local = sorted(self.nodes)[0]

    def __enter__(self) -> Kinds:
        core = self.cluster.core
        core.create_namespace({"metadata": {"name": NAMESPACE}})
        try:
            self.cluster.apps.create_namespaced_daemon_set(NAMESPACE, _pods("every", LABELS))
            self.cluster.apps.create_namespaced_daemon_set(NAMESPACE, _pods("one", {"app": "one"}, self.local))
            for name, spec in self._services().items():
                core.create_namespaced_service(NAMESPACE, {"metadata": {"name": name}, "spec": spec})
            _wait(self._ready, "the pods of verify-services ready", 120)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _services(self) -> dict[str, dict[str, Any]]:
        ports = [{"port": 80, "targetPort": 8080}]
        node_port = {"type": "NodePort", "ports": ports}
        return {
            "plain": {**node_port, "selector": LABELS},
            "sticky": {**node_port, "selector": LABELS, "sessionAffinity": "ClientIP"},
            "local": {**node_port, "selector": {"app": "one"}, "externalTrafficPolicy": "Local"},
            "external": {"selector": LABELS, "ports": ports, "externalIPs": [self.EXTERNAL]},
            "balanced": {
                "type": "LoadBalancer", "selector": {"app": "one"}, "ports": ports, "externalTrafficPolicy": "Local",
            },
        }  # fmt: skip

    def _ready(self) -> bool:
        found = self.cluster.apps.list_namespaced_daemon_set(NAMESPACE).items
        return all(
            one.status.number_ready and one.status.number_ready == one.status.desired_number_scheduled for one in found
        )

    def _remove(self, seconds: float = 120) -> None:
        self.cluster.core.delete_namespace(NAMESPACE)
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ApiException):  # 404 is what is waited for
            while self.cluster.core.read_namespace(NAMESPACE):
                assert time.monotonic() < deadline, f"{NAMESPACE}: still there after {seconds:.0f} s"
                time.sleep(0.5)

    # -- what is asked

    def unanswered(self, seconds: float = 20) -> list[str]:
        """What is not answered as it must be; a new service takes a moment until it is known everywhere."""
        deadline = time.monotonic() + seconds
        while (found := self._once()) and time.monotonic() < deadline:
            time.sleep(1)
        return found

    def _once(self) -> list[str]:
        checks: tuple[Callable[[], list[str]], ...] = (
            self._node_ports, self._host_ports, self._affinity, self._external, self._local, self._health_ports,
        )  # fmt: skip
        return [sentence for check in checks for sentence in check()]

    def _port(self, name: str) -> int:
        return int(self.cluster.core.read_namespaced_service(name, NAMESPACE).spec.ports[0].node_port)

    def _ask(self, address: str, port: int, path: str = "hostname", times: int = 1) -> list[str]:
        """One answer for each new connection; empty where there was none."""
        loop = 'for _ in $(seq "$2"); do curl -gsS --max-time 3 "$1" || true; echo; done'
        host = f"[{address}]" if ":" in address else address
        command = ["sh", "-c", loop, "sh", f"http://{host}:{port}/{path}", str(times)]
        return self.asker.run(command, timeout=10 + 4 * times).stdout.splitlines()

    def _pods(self, app: str) -> dict[str, str]:
        found = self.cluster.core.list_namespaced_pod(NAMESPACE, label_selector=f"app={app}").items
        return {pod.metadata.name: pod.spec.node_name for pod in found}

    def _node_ports(self) -> list[str]:
        port, pods = self._port("plain"), set(self._pods("kinds"))
        found = []
        for name, host in self.nodes.items():
            heard = set(self._ask(host.ip, port, times=30))
            if not heard <= pods or len(heard) < 2:
                found.append(f"NodePort on {name}: answered by {sorted(heard)}")
        return found

    def _host_ports(self) -> list[str]:
        pods = {node: pod for pod, node in self._pods("kinds").items()}
        heard = {name: self._ask(host.ip, HOST_PORT)[0] for name, host in self.nodes.items()}
        return [f"hostPort on {name}: answered by {who!r}" for name, who in heard.items() if who != pods.get(name)]

    def _affinity(self) -> list[str]:
        heard = set(self._ask(self.nodes[self.local].ip, self._port("sticky"), times=20))
        return [] if len(heard) == 1 and heard <= set(self._pods("kinds")) else [f"session affinity: {sorted(heard)}"]

    def _external(self) -> list[str]:
        route = [f"{self.EXTERNAL}/32", "via", self.nodes[self.local].ip]
        self.asker.run(["ip", "route", "replace", *route])
        try:
            heard = set(self._ask(self.EXTERNAL, 80, times=5))
        finally:
            self.asker.run(["ip", "route", "del", *route])
        return [] if heard and heard <= set(self._pods("kinds")) else [f"externalIPs: answered by {sorted(heard)}"]

    def _local(self) -> list[str]:
        """On the node of the pod with the asker's own address; elsewhere not at all."""
        port, own = self._port("local"), self.asker.ip
        found = []
        for name, host in self.nodes.items():
            (said, *_more) = self._ask(host.ip, port, "clientip")
            source = said.rpartition(":")[0].strip("[]")
            if source != (own if name == self.local else ""):
                found.append(f"externalTrafficPolicy Local on {name}: {said!r}")
        return found

    def _health_ports(self) -> list[str]:
        """Every node answers: 200 where the pod is, 503 elsewhere."""
        service = self.cluster.core.read_namespaced_service("balanced", NAMESPACE)
        port, found = service.spec.health_check_node_port, []
        for name, host in self.nodes.items():
            command = ["curl", "-gsS", "--max-time", "3", "-o", "/dev/null", "-w", "%{http_code}",
                       f"http://{host.ip}:{port}/healthz"]  # fmt: skip
            code = self.asker.run(command, check=False).stdout
            if code != ("200" if name == self.local else "503"):
                found.append(f"healthCheckNodePort {port} on {name}: {code}")
        return found


def _pods(name: str, labels: dict[str, str], node: str = "") -> dict[str, Any]:
    port: dict[str, Any] = {"containerPort": 8080}
    container = {
        "name": "web", "image": IMAGE, "args": ["netexec", "--http-port=8080"],
        "ports": [port if node else {**port, "hostPort": HOST_PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }  # fmt: skip
    spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": 1, "tolerations": [{"operator": "Exists"}], "containers": [container],
    }  # fmt: skip
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template}}


def _wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s not yet: {what}"
        time.sleep(0.5)
