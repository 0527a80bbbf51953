"""What the verifications of all scenarios ask: the lab of MESHLAB_PREFIX, and its cluster."""

from __future__ import annotations

import pytest
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.open()


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Cluster:
    return Cluster(lab.paths.kubeconfig)


@pytest.fixture(scope="module")
def members(lab: Lab) -> dict[str, Host]:
    """The hosts that are nodes of the cluster."""
    return {name: host for name, host in lab.hosts.items() if host.role in ("server", "agent")}
