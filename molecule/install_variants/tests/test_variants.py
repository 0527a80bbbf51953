"""A cluster of two families whose hosts downloaded nothing: what each option has become, by the things themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import time
from pathlib import Path

import pytest
import yaml
from kubernetes import client
from meshlab.cluster import Cluster
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook
from testinfra.host import Host

testinfra_hosts = ["ansible://k3s_cluster"]
SCENARIO = ROOT / "molecule/install_variants"
INVENTORY = ROOT / "inventories/lab"
TLS = "/var/lib/rancher/k3s/server/tls/etcd"
RANGE = (
    f"curl -sS --max-time 5 --cacert {TLS}/server-ca.crt --cert {TLS}/client.crt --key {TLS}/client.key "
    "-d '{}' https://127.0.0.1:2382/v3/kv/range"
)
IMAGES = {"cilium/cilium", "cilium/operator-generic", "mirrored-coredns-coredns", "mirrored-pause", "agnhost"}


@pytest.fixture(scope="module")
def arguments(cluster: Cluster) -> list[str]:
    """What the server runs with, as k3s itself notes it."""
    return list(json.loads(cluster.nodes()["server1"].metadata.annotations["k3s.io/node-args"]))


def site(playbook: str, *args: str) -> Run:
    return run_playbook(INVENTORY, playbook, "-i", str(SCENARIO / "inventory"), *args).succeeded()


# -- nothing was downloaded


def test_the_binary_is_the_controllers(host: Host, lab: Lab) -> None:
    given = json.loads(lab.paths.inventory.read_text())["all"]["vars"]["meshlab_k3s_binary"]
    with Path(given).open("rb") as file:
        assert host.file("/usr/local/bin/k3s").sha256sum == hashlib.file_digest(file, "sha256").hexdigest()


def test_the_agents_images_come_from_its_archives(lab: Lab, cluster: Cluster) -> None:
    """Its containerd began without any; no registry can be reached."""
    agent = lab.hosts["agent1"]
    assert agent.run(["ls", "/var/lib/rancher/k3s/agent/images"]).stdout.split() != []
    listed = agent.run(["k3s", "ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]).stdout
    assert {name for name in IMAGES if name in listed} == IMAGES
    assert cluster.ready() == {"server1", "agent1"}


def test_the_chart_comes_from_the_repository(cluster: Cluster) -> None:
    """The inventory names the chart and the repository's address; there is no other."""
    chosen = yaml.safe_load((SCENARIO / "inventory/group_vars/k3s_cluster.yml").read_text())
    assert chosen["cilium_chart"] == "cilium" and chosen["cilium_chart_repo_url"].startswith("{{ meshlab_files_url }}")
    releases = cluster.core.list_namespaced_secret("kube-system", label_selector="owner=helm,name=cilium").items
    assert [release.metadata.labels["status"] for release in releases if release.metadata.labels["version"] == "1"]


# -- two families


def test_every_node_has_addresses_and_pods_of_both_families(cluster: Cluster, lab: Lab) -> None:
    for name, node in cluster.nodes().items():
        addresses = {entry.address for entry in node.status.addresses if entry.type == "InternalIP"}
        assert addresses == {lab.hosts[name].ip, lab.hosts[name].ip6}
        assert [":" in cidr for cidr in node.spec.pod_cidrs] == [False, True]


def test_every_agent_serves_both_families(cluster: Cluster) -> None:
    for node in cluster.nodes():
        status = cluster.agent_status(node)
        assert status["cilium"]["state"] == "Ok"
        assert status["kube-proxy-replacement"]["mode"] == "True"
        assert status["ipam"]["ipv4"] and status["ipam"]["ipv6"], node


def test_traffic_passes_by_both_families() -> None:
    """Two pods ask each other, the service and both nodes, by each family's address."""
    shown = site("playbooks/validate.yml").output
    for line in ("pod to pod: 4 of 4", "pod to ClusterIP: 4 of 4", "pod to NodePort: 8 of 8", "DNS: 2 of 2"):
        assert line in shown, shown[-3000:]


# -- what the servers run with


