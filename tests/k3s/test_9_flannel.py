"""Three servers and an agent with flannel, and what is left of it once k3s runs without: a migration rests on that.

The cluster of the files before is gone; this one is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from . import flannel
from .cluster import DATA, Node
from .conftest import Cluster
from .objects import wait_running
from .wait import throughout, until

pytestmark = pytest.mark.full
CONTAINERD = f"{DATA}/agent/etc/containerd/config.toml"
DROP_IN = "/etc/rancher/k3s/config.yaml.d/50-network.yaml"
WITHOUT = {"flannel-backend": "none", "disable-network-policy": True}


@pytest.fixture(scope="module")
def net(cluster: Cluster) -> Iterator[Cluster]:
    """Flannel's default backend; the network policy controller, where there is one, stays out of the way."""
    for node in cluster.nodes:
        node.wipe()
        flannel.forget(node)
    first, options = cluster.server1, {"flannel_backend": None, "disable_network_policy": False}
    first.configure(cluster.server_config(cluster_init=True, **options))
    first.install("server")
    first.start()
    for node in (cluster.server2, cluster.server3):
        node.configure(cluster.joining(first, **options))
        node.install("server")
        node.start()
    cluster.agent1.configure(cluster.agent_config(first))
    cluster.agent1.install("agent")
    cluster.agent1.start()
    flannel.wait_ready(first, *cluster.nodes)
    yield cluster
    for node in cluster.nodes:
        node.wipe()
        flannel.forget(node)


@pytest.fixture(scope="module")
def pods(net: Cluster) -> dict[str, str]:
    """Addresses of a pod on two servers and on the agent, which answer their own names."""
    nodes = (net.server1, net.server2, net.agent1)
    net.server1.apply(*(flannel.networked(f"on-{node.name}", node) for node in nodes))
    for node in nodes:
        wait_running(net.server1, f"on-{node.name}")
    return {node.name: flannel.address(net.server1, f"on-{node.name}") for node in nodes}


def hostname(node: Node, address: str) -> str:
    return flannel.asks(node, f"http://{address}:8080/hostname")


def all_reach(net: Cluster, pods: dict[str, str]) -> list[str]:
    """Whom somebody does not reach."""
    hosts = (net.server1, net.server2, net.server3, net.agent1)
    return [
        f"{host.name} → {name}" for host in hosts for name, address in pods.items()
        if hostname(host, address) != f"on-{name}"
    ]  # fmt: skip


def overlaid(node: Node) -> set[str]:
    return {cidr for cidr, way in flannel.routes(node).items() if way["dev"] == "flannel.1"}


def test_nodes_tell_each_other_by_annotations(net: Cluster) -> None:
    """flannel: pkg/subnet/kube: backend, public address and the MAC of flannel.1, under flannel.alpha.coreos.com."""
    for node in net.nodes:
        notes = flannel.notes(net.server1, node)
        assert (notes["backend-type"], notes["public-ip"], notes["kube-subnet-manager"]) == ("vxlan", node.ip, "true")
        assert node.run("cat", "/sys/class/net/flannel.1/address").strip() in notes["backend-data"]


def test_each_node_has_a_way_to_each_other_ones_pods(net: Cluster, pods: dict[str, str]) -> None:
    """flannel: pkg/backend/vxlan: a route over flannel.1 for each podCIDR."""
    cidrs = {node.name: net.server1.get("node", node.name)["spec"]["podCIDR"] for node in net.nodes}
    for node in net.nodes:
        others = {cidr for name, cidr in cidrs.items() if name != node.name}
        until(f"{node.name}: routes", partial(overlaid, node), others.__eq__, 30)
    until("pods answer on every node", lambda: all_reach(net, pods), lambda missing: missing == [], 30)


def test_a_server_that_restarts_is_not_compared(net: Cluster, pods: dict[str, str]) -> None:
    """k3s: pkg/cluster/bootstrap.go: critical values are compared by a server that joins; one whose datastore is there
    starts with flannel-backend none while the other two have vxlan."""
    net.server1.put(DROP_IN, WITHOUT)
    net.server1.restart()
    assert "mismatch" not in net.server1.journal()
    assert f"{DATA}/agent/etc/cni" not in net.server1.read(CONTAINERD)
    until("members", net.server2.members, lambda seen: seen == dict.fromkeys(
        (node.name for node in net.servers), True), 60)  # fmt: skip


def test_flannel_leaves_its_network_behind(net: Cluster, pods: dict[str, str]) -> None:
    """k3s: install.sh, k3s-killall.sh: links, rules and files are that script's to remove; k3s takes none of it back.
    So pods of both kinds of node go on reaching each other, both ways."""
    assert "flannel.1" in net.server1.run("ip", "-o", "link")
    assert "FLANNEL-POSTRTG" in net.server1.run("iptables-save", "-t", "nat")
    assert net.server1.exists(flannel.CONF) and net.server1.exists(flannel.SUBNET)
    throughout("pods answer on every node", lambda: all_reach(net, pods), lambda missing: missing == [], 10)


def test_such_a_node_is_not_ready(net: Cluster) -> None:
    """k3s docs, networking/basic-network-options.md, custom CNI: containerd finds none in /etc/cni/net.d."""

    def look() -> str:
        conditions = net.server2.get("node", net.server1.name)["status"]["conditions"]
        return str(next(item["message"] for item in conditions if item["type"] == "Ready"))

    until("server1 misses a CNI", look, lambda said: "cni" in said.lower(), 60)


def test_an_agent_keeps_flannel_until_it_restarts(net: Cluster, pods: dict[str, str]) -> None:
    """k3s: pkg/agent/config/config.go: the backend comes from the server that the agent asks when it starts."""
    for node in (net.server2, net.server3):
        node.put(DROP_IN, WITHOUT)
        node.restart()
    assert f"{DATA}/agent/etc/cni" in net.agent1.read(CONTAINERD)
    assert all_reach(net, pods) == []
    net.agent1.restart()
    look = lambda: net.agent1.read(CONTAINERD)  # noqa: E731
    until("containerd's configuration", look, lambda seen: f"{DATA}/agent/etc/cni" not in seen, 30)
    assert all_reach(net, pods) == []


def test_flannel_comes_back(net: Cluster, pods: dict[str, str]) -> None:
    """The same the other way: a server whose drop-in is gone runs flannel again, with the same MAC."""
    before = flannel.notes(net.server1, net.server1)
    net.server1.run("rm", DROP_IN)
    net.server1.restart()
    flannel.wait_ready(net.server1, net.server1)
    assert flannel.notes(net.server1, net.server1) == before
    until("pods answer on every node", lambda: all_reach(net, pods), lambda missing: missing == [], 30)
