"""From stage 1 to stage 2 under probes from everywhere: nothing is noticed, and nothing of kube-proxy is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from meshlab import fingerprint, stages
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.playbook import Run
from meshlab.rollout import STAGE2, AgentWatch, Rolled, go
from meshlab.service_probes import ServiceProbes
from meshlab.trace import Trace
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
IDLE = 30.0


@pytest.fixture(scope="module", autouse=True)
def at_stage_1(cluster: Cluster, members: dict[str, Host]) -> None:
    assert stages.problems(cluster, members, 1) == []


@pytest.fixture(scope="module")
def filler(cluster: Cluster, members: dict[str, Host]) -> Iterator[Workload]:
    """So that each node has something to be drained when its turn comes; nothing comes back to one that was out."""
    with Workload(cluster, "stage2-filler").spread(2 * len(members)) as workload:
        yield workload


def uids(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Each pod's UID with its node."""
    return {pod.metadata.uid: pod.spec.node_name for pod in cluster.core.list_namespaced_pod(namespace).items}


def test_a_dry_run_says_each_step_and_takes_none(lab: Lab, members: dict[str, Host]) -> None:
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    dry = go(lab, STAGE2, "--check", name="stage2-dry")
    dry.run.succeeded()
    for name in members:
        for word in ("cordon", "drain", "restart the Cilium agent of", "uncordon"):
            assert f"{word} {name}" in dry.run.output, dry.run.tail()
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []


def test_an_idle_cluster_loses_nothing(lab: Lab) -> None:
    """The control: what fails here is the machine's, or the probe's, and no rollout's."""
    with ServiceProbes(lab, "idle") as running:
        time.sleep(IDLE)
    print(f"idle for {IDLE:.0f} s:\n{running.seen}")
    assert running.seen.promised.failed == 0 and running.seen.all_new.sent > 0


def test_stage_2_is_not_noticed(lab: Lab, cluster: Cluster, members: dict[str, Host], filler: Workload) -> None:
    before = uids(cluster, filler.namespace)
    assert set(before.values()) == set(members), "every node has workload before its turn"
    with ServiceProbes(lab, "stage2") as running, AgentWatch(lab) as watch, Trace(lab) as trace:
        rolled = go(lab, STAGE2, name="stage2")
        rolled.run.succeeded()
    tell(rolled, running, members)
    assert watch.strangers(rolled) == [], "an agent restarted while another node was in work"
    assert {node for _when, node, _uid in watch.came} == set(members)
    assert before.keys() & uids(cluster, filler.namespace).keys() == set(), "pods that no drain has moved"
    for name in members:
        assert "drain" in rolled.names(name)
    print(*trace.explained([*running.seen.noticed, *running.seen.routed]), sep="\n")
    assert running.seen.noticed == [] and len(running.seen.routed) <= len(members)


def tell(rolled: Rolled, running: ServiceProbes, members: dict[str, Host]) -> None:
    rolled.report(running.log)
    own = rolled.own(members)
    print(f"{rolled.run.seconds:.0f} s; the report is {rolled.log.with_suffix('.html')}")
    print("own overhead: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in own.items()))
    print(running.seen)
    for begin, end, way, why in running.seen.failures()[:20]:
        print(f"  {way}: {begin:.1f} to {end:.1f}: {why}")


def test_nothing_of_kube_proxy_is_left(cluster: Cluster, members: dict[str, Host]) -> None:
    assert stages.problems(cluster, members, 2) == []


def test_every_kind_of_service_is_answered(lab: Lab, cluster: Cluster) -> None:
    with stages.Kinds(lab, cluster) as kinds:
        assert kinds.unanswered() == []


def test_a_second_run_has_nothing_to_do(lab: Lab, members: dict[str, Host]) -> None:
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    again = go(lab, STAGE2, name="stage2-again").run.succeeded()
    print(f"again: {again.seconds:.1f} s")
    assert set(again.changed.values()) == {0}
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []


def test_site_yml_keeps_stage_2(play: Callable[..., Run], lab: Lab, members: dict[str, Host]) -> None:
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    run = play("site.yml").succeeded()
    assert set(run.changed.values()) == {0}
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []
