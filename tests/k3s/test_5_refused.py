"""What a cluster does not let in: each attempt runs beside the service and changes nothing in the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from .cluster import BINARY, DATA, Node
from .conftest import Cluster

REFUSED = r"(?i)unauthorized|not authorized|forbidden"
OTHER_AUTHORITY = "0" * 64
# Key, value of the joining server, and whether it is tried in every run.
CRITICAL: list[tuple[str, Any, bool]] = [
    ("flannel-backend", "host-gw", True),
    ("disable-network-policy", False, True),
    ("cluster-cidr", "10.99.0.0/16", True),
    ("service-cidr", "10.98.0.0/16", False),
    ("cluster-dns", "10.43.0.11", False),
    ("cluster-domain", "other.local", False),
    ("secrets-encryption", False, True),
    ("secrets-encryption-provider", "secretbox", False),
    ("disable", ["traefik", "metrics-server", "local-storage", "coredns"], True),
    ("disable-cloud-controller", True, False),
    ("disable-helm-controller", True, False),
    ("embedded-registry", True, False),
    ("flannel-ipv6-masq", True, False),
    ("flannel-external-ip", True, False),
    ("egress-selector-mode", "disabled", False),
    ("supervisor-metrics", True, False),
]


@pytest.fixture
def outsider(cluster: Cluster) -> Node:
    """A machine that has nothing of k3s but the binary."""
    cluster.server2.wipe()
    return cluster.server2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(key, value, id=f"{key}={value if not isinstance(value, list) else 'without-servicelb'}",
                     marks=() if core else pytest.mark.full)
        for key, value, core in CRITICAL
    ],
)  # fmt: skip
def test_a_server_with_another_critical_value(
    cluster: Cluster, server1: Node, outsider: Node, key: str, value: Any
) -> None:
    """k3s docs, cli/server.md, critical configuration values; k3s issue 12745 for the message."""
    config = cluster.joining(server1) | {key: value}
    outsider.attempt("server", config, "critical configuration value mismatch")
    assert set(server1.members()) == {server1.name}


def test_a_server_with_a_wrong_token(cluster: Cluster, server1: Node, outsider: Node) -> None:
    """k3s docs, cli/token.md; k3s issue 2310 asks for this answer instead of an error of the server."""
    outsider.attempt("server", cluster.joining(server1, token="wrong"), REFUSED)
    assert set(server1.members()) == {server1.name}


def test_a_server_with_the_agents_token(cluster: Cluster, server1: Node, outsider: Node) -> None:
    """k3s docs, cli/server.md, agent-token: used to join agents, but not servers."""
    outsider.attempt("server", cluster.joining(server1, token=cluster.agent_token), REFUSED)
    assert set(server1.members()) == {server1.name}


@pytest.mark.parametrize("role", ["server", pytest.param("agent", marks=pytest.mark.full)])
def test_a_token_with_the_hash_of_another_authority(cluster: Cluster, server1: Node, outsider: Node, role: str) -> None:
    """k3s docs, cli/token.md: the joining node compares hashes before it sends its credentials."""
    token = f"K10{OTHER_AUTHORITY}::server:{cluster.token}"
    config = cluster.joining(server1, token=token) if role == "server" else {"server": server1.url, "token": token}
    outsider.attempt(role, config, "token CA hash does not match the Cluster CA certificate hash")


def test_an_agent_with_a_wrong_token(server1: Node, outsider: Node) -> None:
    """k3s issue 2470: the agent keeps trying and is told 401 each time."""
    outsider.attempt("agent", {"server": server1.url, "token": "wrong"}, REFUSED)
    assert not server1.succeeds(BINARY, "kubectl", "get", "node", outsider.name)


@pytest.mark.full
def test_another_token_for_the_datastore_that_is_there(cluster: Cluster, server1: Node) -> None:
    """k3s docs, cli/token.md, and k3s issue 4640: the bootstrap data are encrypted with the token."""
    token = server1.read(f"{DATA}/server/token")
    server1.stop()
    try:
        server1.attempt("server", cluster.server_config(token="wrong", cluster_init=True), "different token")
    finally:
        server1.start()
    assert server1.read(f"{DATA}/server/token") == token
