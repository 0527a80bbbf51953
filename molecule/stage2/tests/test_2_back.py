"""And back to stage 1, under the same probes; twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from meshlab import fingerprint, stages
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.playbook import Run
from meshlab.rollout import BACK, AgentWatch, go
from meshlab.service_probes import ServiceProbes
from meshlab.trace import Trace
from meshlab.workload import Workload

testinfra_hosts = ["local://"]


@pytest.fixture(scope="module", autouse=True)
def at_stage_2(cluster: Cluster, members: dict[str, Host]) -> None:
    assert stages.problems(cluster, members, 2) == []


def test_the_way_back_is_not_noticed(lab: Lab, cluster: Cluster, members: dict[str, Host]) -> None:
    with Workload(cluster, "back-filler").spread(2 * len(members)) as filler:
        before = {pod.metadata.uid: pod.spec.node_name for pod in pods(cluster, filler)}
        assert set(before.values()) == set(members), "every node has workload before its turn"
        with ServiceProbes(lab, "back") as running, AgentWatch(lab) as watch, Trace(lab) as trace:
            rolled = go(lab, BACK, name="back")
            rolled.run.succeeded()
        after = {pod.metadata.uid for pod in pods(cluster, filler)}
    rolled.report(running.log)
    print(f"{rolled.run.seconds:.0f} s; the report is {rolled.log.with_suffix('.html')}\n{running.seen}")
    for begin, end, way, why in running.seen.failures()[:20]:
        print(f"  {way}: {begin:.1f} to {end:.1f}: {why}")
    assert watch.strangers(rolled) == []
    assert before.keys() & after == set(), "pods that no drain has moved"
    print(*trace.explained([*running.seen.noticed, *running.seen.routed]), sep="\n")
    assert running.seen.noticed == [] and len(running.seen.routed) <= len(members)


def pods(cluster: Cluster, workload: Workload) -> list[Any]:
    return list(cluster.core.list_namespaced_pod(workload.namespace).items)


def test_kube_proxy_is_back(cluster: Cluster, members: dict[str, Host]) -> None:
    assert stages.problems(cluster, members, 1) == []


def test_every_kind_of_service_is_answered(lab: Lab, cluster: Cluster) -> None:
    with stages.Kinds(lab, cluster) as kinds:
        assert kinds.unanswered() == []


def test_a_second_run_has_nothing_to_do(lab: Lab) -> None:
    again = go(lab, BACK, name="back-again").run.succeeded()
    assert set(again.changed.values()) == {0}


def test_site_yml_keeps_stage_1(play: Callable[..., Run], lab: Lab, members: dict[str, Host]) -> None:
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert set(play("site.yml").succeeded().changed.values()) == {0}
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []
