"""The hosts, and one cluster that grows as the tests go on: the files' numbers are the order of its life."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from meshlab import artifacts
from meshlab.host import Host
from meshlab.lab import Lab

from . import images
from .cluster import BINARY, DATA, Node
from .wait import until

GIVEN = os.environ.get("K3S_BINARY")


@dataclass(frozen=True)
class Cluster:
    """The machines, and what all servers of the cluster agree on."""

    server1: Node
    server2: Node
    server3: Node
    agent1: Node
    token: str
    agent_token: str

    @property
    def servers(self) -> tuple[Node, ...]:
        return self.server1, self.server2, self.server3

    @property
    def nodes(self) -> tuple[Node, ...]:
        return *self.servers, self.agent1

    def server_config(self, **more: Any) -> dict[str, Any]:
        """What every server has; keyword arguments are keys with underscores, None leaves a key out."""
        base: dict[str, Any] = {
            "token": self.token,
            "agent-token": self.agent_token,
            "flannel-backend": "none",
            "disable-network-policy": True,
            "disable": ["traefik", "servicelb", "metrics-server", "local-storage", "coredns"],
            "secrets-encryption": True,
            "tls-san": ["k3s.suite.test"],
        }
        base |= {key.replace("_", "-"): value for key, value in more.items()}
        return {key: value for key, value in base.items() if value is not None}

    def joining(self, through: Node, **more: Any) -> dict[str, Any]:
        return self.server_config(server=through.url, **more)

    def agent_config(self, through: Node, **more: Any) -> Mapping[str, Any]:
        return {"server": through.url, "token": self.agent_token, **more}


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Hosts without k3s; they stay if MESHLAB_KEEP is set, for a look at what went wrong."""
    found = Lab.open(prefix=os.environ.get("MESHLAB_PREFIX", "ks3"), topology="k3s")
    found.down()
    found.up()
    yield found
    if not os.environ.get("MESHLAB_KEEP"):
        found.down()


def _artifact(name: str) -> Path:
    return artifacts.ensure([name])[name]


@pytest.fixture(scope="session")
def binary() -> Path:
    path = Path(GIVEN) if GIVEN else _artifact("k3s") / "k3s"
    assert path.is_file(), f"{path}: no such file; K3S_BINARY must be the path of a k3s binary"
    return path


@pytest.fixture(scope="session")
def cluster(lab: Lab, binary: Path) -> Cluster:
    """The machines with the binary and nothing started."""

    def install(host: Host) -> Node:
        host.put(binary, BINARY, 0o755)
        for name in ("kubectl", "crictl", "ctr"):
            host.run(["ln", "-sf", "k3s", f"/usr/local/bin/{name}"])
        if GIVEN:
            # What the lab unpacked for its own containerd is not for another version: the way of an air-gapped host.
            host.run(["rm", "-rf", f"{DATA}/agent/containerd"])
            for name in ("agnhost-2.57.tar", "mirrored-pause-3.6.tar"):
                host.put(_artifact("images") / name, f"{DATA}/agent/images/{name}")
        node = Node(host, "agent" if host.role == "agent" else "server")
        node.install(node.role)
        return node

    with ThreadPoolExecutor() as pool:
        nodes = dict(zip(lab.hosts, pool.map(install, lab.hosts.values()), strict=True))
    return Cluster(**nodes, token=secrets.token_hex(16), agent_token=secrets.token_hex(16))


@pytest.fixture(scope="session")
def server1(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The first server, up: its configuration is spread over several files, as test_3_configuration wants it."""
    node = cluster.server1
    node.configure(
        cluster.server_config(
            cluster_init=True, write_kubeconfig_mode="0600",
            node_label=["suite/replaced=by-a-later-file"], node_taint=["suite/replaced=yes:PreferNoSchedule"],
        )
    )  # fmt: skip
    for name, content in DROP_INS.items():
        node.put(f"/etc/rancher/k3s/config.yaml.d/{name}", content)
    node.put("/etc/rancher/k3s/registries.yaml", REGISTRIES, 0o600)
    tar = images.archive(tmp_path_factory.mktemp("images") / "before.tar", "marker.suite.test/before:1")
    node.host.put(tar, f"{DATA}/agent/images/{tar.name}")
    node.install("server", "--write-kubeconfig-mode 0640")
    node.start()
    # k3s tells systemd that it is up when its API serves; the kubelet comes later.
    until(
        f"{node.name} is a node", lambda: node.kubectl("get", "node", node.name, "--ignore-not-found", "-o", "name"),
        bool, timeout=60,
    )  # fmt: skip
    return node


DROP_INS = {
    # Written in another order than they are read in.
    "20-second.yaml": "node-label+:\n  - suite/second=appended\nnode-taint+:\n  - suite/second=yes:PreferNoSchedule\n"
    "write-kubeconfig-mode: '0604'\n",
    "10-first.yaml": "node-label:\n  - suite/first=replaces\nnode-taint:\n  - suite/first=yes:PreferNoSchedule\n"
    "write-kubeconfig-mode: '0644'\n",
    "30-third.yml": "node-label+: suite/third=appended\nno-such-option-of-k3s: true\n",
    "40-ignored.txt": "node-label+:\n  - suite/ignored=yes\n",
}
REGISTRIES = {"mirrors": {"mirror.suite.test": {"endpoint": ["http://127.0.0.1:5099"]}}}


@pytest.fixture(scope="session")
def agent1(cluster: Cluster, server1: Node) -> Node:
    """An agent that joined while the first server was the only one, and has a kube-proxy."""
    node = cluster.agent1
    node.wipe()
    node.configure(cluster.agent_config(server1, **{"node-label": ["suite/agent=yes"]}))
    node.install("agent")
    node.start()
    return node


@pytest.fixture(scope="session")
def trio(cluster: Cluster, server1: Node, agent1: Node) -> Cluster:
    """Three servers, joined one after the other, and the agent; the two that came later have no kube-proxy."""
    secure = server1.read(f"{DATA}/server/token").strip()
    for node, token in ((cluster.server2, secure), (cluster.server3, cluster.token)):
        node.wipe()
        node.configure(cluster.joining(server1, token=token, disable_kube_proxy=True))
        node.install("server")
        node.start()
    return cluster
