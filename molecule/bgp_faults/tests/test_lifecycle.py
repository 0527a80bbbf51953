"""Runs that are cut off between commit and confirmation, changes by hand, routers that come and go."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from meshlab import frr
from meshlab.cluster import Cluster
from meshlab.ends import Cut, Ends, by_command_line, configure, wait
from meshlab.host import Host

testinfra_hosts = ["local://"]
HERE = Path(__file__).parent.parent
# Printed after the router has the change, and before anybody has confirmed it.
BETWEEN = r"TASK \[.*Wait for the sessions as the router sees them"
CHANGE: dict[str, object] = {
    "bgp_router_max_prefixes": 321, "bgp_vyos_confirm_minutes": 1, "bgp_frr_confirm_seconds": 25, "bgp_timeout": 10,
}  # fmt: skip


def has_change(router: Host) -> bool:
    return "maximum-prefix 321" in frr.configuration(router)


def comes_back(router: Host, since: float) -> float:
    wait(lambda: not has_change(router), f"{router.hostname} has its former configuration", 100)
    return time.monotonic() - since


@pytest.mark.parametrize("name", ["vyos1", "frr1"])
def test_the_controller_is_killed_before_it_confirms(ends: Ends, name: str) -> None:
    router = ends.lab.hosts[name]
    run = ends.router(name, CHANGE, kill_at=BETWEEN)
    killed = time.monotonic()
    assert run.returncode == -9, run.tail()
    assert has_change(router)
    print(f"{name} went back by itself {comes_back(router, killed):.0f} s after the controller was killed")
    assert ends.router(name).succeeded().changed == {name: 0}


def test_a_router_by_its_command_line_goes_back_as_well(ends: Ends, tmp_path: Path) -> None:
    """There a commit takes itself back only where the router reloads for it, and does not reboot."""
    router, way = ends.lab.hosts["vyos1"], by_command_line(tmp_path, "vyos1")
    management = ["system", "config-management"]
    configure(ends.lab, router, "set", [*management, "commit-confirm", "action", "reload"])
    try:
        run = ends.router("vyos1", CHANGE, *way, kill_at=BETWEEN)
        killed = time.monotonic()
        assert run.returncode == -9, run.tail()
        assert has_change(router)
        print(f"by its command line vyos1 went back {comes_back(router, killed):.0f} s after the controller was killed")
        assert ends.router("vyos1", None, *way).succeeded().changed == {"vyos1": 0}
        assert ends.router("vyos1", CHANGE, *way).succeeded().changed["vyos1"] > 0
        assert has_change(router)
        assert ends.router("vyos1", None, *way).succeeded().changed["vyos1"] > 0
    finally:
        configure(ends.lab, router, "delete", management)


def test_a_unifi_gateway_keeps_what_a_killed_run_sent(ends: Ends) -> None:
    """Its API has no commit that takes itself back: the next run continues, or corrects."""
    udm = ends.lab.hosts["udm"]
    assert ends.router("udm", CHANGE, kill_at=BETWEEN).returncode == -9
    wait(lambda: has_change(udm), "the gateway has the change", 30)
    assert ends.router("udm", CHANGE).succeeded().changed == {"udm": 0}
    assert ends.router("udm").succeeded().changed["udm"] > 0


@pytest.mark.parametrize("name", ["vyos1", "frr1"])
def test_the_way_to_the_router_is_cut_before_it_is_confirmed(ends: Ends, name: str) -> None:
    router = ends.lab.hosts[name]
    way = Cut(ends.lab, router)
    seen: list[bool] = []

    def cut() -> None:
        seen.append(has_change(router))
        way.cut()
        threading.Thread(target=mend, daemon=True).start()

    def mend() -> None:
        seen.append(comes_back(router, time.monotonic()) > 0)
        way.mend()

    run = ends.router(name, CHANGE, at={BETWEEN: cut}).refused()
    wait(lambda: len(seen) == 2, f"{name} went back", 120)
    assert seen == [True, True]
    assert not has_change(router)
    print(f"{name}: cut off, the run ended after {run.seconds:.0f} s with: {message(run.output)}")
    assert ends.router(name).succeeded().changed == {name: 0}


def message(output: str) -> str:
    return next((line.strip() for line in reversed(output.splitlines()) if " msg: " in f" {line}"), "")[:300]


def test_changes_by_hand_are_drift(ends: Ends) -> None:
    """A limit on FRR and one on VyOS: shown by a dry run, mended by a run, and nothing of others is touched."""
    frr1, vyos1 = ends.lab.hosts["frr1"], ends.lab.hosts["vyos1"]
    before = {name: ends.drops(name, ends.lab.hosts["client"].ip) for name in ("frr1", "vyos1")}
    group = f"MW-LAB-{ends.lab.prefix.upper()}-IPV4"
    lines = ["configure terminal", "router bgp 64512", "address-family ipv4 unicast"]
    lines.append(f"neighbor {group} maximum-prefix 7")
    frr1.run(["vtysh", *(word for line in lines for word in ("-c", line))])
    path = ["protocols", "bgp", "peer-group", group, "address-family", "ipv4-unicast", "maximum-prefix"]
    configure(ends.lab, vyos1, "set", [*path, "9"])
    dry = ends.play("--check").succeeded()
    said = " ".join(dry.output.split())
    assert "maximum-prefix 7" in said and "maximum-prefix 9" in said
    assert "maximum-prefix 7" in frr.configuration(frr1), "a dry run wrote"
    assert "maximum-prefix 9" in frr.configuration(vyos1), "a dry run wrote"
    mended = ends.play().succeeded()
    assert mended.changed["frr1"] > 0 and mended.changed["vyos1"] > 0 and mended.changed["udm"] == 0
    assert set(ends.play().succeeded().changed.values()) == {0}
    assert {name: ends.drops(name, ends.lab.hosts["client"].ip) for name in before} == before


def test_a_router_leaves_the_inventory_and_returns(ends: Ends, cluster: Cluster) -> None:
    """Its peers are withdrawn from the cluster; the others notice nothing."""
    client = ends.lab.hosts["client"].ip
    nodes = {host.ip for host in ends.nodes.values()}
    others = {(name, ip): ends.drops(name, ip) for name in ("udm", "vyos1") for ip in nodes}
    gone = ends.play(env={"MESHLAB_WITHOUT": "frr1"}).succeeded()
    assert "frr1" not in gone.recap and gone.changed["server1"] > 0
    names = [name for name in ends.state() if "frr1-ipv4" in name or "frr1.ipv4" in name]
    assert names == []
    wait(lambda: not frr.established(ends.lab.hosts["frr1"], "ipv4") & nodes, "no node peers with it", 30)
    assert client in frr.established(ends.lab.hosts["frr1"], "ipv4"), "its foreign neighbour was touched"
    assert set(ends.play(env={"MESHLAB_WITHOUT": "frr1"}).succeeded().changed.values()) == {0}
    back = ends.play().succeeded()
    print(f"router removed in {gone.seconds:.0f} s, back in {back.seconds:.0f} s; sessions {ends.established():.0f} s")
    assert {(name, ip): ends.drops(name, ip) for name, ip in others} == others


def test_all_of_ours_can_be_taken_from_a_router(ends: Ends) -> None:
    """FRR: ours goes without a trace, the foreign neighbour stays up, and everything comes again; each once."""
    router, client = ends.lab.hosts["frr1"], ends.lab.hosts["client"].ip
    before = ends.drops("frr1", client)
    absent = str(HERE / "absent.yml")
    assert ends.play("--check", playbook=absent).succeeded().changed["frr1"] > 0
    assert ends.play(playbook=absent).succeeded().changed["frr1"] > 0
    for text in (frr.configuration(router), router.run(["cat", "/etc/frr/frr.conf"]).stdout):
        assert "MW-LAB" not in text and f"neighbor {client}" in text
    assert ends.play(playbook=absent).succeeded().changed["frr1"] == 0
    assert ends.play().succeeded().changed["frr1"] > 0
    assert set(ends.play().succeeded().changed.values()) == {0}
    assert client in frr.established(router, "ipv4")
    assert ends.drops("frr1", client) == before
