"""One server with k3s's own defaults: flannel on, no token given. It is gone again before the cluster is made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from .cluster import BINARY, DATA, KUBECONFIG, Node
from .conftest import Cluster

pytestmark = pytest.mark.full
CONTAINERD = f"{DATA}/agent/etc/containerd/config.toml"
CNI = f"{DATA}/agent/etc/cni/net.d"


@pytest.fixture(scope="module")
def alone(cluster: Cluster) -> Iterator[Node]:
    node = cluster.agent1
    node.configure(
        {
            "cluster-init": True, "node-label": ["suite/file=yes"],
            "disable": ["traefik", "servicelb", "metrics-server", "local-storage", "coredns"],
        }
    )  # fmt: skip
    node.install("server", "--node-label suite/line=yes")
    node.start()
    yield node
    node.wipe()


def test_makes_a_token_in_secure_form(alone: Node) -> None:
    """k3s docs, cli/token.md: without one given it is random, and written as K10<hash of the CA>::user:password."""
    token = alone.read(f"{DATA}/server/token").strip()
    prefix, _, password = token.partition("::server:")
    authority = alone.read(f"{DATA}/server/tls/server-ca.crt").encode()
    assert prefix == f"K10{hashlib.sha256(authority).hexdigest()}"
    assert len(password) >= 16


def test_agent_token_is_the_server_token(alone: Node) -> None:
    """k3s docs, cli/token.md: without an agent token that file is a link to the server's."""
    assert alone.read(f"{DATA}/server/agent-token") == alone.read(f"{DATA}/server/token")


def test_kubeconfig_is_for_root_alone(alone: Node) -> None:
    """k3s docs, cli/server.md, write-kubeconfig-mode: 600 by default."""
    assert alone.mode(KUBECONFIG) == "600"


def test_a_list_on_the_command_line_replaces_that_of_the_file(alone: Node) -> None:
    """k3s docs, installation/configuration.md: arguments take precedence and overwrite all values of a list."""
    labels = alone.get("node", alone.name)["metadata"]["labels"]
    assert (labels.get("suite/line"), labels.get("suite/file")) == ("yes", None)


def test_secrets_are_not_encrypted_unless_asked_for(alone: Node) -> None:
    """k3s docs, cli/secrets-encrypt.md: `k3s secrets-encrypt status`."""
    assert "Encryption Status: Disabled" in alone.run(BINARY, "secrets-encrypt", "status")


def test_containerd_looks_for_cni_below_k3s(alone: Node) -> None:
    """k3s docs, networking/multus-ipams.md, and k3s issue 10868: with flannel both directories are k3s's own."""
    config = alone.read(CONTAINERD)
    assert f'"{CNI}"' in config
    assert f'"{DATA}/data/' in config
