"""Faults on the running lab of MESHLAB_PREFIX: each test leaves the cluster whole again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook
from waiting import until

INVENTORY = ROOT / "inventories" / "lab"


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab as `make up` left it."""
    return Lab.open()


@pytest.fixture(scope="session")
def kubeconfig(lab: Lab) -> Path:
    return lab.paths.kubeconfig


@pytest.fixture
def api(kubeconfig: Path) -> client.CoreV1Api:
    """A client of its own for each test: a server that it talked to may be gone in the next."""
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


def api_of(kubeconfig: Path, address: str) -> client.CoreV1Api:
    """The API as one server answers it."""
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    settings.host = f"https://{address}:6443"
    settings.retries = 0
    return client.CoreV1Api(client.ApiClient(settings))


def site(*args: str, **options: object) -> Run:
    """site.yml on the lab; all other options are run_playbook's."""
    return run_playbook(INVENTORY, "site.yml", *args, **options)  # type: ignore[arg-type]


def voters(api: client.CoreV1Api) -> set[str]:
    """Nodes whose EtcdIsVoter and Ready conditions are both True."""
    return {
        node.metadata.name
        for node in api.list_node().items
        if {"EtcdIsVoter", "Ready"} <= {cond.type for cond in node.status.conditions if cond.status == "True"}
    }


def ready_nodes(api: client.CoreV1Api) -> set[str]:
    return {
        node.metadata.name
        for node in api.list_node().items
        if any(cond.type == "Ready" and cond.status == "True" for cond in node.status.conditions)
    }


@pytest.fixture
def whole_cluster(lab: Lab, kubeconfig: Path) -> Iterator[None]:
    """The test starts from, and must leave, three voters and all nodes Ready."""
    _wait_whole(lab, kubeconfig)
    yield
    _wait_whole(lab, kubeconfig)


def _wait_whole(lab: Lab, kubeconfig: Path) -> None:
    servers = [host for host in lab.hosts.values() if host.role == "server"]
    nodes = {name for name, host in lab.hosts.items() if host.role in ("server", "agent")}
    first = servers[0].ip
    until(lambda: len(voters(api_of(kubeconfig, first))) == len(servers), "every server a Ready etcd voter", 180)
    until(lambda: ready_nodes(api_of(kubeconfig, first)) == nodes, f"nodes {sorted(nodes)} Ready", 180)
