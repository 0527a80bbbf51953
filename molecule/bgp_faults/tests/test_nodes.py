"""A node that is lost, and one that is taken out on purpose: what a client outside notices of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from meshlab import frr
from meshlab.cluster import Cluster
from meshlab.ends import Ends, extra, lose, wait
from meshlab.playbook import Run
from meshlab.traffic import Probe, Seen, probe
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
NODE = "agent1"
MAINTENANCE = "playbooks/maintenance.yml"
HOLD, RESTART = 9, 15
# From the moment that a timer ends to that in which a test that asks over and over sees it, on a busy machine.
LATE = 6


@pytest.fixture
def local(cluster: Cluster) -> Iterator[Workload]:
    """Announced by nodes that have a pod of it, so that routes alone decide who is asked."""
    with Workload(cluster, "lost-node", policy="Local").on_every_node() as workload:
        yield workload


def gone(ends: Ends, prefix: str, node: str, since: float) -> dict[str, float]:
    """For each router, the seconds until no route leads to the node any more."""

    def watch(name: str) -> float:
        router = ends.lab.routers[name]
        wait(lambda: node not in frr.routes(router, "ipv4").get(prefix, set()), f"{name}: {prefix} not by {node}", 90)
        return time.monotonic() - since

    names = list(ends.lab.routers)
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(watch, names), strict=True))


def report(what: str, seen: Seen, since: float, took: dict[str, float]) -> None:
    last = max((attempt.sent for attempt in seen.failed), default=since)
    routes = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
    print(f"{what}: {seen}; the last one that failed began {last - since:.1f} s after the loss; routes gone: {routes}")


@pytest.mark.parametrize("restart", [RESTART, 0], ids=["graceful-restart", "without"])
def test_a_node_is_lost(ends: Ends, cluster: Cluster, local: Workload, restart: int) -> None:
    node, client = ends.lab.hosts[NODE], ends.lab.hosts["client"]
    variables: dict[str, object] | None = None if restart == RESTART else {"bgp_timer_values": {"restart": restart}}
    if variables:
        ends.play(*extra(variables)).succeeded()
    try:
        ends.established()
        (address,) = local.addresses()
        for router in ends.lab.routers.values():
            frr.wait_next_hops(router, f"{address}/32", {host.ip for host in ends.nodes.values()})
        with Probe(client, address, 80, path="/hostname", rate=20) as running:
            begin = time.monotonic()
            time.sleep(3)
            killed = lose(node)
            took = gone(ends, f"{address}/32", node.ip, killed)
            time.sleep(4)
        report(f"restart {restart}", running.seen, killed - begin, took)
        assert max(took.values()) <= HOLD + restart + LATE
        late = [attempt for attempt in running.seen.failed if attempt.sent > killed - begin + max(took.values()) + 1]
        assert late == [], "connections failed although no route led to the lost node"
    finally:
        node.start()
        wait(lambda: cluster.ready() == set(ends.nodes), "all nodes Ready", 240, every=2)
        ends.established(240)
        if variables:
            ends.play().succeeded()


def maintain(ends: Ends, state: str, **options: object) -> Run:
    return ends.play(
        "--extra-vars", f"maintenance_node={NODE} maintenance_state={state}", playbook=MAINTENANCE, **options
    )  # fmt: skip


def steps(run: Run) -> str:
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in run.tasks if seconds >= 1)


def test_a_node_is_taken_out_and_brought_back(ends: Ends, cluster: Cluster) -> None:
    client, node = ends.lab.hosts["client"], ends.nodes[NODE]
    with Workload(cluster, "maintenance").spread(4) as workload:
        (address,) = workload.addresses()
        for router in ends.lab.routers.values():
            frr.wait_next_hops(router, f"{address}/32", {host.ip for host in ends.nodes.values()})
        idle = probe(client, address, 80, path="/hostname", seconds=20)
        print(f"idle: {idle}")
        with Probe(client, address, 80, path="/hostname", rate=20) as running:
            out = maintain(ends, "out").succeeded()
            for router in ends.lab.routers.values():
                assert node.ip not in frr.routes(router, "ipv4").get(f"{address}/32", set())
            assert NODE not in workload.pods().values()
            again = maintain(ends, "out").succeeded()
            back = maintain(ends, "in").succeeded()
            for router in ends.lab.routers.values():
                frr.wait_next_hops(router, f"{address}/32", {host.ip for host in ends.nodes.values()}, 5)
            once_more = maintain(ends, "in").succeeded()
        print(f"out in {out.seconds:.1f} s: {steps(out)}")
        print(f"in in {back.seconds:.1f} s: {steps(back)}")
        print(f"meanwhile: {running.seen}")
        assert (idle.failed, running.seen.failed) == ((), ())
        assert sum(out.changed.values()) > 0 and sum(back.changed.values()) > 0
        assert sum(again.changed.values()) == sum(once_more.changed.values()) == 0


def test_a_run_that_was_killed_is_continued(ends: Ends, cluster: Cluster) -> None:
    client = ends.lab.hosts["client"]
    with Workload(cluster, "maintenance-killed").spread(4) as workload:
        (address,) = workload.addresses()
        with Probe(client, address, 80, path="/hostname", rate=20) as running:
            assert maintain(ends, "out", kill_at=r"TASK \[.*Let every router confirm").returncode == -9
            assert sum(maintain(ends, "out").succeeded().changed.values()) > 0
            assert NODE not in workload.pods().values()
            assert maintain(ends, "in", kill_at=r"TASK \[.*Announce from the node again").returncode == -9
            maintain(ends, "in").succeeded()
            assert sum(maintain(ends, "in").succeeded().changed.values()) == 0
        print(f"killed and continued: {running.seen}")
        assert running.seen.failed == ()


def test_the_last_node_stays(ends: Ends) -> None:
    maintain(ends, "out").succeeded()
    try:
        run = ends.play(
            "--extra-vars", "maintenance_node=server1 maintenance_state=out", playbook=MAINTENANCE
        ).refused()  # fmt: skip
        assert "the last one that can carry traffic" in run.output
        assert sum(run.changed.values()) == 0
    finally:
        maintain(ends, "in").succeeded()