def test_the_certificate_has_the_extra_name(cluster: Cluster, lab: Lab) -> None:
    authority = yaml.safe_load(lab.paths.kubeconfig.read_text())["clusters"][0]["cluster"]["certificate-authority-data"]
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    with (
        socket.create_connection((lab.hosts["server1"].ip, 6443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="api.lab.test") as secure,
    ):
        assert secure.version()


def test_secrets_are_encrypted_in_etcd(cluster: Cluster, lab: Lab) -> None:
    server = lab.hosts["server1"]
    body = {"metadata": {"name": "verify-encryption"}, "stringData": {"word": "planted-in-the-open"}}
    cluster.core.create_namespaced_secret("default", body)
    try:
        key = base64.b64encode(b"/registry/secrets/default/verify-encryption").decode()
        answer = server.run(["sh", "-c", RANGE.replace("{}", json.dumps({"key": key}))]).stdout
        stored = base64.b64decode(json.loads(answer)["kvs"][0]["value"])
    finally:
        cluster.core.delete_namespaced_secret("verify-encryption", "default")
    assert stored.startswith(b"k8s:enc:")
    assert b"planted-in-the-open" not in stored


def test_snapshots_are_taken_as_scheduled(lab: Lab, arguments: list[str]) -> None:
    """Every minute, and two are kept."""
    assert arguments[arguments.index("--etcd-snapshot-schedule-cron") + 1] == "* * * * *"
    assert arguments[arguments.index("--etcd-snapshot-retention") + 1] == "2"
    directory, deadline = "/var/lib/rancher/k3s/server/db/snapshots", time.monotonic() + 150
    before = set(lab.hosts["server1"].run(["ls", directory], check=False).stdout.split())
    while not (new := set(lab.hosts["server1"].run(["ls", directory], check=False).stdout.split()) - before):
        assert time.monotonic() < deadline, f"no snapshot in {directory} beside {sorted(before)}"
        time.sleep(2)
    assert all(name.startswith("etcd-snapshot-server1-") for name in new)


def test_containerd_asks_the_mirror(host: Host, lab: Lab) -> None:
    assert host.file("/etc/rancher/k3s/registries.yaml").mode == 0o600
    settings = host.file("/var/lib/rancher/k3s/agent/etc/containerd/certs.d/registry.lab.test/hosts.toml")
    assert f"http://{lab.hosts['files'].ip}:8000" in settings.content_string


def test_labels_and_taints_are_on_the_nodes(cluster: Cluster) -> None:
    nodes = cluster.nodes()
    assert [node.metadata.labels["lab.test/host"] for node in nodes.values()] == list(nodes)
    taints = {name: [taint.key for taint in node.spec.taints or []] for name, node in nodes.items()}
    assert taints == {"server1": [], "agent1": ["lab.test/kind"]}


# -- the Gateway API, asked for when the cluster is there


@pytest.fixture(scope="module")
def gateway(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    """There is no Envoy: its DaemonSet is for nodes that do not exist, so gateways are configured and carry nothing."""
    values = yaml.safe_load((INVENTORY / "group_vars/k3s_cluster.yml").read_text())["meshlab_cilium_values"]
    values |= {"l7Proxy": True, "envoy": {"enabled": True, "nodeSelector": {"lab.test/envoy": "nowhere"}}}
    asked = {
        "cilium_gateway_api": True,
        "cilium_gateway_api_crds": str(lab.paths.root / "state/gateway-api"),
        "cilium_values": values,
    }
    file = tmp_path_factory.mktemp("gateway") / "asked.json"
    file.write_text(json.dumps(asked))
    return f"@{file}"


def operators(cluster: Cluster) -> set[str]:
    pods = cluster.core.list_namespaced_pod("kube-system", label_selector="io.cilium/app=operator").items
    return {pod.metadata.uid for pod in pods if not pod.metadata.deletion_timestamp}


def created(cluster: Cluster) -> int:
    """How many operators there have been."""
    chosen = "reason=SuccessfulCreate,involvedObject.kind=ReplicaSet"
    events = cluster.core.list_namespaced_event("kube-system", field_selector=chosen).items
    return sum(event.count or 1 for event in events if event.involved_object.name.startswith("cilium-operator-"))


def accepted(cluster: Cluster) -> str:
    """What the operator made of the chart's GatewayClass."""
    api = client.CustomObjectsApi(cluster.core.api_client)
    found = api.get_cluster_custom_object("gateway.networking.k8s.io", "v1", "gatewayclasses", "cilium")
    conditions = {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}
    return str(conditions.get("Accepted", "nothing"))


def test_the_operator_finds_crds_that_come_later(cluster: Cluster, gateway: str) -> None:
    before, made = operators(cluster), created(cluster)
    site("playbooks/cilium.yml", "--extra-vars", gateway)
    assert not operators(cluster) & before, "every operator is a new one"
    assert created(cluster) - made == len(before), "the change of the release restarts it, and nothing else does"
    api = client.ApiextensionsV1Api(cluster.core.api_client)
    routes = api.read_custom_resource_definition("httproutes.gateway.networking.k8s.io")
    assert routes.metadata.annotations["gateway.networking.k8s.io/bundle-version"] == "v1.6.1"
    deadline = time.monotonic() + 120
    while (seen := accepted(cluster)) != "True":
        assert time.monotonic() < deadline, f"Accepted of the GatewayClass is {seen}"
        time.sleep(1)


def test_a_second_run_leaves_the_operator_alone(cluster: Cluster, gateway: str) -> None:
    before = operators(cluster)
    assert set(site("playbooks/cilium.yml", "--extra-vars", gateway).changed.values()) == {0}
    assert operators(cluster) == before
