"""The things themselves after k3s.yml: etcd's members, what k3s runs with, files and their modes."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from meshlab.lab import Lab
from testinfra.host import Host

testinfra_hosts = ["ansible://server"]
TLS = "/var/lib/rancher/k3s/server/tls/etcd"
MEMBERS = (
    f"curl -sS --max-time 5 --cacert {TLS}/server-ca.crt --cert {TLS}/client.crt --key {TLS}/client.key "
    "-X POST -d '{}' https://127.0.0.1:%d/v3/cluster/member/list"
)


@pytest.fixture(scope="module")
def nodes(lab: Lab) -> dict[str, Any]:
    api = client.CoreV1Api(config.new_client_from_config(str(lab.paths.kubeconfig)))
    return {node.metadata.name: node for node in api.list_node().items}


def names(lab: Lab, role: str) -> set[str]:
    return {name for name, host in lab.hosts.items() if host.role == role}


def members(host: Host) -> list[dict[str, Any]]:
    for port in (2382, 2379):
        answer = host.run(MEMBERS % port)
        if answer.rc == 0 and answer.stdout.startswith("{"):
            return list(json.loads(answer.stdout)["members"])
    raise AssertionError(f"etcd gives no list of its members: {answer.stderr}")


def test_every_server_sees_the_same_three_voting_members(host: Host, lab: Lab) -> None:
    found = members(host)
    assert {member["name"].rpartition("-")[0] for member in found} == names(lab, "server")
    assert not [member for member in found if member.get("isLearner")]


def test_kubernetes_says_that_every_server_votes(nodes: dict[str, Any], lab: Lab) -> None:
    voting = {
        name
        for name, node in nodes.items()
        for condition in node.status.conditions
        if condition.type == "EtcdIsVoter" and condition.status == "True"
    }
    assert voting == names(lab, "server")


def test_all_hosts_are_nodes_of_one_cluster(nodes: dict[str, Any], lab: Lab) -> None:
    assert set(nodes) == names(lab, "server") | names(lab, "agent")


def test_servers_run_with_what_was_asked_for(nodes: dict[str, Any], lab: Lab) -> None:
    """By the arguments that k3s itself writes on its node."""
    for name in names(lab, "server"):
        arguments = json.loads(nodes[name].metadata.annotations["k3s.io/node-args"])
        pairs = dict(zip(arguments, [*arguments[1:], ""], strict=True))
        assert pairs["--flannel-backend"] == "none"
        assert pairs["--disable-network-policy"] == "true"
        assert "--disable-kube-proxy" not in arguments or pairs["--disable-kube-proxy"] == "false"


def test_no_secret_stands_in_the_node_arguments(nodes: dict[str, Any], lab: Lab) -> None:
    secrets = [value for key, value in lab_variables(lab).items() if "token" in key]
    for node in nodes.values():
        assert not any(secret in str(node.metadata.annotations) for secret in secrets)


def lab_variables(lab: Lab) -> dict[str, str]:
    return dict(json.loads(lab.paths.inventory.read_text())["all"]["vars"])


def test_the_unit_leaves_pods_alone_when_it_restarts(host: Host) -> None:
    assert host.check_output("systemctl show k3s --property=KillMode --value") == "process"
    assert host.service("k3s").is_running
    assert host.service("k3s").is_enabled


def test_files_with_secrets_are_for_root_alone(host: Host) -> None:
    for path in ("/etc/rancher/k3s/config.yaml", "/var/lib/rancher/k3s/server/token", "/etc/rancher/k3s/k3s.yaml"):
        assert host.file(path).mode == 0o600, path


def test_kube_proxy_answers(host: Host) -> None:
    assert host.check_output("curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:10256/livez") == "200"


def test_the_api_answers_on_6444(host: Host) -> None:
    code = host.check_output("curl -ksS https://127.0.0.1:6444/readyz -o /dev/null -w '%{http_code}'")
    assert code in ("200", "401", "403")


def test_every_server_names_a_peer_to_join(host: Host, lab: Lab) -> None:
    """So that a server which lost its disk can never start a second cluster."""
    wanted = yaml.safe_load(host.file("/etc/rancher/k3s/config.yaml").content_string)["server"]
    own = {lab.hosts[host.check_output("hostname")].ip}
    peers = {lab.hosts[name].ip for name in names(lab, "server")} - own
    assert any(peer in wanted for peer in peers), wanted


def test_the_kubeconfig_is_private_and_names_a_server(lab: Lab) -> None:
    path = Path(lab.paths.kubeconfig)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"]
    assert server == f"https://{lab.hosts['server1'].ip}:6443"
