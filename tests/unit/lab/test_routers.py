from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from meshlab import inventory, routers
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.state import Paths


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWRIGHT_CACHE", str(tmp_path))


def lab(topology: str) -> Lab:
    return Lab(Paths("tt"), Lab.open("tt", topology).topology, "10.117.9.0/24")


def build(made: Lab) -> dict[str, Any]:
    made._write_configuration()
    return inventory.build(made.paths, made.topology, made.hosts.values(), None)


def routes(made: Lab, name: str) -> list[str]:
    return routers.routes(made.hosts[name], made.hosts.values(), made.inside).splitlines()


# -- networks


def test_routers_stand_between_two_networks() -> None:
    made = lab("routers")
    assert list(made.routers) == ["udm", "vyos1", "vyos2", "frr1"]
    udm, client = made.hosts["udm"], made.hosts["client"]
    assert [port.addresses for port in udm.ports] == [
        ("10.117.9.2", "fd4d:a75:9::2"),
        ("10.118.9.2", "fd4d:a76:9::2"),
    ]
    assert (udm.ip, udm.outside_ip) == ("10.117.9.2", "10.118.9.2")
    assert (client.ip, client.outside_ip) == ("10.118.9.20", "10.118.9.20")


def test_nodes_leave_by_the_first_router() -> None:
    made = lab("bgp_dual")
    assert made.hosts["agent1"].gateways == ("10.117.9.3", "fd4d:a75:9::3")
    assert routes(made, "agent1") == [
        "route replace 0.0.0.0/0 via 10.117.9.3",
        "route replace ::/0 via fd4d:a75:9::3",
    ]
    assert made.hosts["udm"].gateways == ()
    assert routes(made, "udm") == []


def test_without_a_router_podmans_own_routes_stay() -> None:
    made = lab("small")
    assert made.hosts["agent1"].gateways is None
    assert routes(made, "agent1") == []
    assert made.networks == [made.inside]


def test_the_client_finds_the_nodes_but_has_no_default_route() -> None:
    made = lab("bgp_v6")
    assert routes(made, "client") == ["route replace fd4d:a75:9::/64 via fd4d:a76:9::3"]


# -- what a host is checked for


def test_a_lab_of_ipv6_allows_no_other_address() -> None:
    six, dual = lab("bgp_v6").hosts["agent1"], lab("bgp_dual").hosts["agent1"]
    assert "has IPv4 addresses" in six.check_script()
    assert "has IPv4 addresses" not in dual.check_script()
    assert '[ "$has" = "fd4d:a75:9::3" ]' in six.check_script()


def test_a_router_is_checked_for_what_routers_do() -> None:
    made = lab("routers")
    assert "ipv6.conf.all.forwarding is off" in made.hosts["udm"].check_script()
    assert "BPF" not in made.hosts["udm"].check_script()
    assert "eth1 has addresses" in made.hosts["udm"].check_script()


# -- FRR


def client_text(topology: str) -> str:
    made = lab(topology)
    return routers.frr_of_client(made.hosts["client"], made.routers.values(), made.inside.prefixes)


def test_the_client_has_static_routes_by_a_gateway_that_keeps_no_neighbour() -> None:
    text = client_text("default")
    assert "ip route 192.0.2.0/24 10.118.9.2\n" in text
    assert "router bgp" not in text


def test_the_client_speaks_with_the_others() -> None:
    text = client_text("bgp_v6")
    assert "router bgp 64999\n bgp router-id 10.118.9.20\n" in text
    assert " neighbor fd4d:a76:9::3 remote-as 64512\n" in text
    assert " address-family ipv6 unicast\n  neighbor fd4d:a76:9::3 activate\n" in text
    assert "address-family ipv4" not in text
    assert "route-map ROUTER-OUT deny 10" in text


def test_a_plain_frr_router_has_a_neighbour_of_its_own() -> None:
    made = lab("routers")
    client = made.hosts["client"]
    assert "neighbor 10.118.9.20 remote-as 64999" in routers.frr_of_router(made.hosts["frr1"], client)
    assert "router bgp" not in routers.frr_of_router(made.hosts["vyos1"], client)


# -- what the stand-ins and the inventory are told


