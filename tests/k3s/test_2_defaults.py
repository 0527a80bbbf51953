"""One server with k3s's own defaults: flannel on, no token given. It is gone again before the cluster is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from . import flannel
from .cluster import BINARY, DATA, KUBECONFIG, Node
from .conftest import Cluster
from .objects import wait_running
from .wait import until

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
    flannel.forget(node)


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


def test_flannel_writes_its_cni_configuration(alone: Node) -> None:
    """k3s: pkg/agent/flannel/setup.go: 10-flannel.conflist, with the plugins flannel, portmap and bandwidth."""
    plugins = [plugin["type"] for plugin in json.loads(alone.read(flannel.CONF))["plugins"]]
    assert plugins == ["flannel", "portmap", "bandwidth"]
    directory = alone.read(CONTAINERD).split("bin_dir")[1].split('"')[1]
    for name in ("flannel", "bridge", "host-local", "loopback", "portmap"):
        assert alone.exists(f"{directory}/{name}"), name


def test_flannel_takes_the_nodes_part_of_the_pods_network(alone: Node) -> None:
    """k3s docs, networking/basic-network-options.md: vxlan by default; flannel: pkg/subnet: /run/flannel/subnet.env."""
    flannel.wait_ready(alone, alone)
    spec = alone.get("node", alone.name)["spec"]
    env = flannel.subnet_env(alone)
    assert env["FLANNEL_NETWORK"] == "10.42.0.0/16" and env["FLANNEL_IPMASQ"] == "true"
    assert env["FLANNEL_SUBNET"] == spec["podCIDR"].replace(".0/24", ".1/24")
    link = alone.run("ip", "-details", "link", "show", "flannel.1")
    assert f"mtu {env['FLANNEL_MTU']}" in link and "vxlan id 1" in link
    notes = flannel.notes(alone, alone)
    assert (notes["backend-type"], notes["public-ip"]) == ("vxlan", alone.ip)


def test_flannel_masquerades_and_lets_pods_forward(alone: Node) -> None:
    """flannel: pkg/trafficmngr/iptables: FLANNEL-POSTRTG and FLANNEL-FWD."""
    until("rules", lambda: alone.run("iptables-save"), lambda s: "FLANNEL-POSTRTG" in s and "FLANNEL-FWD" in s, 30)


def test_a_pod_gets_an_address_of_the_node(alone: Node) -> None:
    """k3s docs, networking/basic-network-options.md: flannel works without anything else."""
    alone.apply(flannel.networked("pod", alone))
    wait_running(alone, "pod")
    address = flannel.address(alone, "pod")
    assert address.rsplit(".", 1)[0] == flannel.subnet_env(alone)["FLANNEL_SUBNET"].rsplit(".", 1)[0]
    assert flannel.asks(alone, f"http://{address}:8080/hostname") == "pod"
    alone.kubectl("delete", "pod", "pod", "--grace-period=0", "--force")
