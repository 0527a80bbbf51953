"""Services announced by L2, and a move to BGP while a client outside keeps asking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from meshlab import fingerprint, frr
from meshlab.cluster import Cluster
from meshlab.ends import Ends, wait
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.routers import POOLS
from meshlab.traffic import Probe, probe
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
POOL = POOLS["ipv4"]
BEFORE = ("--extra-vars", f"@{Path(__file__).parent.parent / 'vars/l2.yml'}")
NETWORK = {"name": "services", "purpose": "corporate", "enabled": True, "ip_subnet": POOL.replace(".0/", ".1/")}


@pytest.fixture(scope="module")
def ends(lab: Lab) -> Ends:
    return Ends(lab)


@pytest.fixture(scope="module", autouse=True)
def on_link(lab: Lab) -> None:
    """The gateway has the pool as a network of its own on the nodes' side, and asks for its addresses there."""
    udm = lab.hosts["udm"]
    udm.run(["ip", "route", "replace", POOL, "dev", udm.ports[0].interface, "scope", "link"])
    udm.put_text(json.dumps([NETWORK]), "/var/lib/meshlab/unifi/networks.json", 0o600)


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Workload]:
    with Workload(cluster, "verify-l2").spread(4) as workload:
        yield workload


def leases(cluster: Cluster) -> dict[str, str]:
    """Which node answers for which service."""
    found = cluster.leases("kube-system")
    return {name: holder for name, holder in found.items() if name.startswith("cilium-l2announce-")}


def neighbor(udm: Host, address: str) -> str:
    shown = json.loads(udm.run(["ip", "-j", "neigh", "show", "to", address]).stdout or "[]")
    return str(next((entry.get("lladdr", "") for entry in shown), ""))


def test_the_gateway_finds_the_service_on_its_link(lab: Lab, cluster: Cluster, web: Workload) -> None:
    (address,) = web.addresses()
    seen = probe(lab.hosts["client"], address, 80, path="/hostname", seconds=10)
    print(f"by L2: {seen}")
    assert seen.failed == () and set(seen.answers) == set(web.pods())
    (holder,) = leases(cluster).values()
    assert neighbor(lab.hosts["udm"], address) == lab.hosts[holder].ports[0].mac


def test_a_second_run_changes_nothing(lab: Lab, ends: Ends, members: dict[str, Host]) -> None:
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    for args in ((), ("--check",)):
        run = ends.play(*BEFORE, *args, playbook="site.yml", env={"MESHLAB_WITHOUT": "udm"}).succeeded()
        assert set(run.changed.values()) == {0}
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []


def test_the_move_to_bgp(lab: Lab, ends: Ends, cluster: Cluster, web: Workload, members: dict[str, Host]) -> None:
    """The inventory gets its router and loses its L2 policies; site.yml does the rest, and nobody notices."""
    udm, client = lab.hosts["udm"], lab.hosts["client"]
    (address,) = web.addresses()
    idle = probe(client, address, 80, path="/hostname", seconds=20)
    print(f"idle: {idle}")
    with Probe(client, address, 80, path="/hostname", rate=20, seconds=900) as running:
        move = ends.play(playbook="site.yml", env={"MESHLAB_WITHOUT": ""}).succeeded()
        wait(lambda: frr.kernel_next_hops(udm, f"{address}/32") == {host.ip for host in members.values()}, "routes", 10)
        wait(lambda: leases(cluster) == {}, "nobody answers for the address by L2 any more", 60)
    print(f"moved in {move.seconds:.0f} s: {running.seen}")
    print("longest steps: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in move.tasks if seconds > 5))
    assert (idle.failed, running.seen.failed) == ((), ())
    assert set(ends.play(playbook="site.yml", env={"MESHLAB_WITHOUT": ""}).succeeded().changed.values()) == {0}
