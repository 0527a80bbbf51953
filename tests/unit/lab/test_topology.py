from __future__ import annotations

import json
from pathlib import Path

import pytest
from meshlab import topology
from meshlab.errors import LabError


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("default", ["files", "server1", "server2", "server3", "agent1", "udm", "client"]),
        ("small", ["files", "server1", "agent1"]),
        ("dual", ["files", "server1", "agent1"]),
        ("k3s", ["server1", "server2", "server3", "agent1"]),
        ("routers", ["udm", "vyos1", "vyos2", "frr1", "client"]),
        ("bgp_v6", ["files", "server1", "agent1", "agent2", "vyos1", "vyos2", "client"]),
        ("bgp_dual", ["files", "server1", "agent1", "vyos1", "udm", "client"]),
        ("bgp_faults", ["files", "server1", "agent1", "udm", "vyos1", "frr1", "client"]),
        ("l2", ["files", "server1", "agent1", "udm", "client"]),
        ("stage2", ["files", "server1", "server2", "server3", "agent1", "agent2", "udm", "client"]),
    ],
)
def test_the_committed_topologies(name: str, hosts: list[str]) -> None:
    loaded = topology.load(name)
    assert [host.name for host in loaded.hosts] == hosts
    assert (loaded.files_host is None) == (name in ("k3s", "routers"))


def test_an_unknown_topology_names_the_known_ones() -> None:
    with pytest.raises(LabError, match="there are: bgp_dual, bgp_faults, bgp_v6, default, dual, flannel, k3s, l2, "):
        topology.load("huge")


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ([("a", "server", 11), ("a", "agent", 12)], "same name"),
        ([("a", "server", 11), ("b", "agent", 11)], "same address"),
        ([("a", "master", 11)], "has role master"),
        ([("a", "server", 1)], "2 to 254"),
        ([("a", "vyos", 3)], "host a: a host of role vyos, and no other, has a version"),
    ],
)
def test_a_bad_topology_is_refused(tmp_path: Path, hosts: list[tuple[str, str, int]], message: str) -> None:
    entries = [{"name": name, "role": role, "address": address} for name, role, address in hosts]
    (tmp_path / "bad.json").write_text(json.dumps({"hosts": entries}))
    with pytest.raises(LabError, match=message):
        topology.load("bad", tmp_path)


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps({"hosts": [], "families": ["ipx"]}))
    with pytest.raises(LabError, match=r"families are \['ipx'\]"):
        topology.load("bad", tmp_path)
