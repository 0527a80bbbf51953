"""What the verifications of all scenarios ask: the lab of MESHLAB_PREFIX, and its cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook

Play = Callable[..., Run]


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


@pytest.fixture(scope="session")
def play() -> Play:
    """Runs a playbook with the inventories that Molecule gives to those of the scenario: the lab's, and its own."""
    own = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", "nowhere")) / "inventory"
    extra = ("-i", str(own)) if own.is_dir() else ()

    def run(playbook: str, *args: str, **options: Any) -> Run:
        return run_playbook(ROOT / "inventories" / "lab", playbook, *extra, *args, **options)

    return run
