"""The workload of the probes on a cluster that is a dictionary."""

from __future__ import annotations

from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import service_probe_run as probing
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import service_probe_workload as workload
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import Node

NODES = {"server1": "192.168.0.1", "agent1": "192.168.0.2"}
OURS = {"spec": {"type": "NodePort", "clusterIPs": ["10.43.0.9"], "ports": [{"port": 80, "nodePort": 31000}]}}
DNS = {"spec": {"clusterIPs": ["10.43.0.10"], "ports": [
    {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53, "protocol": "TCP"},
]}}  # fmt: skip
API = {"spec": {"clusterIPs": ["10.43.0.1"], "ports": [{"port": 443, "protocol": "TCP"}]}}


class Cluster:
    def __init__(self, **services: Any) -> None:
        self.services = {
            f"probe/{workload.WEB}": OURS, "kube-system/kube-dns": DNS, "default/kubernetes": API, **services
        }  # fmt: skip
        self.applied: list[Any] = []
        self.namespaces: dict[str, Any] = {}
        self.ready = True

    def nodes(self) -> list[Any]:
        return [
            {"metadata": {"name": name}, "status": {"addresses": [{"type": "InternalIP", "address": address}]}}
            for name, address in NODES.items()
        ]

    def apply(self, wanted: Any) -> None:
        self.applied.append(wanted)
        if wanted["kind"] == "Namespace":
            self.namespaces[wanted["metadata"]["name"]] = wanted

    def get(self, kind: str, name: str, namespace: str = "") -> Any:
        if kind == "Namespace":
            return self.namespaces.get(name)
        found = self.services.get(f"{namespace}/{name}")
        return None if found is None else {"metadata": {"name": name, "namespace": namespace}, **found}

    def delete(self, _kind: str, name: str) -> None:
        del self.namespaces[name]

    def list(self, _kind: str, _namespace: str) -> list[Any]:
        kinds = {wanted["kind"] for wanted in self.applied}
        pods = [(workload.ASK, node) for node in NODES] if "DaemonSet" in kinds else []
        pods += [(workload.WEB, node) for node in NODES] if "Deployment" in kinds else []
        return [
            {
                "metadata": {"name": f"{part}-{node}", "uid": f"uid-{node}", "labels": {workload.LABEL: part}},
                "spec": {"nodeName": node},
                "status": {
                    "podIPs": [{"ip": f"10.42.0.{number}"}], "phase": "Pending",
                    "conditions": [{"type": "Ready", "status": str(self.ready)}],
                },
            }
            for number, (part, node) in enumerate(pods)
        ]  # fmt: skip


def there(kube: Cluster, **wish: Any) -> probing.There:
    found: Any = kube
    return probing.bring_up(found, probing.Wish("probe", "image", **{"timeout": 5, **wish}), clock=Turned())


def test_a_workload_of_its_own() -> None:
    kube = Cluster()
    found = there(kube)
    assert found.names() == ("agent1", "server1") and found.pods == {"server1": "uid-server1", "agent1": "uid-agent1"}
    offered = found.offered
    assert offered.load_balancers == () and offered.cluster_ips == (("10.43.0.9", 80),)
    assert offered.node_ports == (("192.168.0.2", 31000), ("192.168.0.1", 31000))
    assert offered.resolvers == (("10.43.0.10", 53),) and offered.kubernetes == (("10.43.0.1", 443),)
    assert set(offered.pods) == set(NODES) and (offered.protocol, offered.path) == ("http", "/hostname")
    kinds = [wanted["kind"] for wanted in kube.applied]
    assert kinds == ["Namespace", "Service", "PodDisruptionBudget", "Deployment", "DaemonSet"]
    with pytest.raises(TimedOut, match="0 pods on 2 nodes"):
        other: Any = Cluster()
        probing.bring_up(other, probing.Wish("probe", "image", timeout=5), make=False, clock=Turned())


def test_its_budget_lets_one_of_two_go() -> None:
    _namespace, _service, budget, web, _asking = workload.objects("probe", "image", True)
    assert (web["spec"]["replicas"], budget["spec"]["minAvailable"]) == (2, 1)
    labels = web["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert "hostNetwork" not in str(web)


def test_an_address_from_outside_is_waited_for() -> None:
    waiting = {"spec": {**OURS["spec"], "type": "LoadBalancer"}}
    with pytest.raises(TimedOut, match="without an address from outside"):
        there(Cluster(**{f"probe/{workload.WEB}": waiting}), load_balancer=True)
    given = {**waiting, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    kube = Cluster(**{f"probe/{workload.WEB}": given})
    assert there(kube, load_balancer=True).offered.load_balancers == (("192.0.2.1", 80),)
    assert [wanted["spec"]["type"] for wanted in kube.applied if wanted["kind"] == "Service"] == ["LoadBalancer"]


def test_a_service_that_is_there_already() -> None:
    own = {
        "spec": {
            "type": "ClusterIP", "externalTrafficPolicy": "Local", "clusterIPs": ["10.43.0.7", "fd00:43::7"],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 5432, "nodePort": 31001}],
        }
    }  # fmt: skip
    kube = Cluster(**{"db/postgres": own})
    offered = there(kube, service="db/postgres").offered
    assert [wanted["kind"] for wanted in kube.applied] == ["Namespace", "DaemonSet"]
    assert offered.cluster_ips == (("10.43.0.7", 5432), ("fd00:43::7", 5432))
    assert offered.node_ports == (), "a node without a pod of it rightly does not answer"
    assert offered.protocol == "tcp"
    assert there(kube, service="db/postgres", path="/health").offered.path == "/health"
    with pytest.raises(MeshwrightError, match="missing"):
        there(kube, service="db/mysql")
    udp = {"spec": {"clusterIPs": [], "ports": [{"port": 53, "protocol": "UDP"}]}}
    with pytest.raises(MeshwrightError, match="without a TCP port"):
        there(Cluster(**{"db/dns": udp}), service="db/dns")


def test_a_node_without_a_ready_pod() -> None:
    kube = Cluster()
    kube.ready = False
    with pytest.raises(TimedOut, match="probe-from-agent1 on agent1"):
        there(kube)


def test_it_is_taken_away_and_nothing_else() -> None:
    kube = Cluster()
    there(kube)
    known: Any = kube
    assert probing.take_down(known, "probe", Turned()) and not probing.take_down(known, "probe", Turned())
    kube.namespaces["shop"] = {"metadata": {"name": "shop"}}
    with pytest.raises(MeshwrightError, match="not one that was made for probes"):
        probing.take_down(known, "shop", Turned())
    assert "shop" in kube.namespaces


@pytest.mark.parametrize(
    ("names", "node"),
    [
        (["server1"], "server1"), (["SERVER1"], "server1"), (["pi", "192.168.0.2"], "agent1"), (["pi", ""], ""),
        (["pi", "fd00:0::7"], "six"),
    ],
)  # fmt: skip
def test_which_node_a_host_is(names: list[str], node: str) -> None:
    nodes = [*(Node(name, (address,)) for name, address in NODES.items()), Node("six", ("fd00::7",))]
    assert probing.node_of_host(nodes, names) == node
