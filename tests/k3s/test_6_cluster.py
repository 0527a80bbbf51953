"""Three servers and an agent, all well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .cluster import DATA, KUBECONFIG, Node
from .conftest import Cluster
from .objects import pod, voters, wait_running
from .wait import throughout, until

LOCAL_API = ("--kubeconfig", "/run/suite-kubeconfig", "--server", "https://127.0.0.1:6444")


@pytest.fixture(scope="module")
def on_agent(trio: Cluster) -> str:
    trio.server1.apply(pod("on-agent1", trio.agent1, 18082))
    wait_running(trio.server1, "on-agent1")
    return "on-agent1"


@pytest.fixture(scope="module")
def local_api(trio: Cluster) -> Callable[[], str]:
    """Asks 127.0.0.1:6444 on the agent, as an administrator."""
    kubeconfig = trio.server1.read(KUBECONFIG)
    trio.agent1.put("/run/suite-kubeconfig", kubeconfig)
    return lambda: trio.agent1.kubectl(*LOCAL_API, "--request-timeout=4s", "get", "--raw", "/readyz")


def kube_proxy(node: Node) -> int | None:
    """What answers on kube-proxy's health port, if anything does."""
    status = node.request("http://127.0.0.1:10256/healthz").get("status")
    return int(status) if status is not None else None


def test_servers_may_differ_in_disable_kube_proxy(trio: Cluster) -> None:
    """k3s docs, cli/server.md: not among the critical values. The later servers joined with it, the first has not."""
    assert kube_proxy(trio.server1) == 200
    assert [kube_proxy(node) for node in (trio.server2, trio.server3)] == [None, None]


def test_every_server_is_a_voting_member(trio: Cluster) -> None:
    """k3s docs, datastore/ha-embedded.md; k3s: pkg/etcd, condition EtcdIsVoter."""
    names = {node.name for node in trio.servers}
    look = lambda: voters(trio.server1)  # noqa: E731
    until("voters", look, lambda seen: seen == dict.fromkeys(names, "True"), 60)
    assert trio.server2.members() == dict.fromkeys(names, True)


def test_nodes_have_roles_labels_and_addresses(trio: Cluster) -> None:
    """k3s docs, datastore/ha-embedded.md, quick-start.md: roles of servers, none on agents."""
    nodes = {node["metadata"]["name"]: node for node in trio.server3.get("nodes")["items"]}
    assert set(nodes) == {node.name for node in trio.nodes}
    for node in trio.nodes:
        seen = nodes[node.name]
        roles = {key for key in seen["metadata"]["labels"] if key.startswith("node-role.kubernetes.io/")}
        assert ("node-role.kubernetes.io/etcd" in roles) == (node in trio.servers)
        assert {"type": "InternalIP", "address": node.ip} in seen["status"]["addresses"]
        assert "+k3s" in seen["status"]["nodeInfo"]["kubeletVersion"]
    assert nodes["agent1"]["metadata"]["labels"]["suite/agent"] == "yes"


def test_every_server_has_the_same_authority_and_token(trio: Cluster) -> None:
    """k3s docs, cli/token.md, datastore/backup-restore.md: the bootstrap data are shared."""
    for path in (f"{DATA}/server/tls/server-ca.crt", f"{DATA}/server/token"):
        assert len({node.read(path) for node in trio.servers}) == 1


def test_every_node_has_a_password_secret(trio: Cluster) -> None:
    """k3s docs, architecture.md, how agent node registration works: <host>.node-password.k3s in kube-system."""
    wanted = {f"{node.name}.node-password.k3s" for node in trio.nodes}

    def look() -> set[str]:
        secrets = trio.server1.get("secrets", "-n", "kube-system")["items"]
        return {secret["metadata"]["name"] for secret in secrets}

    until("password secrets", look, lambda names: wanted <= names, 30)
    assert trio.agent1.exists("/etc/rancher/node/password")


@pytest.mark.parametrize("through", ["server1", "server2", "server3"])
def test_exec_and_logs_on_an_agent_through_every_server(trio: Cluster, on_agent: str, through: str) -> None:
    """k3s docs, architecture.md: agents keep a tunnel to every server."""
    server: Node = getattr(trio, through)
    until("exec", lambda: server.kubectl("exec", on_agent, "--", "/agnhost", "--help"), lambda s: "netexec" in s, 30)
    until("logs", lambda: server.kubectl("logs", on_agent), lambda said: "HTTP" in said, 20)


def test_agents_ask_a_server_about_kube_proxy_when_they_start(trio: Cluster, on_agent: str) -> None:
    """k3s: pkg/agent/config/config.go: converted servers change nothing on an agent until it restarts."""
    trio.server1.put("/etc/rancher/k3s/config.yaml.d/60-kube-proxy.yaml", {"disable-kube-proxy": True})
    trio.server1.restart()
    until("kube-proxy of server1", lambda: kube_proxy(trio.server1), lambda status: status is None, 20)
    assert kube_proxy(trio.agent1) == 200
    before = trio.agent1.processes("--http-port=18082")
    trio.agent1.restart()
    throughout("kube-proxy of agent1", lambda: kube_proxy(trio.agent1), lambda status: status is None, 6)
    assert trio.agent1.processes("--http-port=18082") == before != set()


def test_local_api_answers_on_agents(trio: Cluster, local_api: Callable[[], str]) -> None:
    """k3s issue 710 and pull request 3026: 127.0.0.1:6444 is the agent's balancer; 6443 is not there."""
    until("the agent's 6444", local_api, lambda said: said == "ok", 20)
    assert "error" in trio.agent1.request("https://127.0.0.1:6443/ping")


def test_local_api_of_a_server_dies_with_its_k3s_that_of_an_agent_moves_on(
    trio: Cluster, local_api: Callable[[], str]
) -> None:
    """k3s issue 710: balancing is for agents. The server that is stopped is the one the agent was told to join."""
    trio.server1.stop()
    try:
        assert "error" in trio.server1.request("https://127.0.0.1:6444/readyz")
        until("the agent's 6444", local_api, lambda said: said == "ok", 45)
        throughout("the agent's 6444", local_api, lambda said: said == "ok", 5)
        assert trio.server2.kubectl("get", "--raw", "/readyz") == "ok"
    finally:
        trio.server1.start()


@pytest.mark.full
def test_an_agent_restarts_though_its_server_is_gone(trio: Cluster, local_api: Callable[[], str]) -> None:
    """k3s issue 710: the servers are saved on change and used again at a restart."""
    trio.server1.stop()
    try:
        trio.agent1.restart()
        until("the agent's 6444", local_api, lambda said: said == "ok", 30)
    finally:
        trio.server1.start()


@pytest.mark.full
def test_an_agents_api_survives_a_server_that_loses_its_power(trio: Cluster, local_api: Callable[[], str]) -> None:
    """k3s issue 710; k3s docs, datastore/ha-embedded.md: two servers of three have quorum."""
    trio.server1.host.kill()
    try:
        until("the agent's 6444", local_api, lambda said: said == "ok", 60)
    finally:
        trio.server1.host.start()
        trio.server1.start()
    names = {node.name for node in trio.servers}
    until("voters", lambda: voters(trio.server2), lambda seen: seen == dict.fromkeys(names, "True"), 60)