def test_each_router_has_a_certificate_and_an_environment_that_only_root_reads() -> None:
    made = lab("routers")
    build(made)
    own = made.paths.host_etc("vyos1")
    assert stat.S_IMODE((own / "env").stat().st_mode) == 0o600
    assert stat.S_IMODE((own / "tls.key").stat().st_mode) == 0o600
    lines = (own / "env").read_text().splitlines()
    assert "VYOS_VERSION=1.5" in lines
    assert "CLIENT_ADDRESSES=10.118.9.20,fd4d:a76:9::14" in lines
    before = routers.fingerprint(own / "tls.crt")
    build(made)
    assert routers.fingerprint(own / "tls.crt") == before
    assert not (made.paths.host_etc("frr1") / "env").exists()


def test_the_inventory_says_how_each_router_is_reached() -> None:
    made = lab("routers")
    data = build(made)
    assert data["routers"]["children"] == ["unifi", "vyos", "frr"]
    assert data["vyos"]["hosts"] == ["vyos1", "vyos2"]
    udm, vyos, frr = (data["_meta"]["hostvars"][name] for name in ("udm", "vyos2", "frr1"))
    assert udm["bgp_unifi_url"] == "https://10.117.9.2"
    assert udm["bgp_router_addresses"] == ["10.117.9.2", "fd4d:a75:9::2"]
    assert udm["bgp_router_id"] == "10.117.9.2"
    assert vyos["bgp_vyos_version"] == "1.4" and len(vyos["bgp_vyos_fingerprint"]) == 64
    passwords = {host["bgp_router_password"] for host in (udm, vyos, frr)}
    assert len(passwords) == 3
    assert not [name for name in frr if "url" in name]


def test_the_inventory_follows_the_families() -> None:
    six, dual = build(lab("bgp_v6")), build(lab("bgp_dual"))
    assert six["all"]["vars"]["meshlab_cluster_cidr"] == "fd00:42::/56"
    assert six["all"]["vars"]["cilium_k8s_service_host"] == "localhost"
    assert six["all"]["vars"]["meshlab_files_url"] == "http://[fd4d:a75:9::a]:8000"
    assert six["_meta"]["hostvars"]["agent1"]["ansible_host"] == "fd4d:a75:9::15"
    assert six["_meta"]["hostvars"]["agent1"]["k3s_node_ip"] == "fd4d:a75:9::15"
    assert six["_meta"]["hostvars"]["vyos1"]["bgp_router_id"] == "10.117.9.3"
    assert dual["_meta"]["hostvars"]["agent1"]["k3s_node_ip"] == "10.117.9.21,fd4d:a75:9::15"
    assert dual["all"]["vars"]["meshlab_bgp_pools"] == [{"name": "lab", "cidrs": ["192.0.2.0/24", "2001:db8:20::/64"]}]
    assert build(lab("small"))["all"]["vars"]["meshlab_bgp_pools"] == []


def test_a_host_is_made_from_its_kind_of_image() -> None:
    made = lab("default")
    kinds = {name: host.image for name, host in made.hosts.items()}
    assert kinds["files"] == kinds["server1"] == "node"
    assert kinds["udm"] == kinds["client"] == "router"


def test_a_stand_in_is_mounted_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshlab.host.STANDINS", tmp_path)
    made = lab("routers")
    assert made.hosts["udm"].standin is None
    (tmp_path / "unifi").mkdir()
    (tmp_path / "unifi/__main__.py").touch()
    assert made.hosts["udm"].standin == tmp_path / "unifi"
    assert made.hosts["vyos1"].standin is None
    options = made._create_options(made.hosts["udm"])
    assert f"{tmp_path}/unifi:/usr/local/lib/meshlab/unifi:ro" in options
    host: Host = made.hosts["client"]
    assert host.standin is None


def test_an_inventory_without_some_hosts() -> None:
    left = inventory.without(build(lab("routers")), ["vyos2", "frr1", ""])
    assert (left["vyos"], left["frr"]) == ({"hosts": ["vyos1"]}, {"hosts": []})
    assert set(left["_meta"]["hostvars"]) == {"udm", "vyos1", "client"}
    assert left["routers"] == {"children": ["unifi", "vyos", "frr"]}
