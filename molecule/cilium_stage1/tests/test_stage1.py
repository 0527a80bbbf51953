"""The things themselves after site.yml: nodes, agents' own status, rules, traffic; then a second and a dry run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from meshlab import fingerprint
from meshlab.cluster import Cluster
from meshlab.host import Host as Member
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook
from testinfra.host import Host

testinfra_hosts = ["ansible://k3s_cluster"]
INVENTORY = ROOT / "inventories" / "lab"
NAMESPACE = "verify-stage1"
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.57"


def test_all_nodes_are_ready_and_untainted(cluster: Cluster, members: dict[str, Member]) -> None:
    assert cluster.ready() == set(members)
    taints = [taint.key for node in cluster.nodes().values() for taint in node.spec.taints or []]
    assert "node.cilium.io/agent-not-ready" not in taints


def test_every_agent_is_healthy_and_leaves_services_to_kube_proxy(cluster: Cluster, members: dict[str, Member]) -> None:
    for node in members:
        status = cluster.agent_status(node)
        assert status["cilium"]["state"] == "Ok", node
        assert status["kube-proxy-replacement"]["mode"] == "False", node
        failing = [item["name"] for item in status["controllers"] if item["status"].get("consecutive-failure-count")]
        assert failing == [], node


def unreached(cluster: Cluster, node: str) -> set[str]:
    """Nodes that the agent on a node did not reach in its last round; it makes one every minute or two."""
    pod = cluster.agents()[node].metadata.name
    shown = cluster.exec("kube-system", pod, ["cilium-health", "status", "-o", "json"], "cilium-agent")
    # Before the first round there are no nodes, and before a node's first probe no address.
    reached = {
        entry["name"].rpartition("/")[2]
        for entry in json.loads(shown).get("nodes") or []
        if (probes := entry["host"].get("primary-address"))
        and all(probes.get(kind) and not probes[kind].get("status") for kind in ("icmp", "http"))
    }
    return set(cluster.nodes()) - reached


def test_kube_proxy_holds_the_service_rules(host: Host) -> None:
    assert "KUBE-SVC-" in host.check_output("iptables-save -t nat")


@pytest.fixture(scope="module")
def workload(cluster: Cluster) -> Iterator[str]:
    """A pod with a hostPort on each node and a NodePort service over them."""
    labels = {"app": "verify"}
    container = {
        "name": "web",
        "image": IMAGE,
        "args": ["netexec", "--http-port=8080"],
        "ports": [{"containerPort": 8080, "hostPort": 18080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 1, "tolerations": [{"operator": "Exists"}], "containers": [container]}
    daemons = {
        "metadata": {"name": "web", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
    ports = [{"port": 80, "targetPort": 8080, "nodePort": 30880}]
    service = {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": labels, "ports": ports}}
    cluster.core.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        cluster.apps.create_namespaced_daemon_set(NAMESPACE, daemons)
        cluster.core.create_namespaced_service(NAMESPACE, service)
        deadline = time.monotonic() + 90
        while True:
            status = cluster.apps.read_namespaced_daemon_set("web", NAMESPACE).status
            if status.number_ready and status.number_ready == status.desired_number_scheduled:
                break
            assert time.monotonic() < deadline, f"the workload is not ready: {status}"
            time.sleep(0.5)
        yield "web"
    finally:
        cluster.core.delete_namespace(NAMESPACE)


def answer(host: Host, url: str) -> str:
    return host.check_output(f"curl -sS --max-time 5 --retry 3 --retry-connrefused --retry-delay 1 {url}/hostname")


def test_host_port_and_node_port_answer_on_every_node(host: Host, members: dict[str, Member], workload: str) -> None:
    for member in members.values():
        assert answer(host, f"http://{member.ip}:18080").startswith("web-")
        assert answer(host, f"http://{member.ip}:30880").startswith("web-")


def test_the_cluster_address_reaches_pods_on_other_nodes(host: Host, cluster: Cluster, workload: str) -> None:
    """Asked for by the host, the pod on it sends twelve requests to the service's address."""
    address = cluster.core.read_namespaced_service(workload, NAMESPACE).spec.cluster_ip
    own = host.check_output("hostname")
    pods = cluster.core.list_namespaced_pod(NAMESPACE, label_selector="app=verify").items
    pod_ip = next(pod.status.pod_ip for pod in pods if pod.spec.node_name == own)
    query = f"host={address}&port=80&protocol=http&request=hostname&tries=12"
    seen = json.loads(host.check_output(f"curl -sS --max-time 20 'http://{pod_ip}:8080/dial?{query}'"))
    assert not seen.get("errors"), seen
    assert len(seen["responses"]) > 1, "all twelve requests were answered by one pod"


@pytest.fixture
def everything(lab: Lab, members: dict[str, Member]) -> Callable[[], dict[str, str]]:
    """Takes the state of all that must not change."""
    return lambda: fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)


def untouched(everything: Callable[[], dict[str, str]], *args: str) -> Run:
    before = everything()
    run = run_playbook(INVENTORY, "site.yml", *args).succeeded()
    print(f"site.yml {' '.join(args)}: {run.seconds:.1f} s")
    assert fingerprint.difference(before, everything()) == []
    return run


def test_a_second_run_changes_nothing(everything: Callable[[], dict[str, str]]) -> None:
    assert set(untouched(everything).changed.values()) == {0}


def test_a_dry_run_on_the_live_cluster_changes_nothing(everything: Callable[[], dict[str, str]]) -> None:
    assert set(untouched(everything, "--check", "--diff").changed.values()) == {0}


def test_every_agent_reaches_every_node(cluster: Cluster, members: dict[str, Member]) -> None:
    """The last test of this file: meanwhile the agents have made their rounds."""
    deadline = time.monotonic() + 330  # two rounds and a half
    for node in sorted(members):
        while missing := unreached(cluster, node):
            assert time.monotonic() < deadline, f"{node} does not reach {sorted(missing)}"
            time.sleep(5)
