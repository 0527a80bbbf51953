"""A cluster with flannel becomes one with Cilium while it is used; a killed run is gone on with by the next."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client
from meshlab.cluster import Cluster, problems
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.playbook import Run
from meshlab.rollout import begins
from meshlab.traffic import Probe
from meshlab.workload import Workload

MIGRATE = "playbooks/migrate.yml"
# Each step is told when it begins.
LINES = {"ANSIBLE_CALLBACKS_ENABLED": "meshwright.k3s_cilium.rollout", "MESHWRIGHT_ROLLOUT_DISPLAY": "lines"}
# CoreDNS begins alone.
CONSENT = ("-e", "migrate_scale_dns=true")
NOTES = "flannel.alpha.coreos.com/"


@pytest.fixture(scope="module")
def workload(cluster: Cluster) -> Iterator[Workload]:
    with Workload(cluster, "verify-migrate").spread(4) as made:
        yield made


@pytest.fixture(scope="module")
def everywhere(cluster: Cluster) -> Iterator[Workload]:
    """Pods that no drain moves."""
    with Workload(cluster, "verify-migrate-daemons").on_every_node() as made:
        yield made


def node_port(workload: Workload) -> int:
    service = workload.cluster.core.read_namespaced_service("web", workload.namespace)
    return int(service.spec.ports[0].node_port)


def links(host: Host) -> set[str]:
    return {item["ifname"] for item in json.loads(host.run(["ip", "-json", "link"], timeout=30).stdout)}


def with_flannel(cluster: Cluster) -> set[str]:
    return {
        name for name, node in cluster.nodes().items()
        if any(key.startswith(NOTES) for key in node.metadata.annotations or {})
    }  # fmt: skip


def test_it_begins_with_flannel(cluster: Cluster, members: dict[str, Host], workload: Workload) -> None:
    assert with_flannel(cluster) == set(members) == cluster.ready()
    assert all("flannel.1" in links(host) for host in members.values())
    assert set(workload.pods().values()) <= set(members)


def test_a_dry_run_says_every_step_and_changes_nothing(
    cluster: Cluster, members: dict[str, Host], play: Callable[..., Run]
) -> None:
    run = play(MIGRATE, "--check", *CONSENT).succeeded()
    for name in members:
        assert f"drain {name}, respecting budgets" in run.output or f"cordon {name}" in run.output
    assert set(run.changed.values()) == {0} and with_flannel(cluster) == set(members)


def test_moved_while_it_is_used_and_killed_in_between(
    lab: Lab, cluster: Cluster, members: dict[str, Host], workload: Workload, everywhere: Workload,
    play: Callable[..., Run],
) -> None:  # fmt: skip
    """New connections to both kinds of node, all the time; k3s is restarted once on each node."""
    asking, seen = lab.hosts["files"], {}
    with contextlib.ExitStack() as stack:
        for name in ("server1", "agent2"):
            for made in (workload, everywhere):
                where = members[name].ip, node_port(made)
                seen[f"{name} {made.namespace}"] = stack.enter_context(
                    Probe(asking, *where, path="/hostname", rate=10, seconds=900)
                )
        killed = play(MIGRATE, *CONSENT, env=LINES, kill_at=begins("server2", "drain"))
        assert killed.returncode < 0
        play(MIGRATE, *CONSENT, timeout=1800).succeeded()
    told = {
        name: f"{probe.seen}, after {[round(attempt.sent, 1) for attempt in probe.seen.failed]} s"
        for name, probe in seen.items()
    }
    print(json.dumps(told, indent=1))
    assert {name: len(probe.seen.failed) for name, probe in seen.items()} == dict.fromkeys(seen, 0), told


def test_the_end_is_stage_1(cluster: Cluster, members: dict[str, Host]) -> None:
    roles = {name: host.role for name, host in members.items()}
    assert problems(cluster, roles) == [] and with_flannel(cluster) == set()
    for name in members:
        assert cluster.agent_status(name)["kube-proxy-replacement"]["mode"] == "False", name
    data = cluster.core.read_namespaced_config_map("cilium-config", "kube-system").data
    assert [data[key] for key in ("enable-policy", "routing-mode", "ipam")] == ["default", "native", "kubernetes"]


def test_nothing_of_flannel_is_left(members: dict[str, Host]) -> None:
    for name, host in members.items():
        assert not links(host) & {"flannel.1", "cni0"}, name
        saved = host.run(["iptables-save"], timeout=30).stdout
        assert "FLANNEL" not in saved and "KUBE-SVC-" in saved, name
        routes = host.run(["ip", "route"], timeout=30).stdout
        assert "flannel" not in routes and "cni0" not in routes, name


def test_every_pod_is_connected_by_cilium(cluster: Cluster, everywhere: Workload, members: dict[str, Host]) -> None:
    """Those of DaemonSets too, which no drain moved."""
    api = client.CustomObjectsApi(cluster.core.api_client)
    known = {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in api.list_cluster_custom_object("cilium.io", "v2", "ciliumendpoints")["items"]
    }
    pods = cluster.core.list_pod_for_all_namespaces().items
    wanted = {f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in pods if not pod.spec.host_network}
    assert wanted and wanted <= known
    assert set(everywhere.pods().values()) == set(members)


def test_again_there_is_nothing_to_do(play: Callable[..., Run]) -> None:
    run = play(MIGRATE).succeeded()
    assert "nothing left to do" in run.output and set(run.changed.values()) == {0}


def test_site_takes_it_over(play: Callable[..., Run], cluster: Cluster) -> None:
    """The first run writes config.yaml as it wants it, which changes nothing for k3s; the second changes nothing."""
    before = {name: pod.metadata.uid for name, pod in cluster.agents().items()}
    play("site.yml").succeeded()
    again = play("site.yml").succeeded()
    assert set(again.changed.values()) == {0}
    assert {name: pod.metadata.uid for name, pod in cluster.agents().items()} == before
