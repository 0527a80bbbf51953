from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from meshlab import topology
from meshlab.errors import LabError

SUBNET = ipaddress.IPv4Network("10.117.3.0/24")


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("default", ["files", "server1", "server2", "server3", "agent1"]),
        ("small", ["files", "server1", "agent1"]),
        ("dual", ["files", "server1", "agent1"]),
        ("k3s", ["server1", "server2", "server3", "agent1"]),
    ],
)
def test_the_committed_topologies(name: str, hosts: list[str]) -> None:
    loaded = topology.load(name)
    assert [host.name for host in loaded.hosts] == hosts
    assert (loaded.files_host is None) == (name == "k3s")


def test_an_unknown_topology_names_the_known_ones() -> None:
    with pytest.raises(LabError, match="there are: default, dual, k3s, small"):
        topology.load("huge")


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ([("a", "server", 11), ("a", "agent", 12)], "same name"),
        ([("a", "server", 11), ("b", "agent", 11)], "same address"),
        ([("a", "master", 11)], "has role master"),
        ([("a", "server", 1)], "2 to 254"),
    ],
)
def test_a_bad_topology_is_refused(tmp_path: Path, hosts: list[tuple[str, str, int]], message: str) -> None:
    entries = [{"name": name, "role": role, "address": address} for name, role, address in hosts]
    (tmp_path / "bad.json").write_text(json.dumps({"hosts": entries}))
    with pytest.raises(LabError, match=message):
        topology.load("bad", tmp_path)


def test_addresses_are_made_from_the_subnet() -> None:
    assert topology.ip_of(SUBNET, 11) == "10.117.3.11"
    assert topology.mac_of(SUBNET, 11) == "02:4d:0a:75:03:0b"
    assert topology.subnet6_of(SUBNET) == "fd4d:a75:3::/64"
    assert topology.ip6_of(SUBNET, 17) == "fd4d:a75:3::11"
