"""Stage 1, stage 2, back, stage 2 again, on one cluster and under light probes; with two faults on the way.

A budget that no drain can ever meet is told before anything is changed; a controller is killed in the middle. More
faults, each on a way of its own, are in tests/faults; probes at full rate are the scenario stage2's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from kubernetes import client, config
from meshlab import fingerprint, stages
from meshlab.cluster import Cluster
from meshlab.down_watch import DownWatch
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.rollout import BACK, STAGE2, begins, go
from meshlab.service_probes import Seen, ServiceProbes
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
# So much is asked a second from pods and from hosts: all of them, and the rollout, share one machine with the nodes.
RATE, HOST_RATE = 4.0, 1.0


@pytest.fixture
def never(lab: Lab, cluster: Cluster) -> Iterator[str]:
    """One replica, of which one has to be there."""
    with Workload(cluster, "never").spread(1) as workload:
        policy = client.PolicyV1Api(config.new_client_from_config(str(lab.paths.kubeconfig)))
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
        policy.create_namespaced_pod_disruption_budget(workload.namespace, {"metadata": {"name": "all"}, "spec": spec})
        deadline = time.monotonic() + 30
        while not policy.read_namespaced_pod_disruption_budget("all", workload.namespace).status.expected_pods:
            assert time.monotonic() < deadline, "the budget was not counted"
            time.sleep(0.3)
        yield f"{workload.namespace}/all"


def test_a_budget_that_never_allows_is_refused_up_front(
    lab: Lab, cluster: Cluster, members: dict[str, Host], never: str
) -> None:
    assert stages.problems(cluster, members, 1) == []
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    rolled = go(lab, STAGE2, name="never")
    said = " ".join(rolled.run.refused().output.split())
    assert f"the PodDisruptionBudget {never}" in said and "one that no drain can ever meet" in said
    assert "nothing was changed" in said
    assert not [name for name in members if "cordon" in rolled.names(name)]
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []


def test_a_controller_that_was_killed_is_followed_by_the_next(
    lab: Lab, cluster: Cluster, members: dict[str, Host]
) -> None:
    """In the second node's turn, when its agent has just been told to go: the worst moment of pass one."""
    first, second = sorted(name for name, host in members.items() if host.role == "server")[:2]
    with ServiceProbes(lab, "killed", RATE, HOST_RATE) as running:
        killed = go(lab, STAGE2, name="killed", kill_at=begins(second, "replaced"))
        assert killed.run.returncode == -9, killed.run.tail()
        assert cluster.nodes()[second].spec.unschedulable, "out of traffic, as it was left"
        assert not cluster.nodes()[first].spec.unschedulable
        rest = go(lab, STAGE2, name="killed-rest")
        rest.run.succeeded()
    rest.report(killed.log, running.log)
    print(f"killed after {killed.run.seconds:.0f} s, gone on with in {rest.run.seconds:.0f} s")
    assert {"cordon", "drain", "restart"} & set(rest.names(first)) == set(), "done twice"
    assert "drain" not in rest.names(second), "drained twice"
    assert "uncordon" in rest.names(second)
    assert stages.problems(cluster, members, 2) == []
    unnoticed(running.seen, members)
    with stages.Kinds(lab, cluster) as kinds:
        assert kinds.unanswered() == []


@pytest.mark.parametrize(("direction", "stage"), [(BACK, 1), (STAGE2, 2)])
def test_back_and_there_again(lab: Lab, cluster: Cluster, members: dict[str, Host], direction: str, stage: int) -> None:
    servers = {name: host.ip for name, host in members.items() if host.role == "server"}
    with ServiceProbes(lab, f"{direction}-walk", RATE, HOST_RATE) as running, DownWatch(servers) as watch:
        rolled = go(lab, direction, name=f"{direction}-walk")
        rolled.run.succeeded()
    rolled.report(running.log)
    print(f"to stage {stage} in {rolled.run.seconds:.0f} s, own overhead {rolled.own(members)}")
    assert stages.problems(cluster, members, stage) == []
    assert watch.ever_down == set(servers) and len(watch.most_down) == 1, "servers restart one at a time"
    unnoticed(running.seen, members)


def unnoticed(seen: Seen, members: dict[str, Host]) -> None:
    print(seen)
    assert seen.promised.sent > 0 and seen.noticed == []
    assert len(seen.routed) <= len(members)
