"""The binary by itself, before anything is started."""

from __future__ import annotations

import re

import pytest

from .cluster import BINARY, Node
from .conftest import Cluster


@pytest.fixture(scope="module")
def node(cluster: Cluster) -> Node:
    return cluster.server1


def test_version_names_k3s_its_commit_and_go(node: Node) -> None:
    """k3s issue 6756 and many others: `k3s version vX.Y.Z+k3sN (commit)`, then the version of Go."""
    first, second = node.run(BINARY, "--version").strip().splitlines()[:2]
    assert re.fullmatch(r"k3s version v\d+\.\d+\.\d+\S*\+k3s\S+ \([0-9a-f]{8,}\)", first), first
    assert re.fullmatch(r"go version go1\.\d+\S*", second), second


@pytest.mark.parametrize("tool", ["kubectl", "crictl", "ctr"])
def test_carries_the_tools_under_their_names(node: Node, tool: str) -> None:
    """k3s docs, cli/cli.md: `k3s kubectl`, `k3s crictl`, `k3s ctr`; and called through a link of that name."""
    question = ["version", "--client"] if tool == "kubectl" else ["--version"]
    assert node.run(BINARY, tool, *question)
    assert node.run(f"/usr/local/bin/{tool}", *question) == node.run(BINARY, tool, *question)


def test_kubectl_is_of_the_same_kubernetes_version(node: Node) -> None:
    """k3s docs, cli/cli.md: the embedded kubectl is that of the release."""
    release = node.run(BINARY, "--version").split()[2]
    assert release in node.run(BINARY, "kubectl", "version", "--client")


def test_generates_a_bootstrap_token_without_a_server(node: Node) -> None:
    """k3s docs, cli/token.md: `k3s token generate` prints [a-z0-9]{6}.[a-z0-9]{16} and creates nothing."""
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", node.run(BINARY, "token", "generate").strip())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--server", "https://127.0.0.1:6443"], "token"),
        (["--token", "some-token"], "server"),
    ],
    ids=["no-token", "no-server"],
)
def test_agent_needs_a_server_and_a_token(node: Node, arguments: list[str], says: str) -> None:
    """k3s docs, cli/agent.md: both are required; k3s: pkg/cli/agent/agent.go."""
    done = node.host.run(["timeout", "20", BINARY, "agent", *arguments], check=False)
    assert done.returncode not in (0, 124)
    assert says in done.stdout + done.stderr


def test_server_flags_are_not_agent_flags(node: Node) -> None:
    """k3s docs, cli/agent.md: an agent cannot be told to run without kube-proxy; it asks a server."""
    done = node.host.run(["timeout", "20", BINARY, "agent", "--disable-kube-proxy"], check=False)
    assert done.returncode not in (0, 124)
    assert "flag provided but not defined" in done.stdout + done.stderr
