"""A new cluster that starts at stage 2: there is no kube-proxy, Cilium does its work, and a second run keeps it so."""

from __future__ import annotations

from meshlab import fingerprint
from meshlab.cluster import Cluster
from meshlab.host import Host as Member
from meshlab.lab import Lab
from meshlab.playbook import ROOT, run_playbook
from testinfra.host import Host

testinfra_hosts = ["ansible://k3s_cluster"]


def test_all_nodes_are_ready(cluster: Cluster, members: dict[str, Member]) -> None:
    assert cluster.ready() == set(members)


def test_every_agent_says_that_it_replaces_kube_proxy(cluster: Cluster, members: dict[str, Member]) -> None:
    assert {cluster.agent_status(node)["kube-proxy-replacement"]["mode"] for node in members} == {"True"}


def test_kube_proxy_is_not_there(host: Host) -> None:
    assert "KUBE-SVC-" not in host.check_output("iptables-save -t nat")
    assert not [process for process in host.process.filter() if "kube-proxy" in process.args.split()[0:2]]
    assert not host.socket("tcp://127.0.0.1:10256").is_listening


def test_the_stage_is_one_file_on_each_server(host: Host) -> None:
    dropin = host.file("/etc/rancher/k3s/config.yaml.d/60-kube-proxy.yaml")
    if host.service("k3s").is_running:
        assert "disable-kube-proxy" in dropin.content_string
        assert "disable-kube-proxy" not in host.file("/etc/rancher/k3s/config.yaml").content_string
    else:
        assert not dropin.exists


def test_a_plain_run_keeps_the_stage(lab: Lab, members: dict[str, Member]) -> None:
    """Without cilium_initial_stage, which is for new clusters only, the live cluster's own stage counts."""
    before = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    run = run_playbook(ROOT / "inventories" / "lab", "site.yml").succeeded()
    print(f"site.yml: {run.seconds:.1f} s")
    assert set(run.changed.values()) == {0}
    after = fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig)
    assert fingerprint.difference(before, after) == []
