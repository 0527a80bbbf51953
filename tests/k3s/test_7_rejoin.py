"""Servers and agents that lost something and come back."""

from __future__ import annotations

import pytest

from .cluster import DATA, Node
from .conftest import Cluster
from .objects import voters
from .wait import until

DB = f"{DATA}/server/db"
NOBODY = "https://127.0.0.1:9"


def wait_voters(server: Node, *nodes: Node) -> None:
    wanted = dict.fromkeys((node.name for node in nodes), "True")
    until(f"{server.name}: voters", lambda: voters(server), lambda seen: seen == wanted, 90)
    until(f"{server.name}: members", server.members, lambda seen: seen == dict.fromkeys(wanted, True), 30)


def delete_node(server: Node, node: Node) -> None:
    server.kubectl("delete", "node", node.name, "--wait=true", timeout=60)


def member_ids(server: Node) -> dict[str, str]:
    """Which member is whose: a node that rejoins has the name of the old member, but not its id."""
    members = server.etcd("/v3/cluster/member/list", {})["members"]
    return {member["ID"]: member.get("name", "").rpartition("-")[0] for member in members}


def id_of(server: Node, node: Node) -> str:
    return next(number for number, name in member_ids(server).items() if name == node.name)


def wait_removed(server: Node, number: str) -> None:
    until(f"member {number} is removed", lambda: member_ids(server), lambda seen: number not in seen, 60)


def cluster_id(server: Node) -> str:
    return str(server.get("namespace", "kube-system")["metadata"]["uid"])


def test_an_initialised_datastore_ignores_the_server_to_join(trio: Cluster) -> None:
    """k3s docs, cli/server.md; k3s: pkg/cluster/bootstrap.go: server: is for an empty datastore only."""
    wait_voters(trio.server1, *trio.servers)
    before = member_ids(trio.server1)
    trio.server2.configure(trio.server_config(server=NOBODY, disable_kube_proxy=True))
    trio.server2.restart()
    trio.server2.configure(trio.joining(trio.server1, disable_kube_proxy=True))
    wait_voters(trio.server1, *trio.servers)
    assert member_ids(trio.server1) == before


def test_the_old_member_is_in_the_way_until_its_node_is_deleted(trio: Cluster) -> None:
    """k3s issues 10408 and 4210: duplicate node name; k3s: pkg/etcd/member_controller.go removes it with the Node."""
    node = trio.server3
    node.stop()
    node.run("rm", "-rf", DB)
    node.launch()
    node.wait_said("duplicate node name found", 60)
    old = id_of(trio.server1, node)
    delete_node(trio.server1, node)
    wait_removed(trio.server1, old)
    node.wait_active()
    wait_voters(trio.server1, *trio.servers)


@pytest.mark.full
def test_deleting_the_node_of_a_live_server_puts_it_out_until_its_database_goes(trio: Cluster) -> None:
    """k3s issue 13498: the member is removed, k3s on it ends, and does not come back with the old files."""
    node, old = trio.server3, id_of(trio.server1, trio.server3)
    delete_node(trio.server1, node)
    wait_removed(trio.server1, old)
    node.wait_said("removed from the cluster", 60)
    assert node.name not in trio.server1.members()
    node.stop()
    node.run("rm", "-rf", DB)
    node.start()
    wait_voters(trio.server1, *trio.servers)


@pytest.mark.full
def test_an_empty_datastore_without_a_server_to_join_makes_another_cluster(trio: Cluster) -> None:
    """k3s issue 13623: even with the same token, and though the old cluster still answers."""
    node = trio.server3
    old = id_of(trio.server1, node)
    node.wipe()
    node.configure(trio.server_config(cluster_init=True, disable_kube_proxy=True))
    node.start()
    assert cluster_id(node) != cluster_id(trio.server1)
    assert set(node.members()) == {node.name}
    node.wipe()
    delete_node(trio.server1, node)
    wait_removed(trio.server1, old)
    node.configure(trio.joining(trio.server2, disable_kube_proxy=True))
    node.start()
    assert cluster_id(node) == cluster_id(trio.server1)
    wait_voters(trio.server1, *trio.servers)


def test_a_wiped_agent_is_refused_until_its_node_is_deleted(trio: Cluster) -> None:
    """k3s docs, architecture.md, how agent node registration works; k3s issues 746 and 802 for message and remedy."""
    node, server = trio.agent1, trio.server1

    def secret() -> str:
        found = server.get("secret", "-n", "kube-system", f"{node.name}.node-password.k3s")
        return str(found["metadata"]["uid"])

    old = secret()
    node.wipe()
    node.configure(trio.agent_config(server))
    node.launch()
    node.wait_said("Node password rejected", 60)
    assert secret() == old
    delete_node(server, node)
    node.wait_active()
    until("the agent's Node", lambda: server.get("node", node.name)["status"]["conditions"], bool, 30)
    until("another password secret", secret, lambda seen: seen != old, 30)


@pytest.mark.full
def test_an_agent_restarts_with_the_server_token_too(trio: Cluster) -> None:
    """k3s docs, cli/token.md: the server token can be used to join both servers and agents."""
    trio.agent1.configure({"server": trio.server2.url, "token": trio.token})
    trio.agent1.restart()
