"""Sessions that do not come about: told by their reason, the former configuration back. And those that must not."""

from __future__ import annotations

import json

import pytest
from meshlab import frr
from meshlab.cluster import Cluster
from meshlab.ends import Ends, Rogue, extra, wait
from meshlab.playbook import run_playbook
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
WRONG = "another-password-7d1c"
SOON: dict[str, object] = {"bgp_timeout": 20}
FOREIGN = "203.0.113.0/24"


def test_wrong_password(ends: Ends) -> None:
    for name, says in (("udm", "wrong password"), ("frr1", "wrong password"), ("vyos1", "")):
        run = ends.router(name, {"bgp_router_password": WRONG, **SOON}).refused()
        assert says in run.output, run.tail()
        assert "Its former configuration is back" in run.output
        assert WRONG not in run.output
        print(f"{name}: sessions were back {ends.established():.0f} s after the run with the wrong password")


@pytest.mark.parametrize(
    ("name", "variables"),
    [("udm", {"bgp_cluster_asn": 65001}), ("frr1", {"bgp_cluster_asn": 65001}), ("vyos1", {"bgp_cluster_asn": 65001})],
)
def test_wrong_asn(ends: Ends, name: str, variables: dict[str, object]) -> None:
    run = ends.router(name, variables | SOON).refused()
    assert "wrong ASN" in run.output or name == "vyos1", run.tail()
    assert "Its former configuration is back" in run.output


def test_an_asn_that_is_not_the_routers(ends: Ends) -> None:
    """FRR has one AS: where others peer too, another one is refused before anything is sent."""
    run = ends.router("frr1", {"bgp_router_asn": 64513}).refused()
    assert "the router's own AS" in run.output
    assert "Nothing was changed on it" in run.output


def test_the_passwords_change_on_live_routers(ends: Ends) -> None:
    """Both ends get it in one run, and the old one comes back in another."""
    for secret in ({"bgp_router_password": "fresh-password-91ab"}, None):
        run = ends.play(*extra(secret)).succeeded()
        assert all(run.changed[name] > 0 for name in ends.lab.routers)
        assert "fresh-password" not in run.output
        print(f"password changed in {run.seconds:.0f} s; all sessions {ends.established():.0f} s later")


# -- speakers that nobody asked for


def listening(ends: Ends) -> dict[str, object]:
    return {
        "bgp_router_neighbors": "listen",
        "bgp_router_listen_ranges": [ends.lab.inside.prefixes["ipv4"]],
        "bgp_router_accept": ["198.51.100.0/24"],
        "bgp_router_max_prefixes": 260,
    }


def password_of(ends: Ends, router: str) -> str:
    return str(json.loads(ends.lab.paths.inventory.read_text())["_meta"]["hostvars"][router]["bgp_router_password"])


def test_a_rogue_speaker_in_the_listen_range(ends: Ends) -> None:
    udm, host = ends.lab.hosts["udm"], ends.lab.hosts["files"]
    in_pool, outside_pool = "192.0.2.77/32", "192.0.3.1/32"
    ends.router("udm", listening(ends)).succeeded()
    try:
        ends.established()
        secret = password_of(ends, "udm")
        with Rogue(host, udm, secret, 65000, [FOREIGN, outside_pool, in_pool]) as rogue:
            rogue.wait_for("announced")
            wait(lambda: in_pool in frr.routes(udm, "ipv4"), "what the filters let in", 20)
            taken = {prefix for prefix, hops in frr.routes(udm, "ipv4").items() if host.ip in hops}
            assert taken == {in_pool}
            run = ends.play(*extra(listening(ends)), playbook="playbooks/validate.yml").refused()
            assert f"udm: rogue speaker: {host.ip} (AS 65000) is none of our nodes" in run.output
            assert f"udm: rogue speaker: {in_pool} leads to {host.ip}, none of our nodes" in run.output
        many = [f"192.0.2.{n}/32" for n in range(256)] + [f"198.51.100.{n}/32" for n in range(50)]
        with Rogue(host, udm, secret, 65000, many) as rogue:
            assert rogue.wait_for("notification") == {"what": "notification", "code": 6, "subcode": 1}
        wait(lambda: not any(host.ip in hops for hops in frr.routes(udm, "ipv4").values()), "its routes are gone", 20)
        with Rogue(host, udm, "not-the-password", 65000, [in_pool]) as rogue:
            assert "timed out" in str(rogue.wait_for("lost")["error"])
    finally:
        ends.router("udm").succeeded()
    assert set(run_playbook("inventories/lab", "playbooks/validate.yml").succeeded().changed.values()) == {0}


def test_a_node_that_announces_too_much(ends: Ends, cluster: Cluster) -> None:
    """The router ends the session, validate says why, and a run mends the limit that somebody had lowered by hand."""
    router, group = ends.lab.hosts["frr1"], _group(ends)
    with Workload(cluster, "too-much-1") as one, Workload(cluster, "too-much-2") as two:
        one.addresses(), two.addresses()
        _by_hand(ends, f"neighbor {group} maximum-prefix 1")
        down = {host.ip for host in ends.nodes.values()}
        wait(lambda: not frr.established(router, "ipv4") & down, "sessions ended by the limit", 30)
        run = ends.play(playbook="playbooks/validate.yml").refused()
        assert "frr1: too many prefixes: server1" in run.output
        fixed = ends.play().succeeded()
        assert fixed.changed["frr1"] > 0
        print(f"sessions over the limit were back {ends.established():.0f} s after a run of {fixed.seconds:.0f} s")


def _group(ends: Ends) -> str:
    return f"MW-LAB-{ends.lab.prefix.upper()}-IPV4"


def _by_hand(ends: Ends, line: str) -> None:
    commands = ["configure terminal", "router bgp 64512", "address-family ipv4 unicast", line]
    ends.lab.hosts["frr1"].run(["vtysh", *(word for command in commands for word in ("-c", command))])
