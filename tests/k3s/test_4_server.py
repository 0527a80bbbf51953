"""The first server at work: ports, images, manifests, pods."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from . import images, onhost
from .cluster import BINARY, DATA, KUBECONFIG, Node
from .conftest import Cluster
from .objects import config_map, pod, wait_running
from .wait import until

MANIFESTS = f"{DATA}/server/manifests"


@pytest.fixture(scope="module")
def netexec(server1: Node) -> str:
    server1.apply(pod("on-server1", server1, 18081))
    wait_running(server1, "on-server1")
    return "on-server1"


@pytest.mark.parametrize(("path", "says"), [("/ping", "pong"), ("/cacerts", "BEGIN CERTIFICATE")])
def test_open_to_everybody(server1: Node, path: str, says: str) -> None:
    """k3s docs, cli/token.md, TLS bootstrapping: what a joining node reads; k3s: pkg/server/handlers/router.go."""
    answer = server1.request(f"{server1.url}{path}")
    assert (answer.get("status"), says in answer.get("body", "")) == (200, True), answer


@pytest.mark.parametrize("path", ["/v1-k3s/config", "/v1-k3s/server-bootstrap", "/v1-k3s/readyz"])
def test_closed_without_credentials(server1: Node, path: str) -> None:
    """k3s: pkg/server/handlers/router.go: everything below /v1-k3s wants a role."""
    assert server1.request(f"{server1.url}{path}").get("status") in (401, 403)


def test_agents_read_their_configuration_with_the_agent_token(server1: Node, cluster: Cluster) -> None:
    """k3s: pkg/server/handlers/router.go; the user is `node`. The bootstrap data are for servers only."""
    credentials = _basic("node", cluster.agent_token)
    answer = server1.request(f"{server1.url}/v1-k3s/config", headers=credentials)
    assert answer.get("status") == 200, answer
    assert json.loads(answer["body"])["FlannelBackend"] == "none"
    answer = server1.request(f"{server1.url}/v1-k3s/server-bootstrap", headers=credentials)
    assert answer.get("status") in (401, 403)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_certificate_has_the_names_that_were_asked_for_and_no_others(server1: Node) -> None:
    """k3s docs, cli/server.md, tls-san and tls-san-security."""
    assert server1.certificate_is_valid_for("k3s.suite.test")
    assert server1.certificate_is_valid_for(server1.ip)
    assert not server1.certificate_is_valid_for("somebody.else.test")


def test_local_api_answers_on_6444(server1: Node) -> None:
    """k3s pull request 3026: on a server 127.0.0.1:6444 is its own API server."""
    said = server1.kubectl("--kubeconfig", KUBECONFIG, "--server", "https://127.0.0.1:6444", "get", "--raw", "/readyz")
    assert said == "ok"
    assert "error" in server1.request(f"https://{server1.ip}:6444/readyz")


def test_kube_proxy_runs_and_says_so_on_10256(server1: Node) -> None:
    """k3s issue 11153 shows healthz-bind-address=127.0.0.1."""
    look = lambda: server1.request("http://127.0.0.1:10256/healthz").get("status")  # noqa: E731
    until("kube-proxy's health", look, lambda status: status == 200, 30)


def test_image_archives_are_imported_at_the_start(server1: Node) -> None:
    """k3s docs, add-ons/import-images.md: tarballs in agent/images, placed before k3s is started."""
    until("the image", lambda: _images(server1), lambda names: "marker.suite.test/before:1" in names, 30)


def test_image_archives_are_imported_while_k3s_runs(server1: Node, tmp_path: Path) -> None:
    """k3s docs, add-ons/import-images.md: or while it runs, since v1.32; decompressed if necessary."""
    tar = images.archive(tmp_path / "later.tar.gz", "marker.suite.test/later:1")
    server1.host.put(tar, f"{DATA}/agent/images/{tar.name}")
    until("the image", lambda: _images(server1), lambda names: "marker.suite.test/later:1" in names, 30)


def _images(node: Node) -> str:
    return node.run(BINARY, "ctr", "images", "list", "-q")


def test_pulls_go_to_the_mirror_of_registries_yaml(server1: Node) -> None:
    """k3s docs, installation/private-registry.md: the original registry is passed as the parameter ns."""
    log = "/run/suite-registry.log"
    server1.put(log, "")
    server1.run("systemd-run", "--quiet", "--unit=suite-registry", "python3", "-c", onhost.REGISTRY, "5099", log)
    until("the registry", lambda: server1.request("http://127.0.0.1:5099/v2/").get("status"), lambda s: s == 200, 10)
    try:
        server1.run(BINARY, "crictl", "pull", "mirror.suite.test/some/app:1", check=False, timeout=60)
        asked = server1.read(log)
    finally:
        server1.run("systemctl", "stop", "suite-registry")
    assert "/v2/some/app/manifests/1?ns=mirror.suite.test" in asked


def test_manifests_are_applied_but_for_those_to_be_skipped(server1: Node) -> None:
    """k3s docs, installation/packaged-components.md: manifests directory, changes, .skip files, deletion."""
    server1.put(f"{MANIFESTS}/suite-skipped.yaml.skip", "")
    server1.put(f"{MANIFESTS}/suite-skipped.yaml", config_map("skipped", state="new"))
    server1.put(f"{MANIFESTS}/suite-applied.yaml", config_map("applied", state="new"))
    _wait_state(server1, "new")
    assert not server1.succeeds(BINARY, "kubectl", "get", "configmap", "skipped")


def test_manifests_are_tracked_as_addons(server1: Node) -> None:
    """k3s docs, installation/packaged-components.md: named after the file, in kube-system."""
    server1.put(f"{MANIFESTS}/suite-tracked.yaml", config_map("tracked", state="new"))
    addon = ("addons.k3s.cattle.io", "suite-tracked", "-n", "kube-system")
    until("the AddOn", lambda: server1.get(*addon)["spec"].get("source"), bool, 45)


@pytest.mark.full
def test_manifests_are_applied_again_when_they_change_and_stay_when_the_file_goes(server1: Node) -> None:
    """k3s docs, installation/packaged-components.md: a file that is deleted takes nothing with it."""
    server1.put(f"{MANIFESTS}/suite-applied.yaml", config_map("applied", state="changed"))
    _wait_state(server1, "changed")
    server1.run("rm", f"{MANIFESTS}/suite-applied.yaml")
    server1.put(f"{MANIFESTS}/suite-next.yaml", config_map("next", state="new"))
    until("the next manifest", lambda: server1.get("configmap", "next"), bool, 45)
    assert server1.get("configmap", "applied")["data"]["state"] == "changed"


def _wait_state(server: Node, state: str) -> None:
    until("manifest", lambda: server.get("configmap", "applied")["data"]["state"], lambda seen: seen == state, 45)


def test_logs_and_exec(server1: Node, netexec: str) -> None:
    """k3s docs, cli/server.md, egress-selector-mode: the API server reaches the kubelet by k3s's tunnel."""
    assert "netexec" in until("exec", lambda: server1.kubectl("exec", netexec, "--", "/agnhost", "--help"), bool, 20)
    until("logs", lambda: server1.kubectl("logs", netexec), lambda said: "HTTP" in said, 20)


def test_a_restart_of_k3s_leaves_the_pods_running(server1: Node, netexec: str) -> None:
    """k3s's unit has KillMode=process (k3s: install.sh). The kubeconfig gets what the last file says, too."""
    before = server1.processes("--http-port=18081"), server1.main_pid()
    status = server1.get("pod", netexec)["status"]["containerStatuses"][0]
    server1.install("server")
    server1.restart()
    assert server1.main_pid() != before[1]
    assert server1.processes("--http-port=18081") == before[0] != set()
    after = wait_running(server1, netexec)["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (status["containerID"], status["restartCount"])
    assert server1.mode(KUBECONFIG) == "604"


@pytest.mark.full
def test_pods_outlive_a_stopped_k3s(server1: Node, netexec: str) -> None:
    """k3s: install.sh, KillMode=process: stopping the service is not stopping the work."""
    before = server1.processes("--http-port=18081")
    server1.stop()
    try:
        assert server1.request("http://127.0.0.1:18081/hostname").get("status") == 200
        assert "error" in server1.request("https://127.0.0.1:6444/readyz")
        assert "error" in server1.request(f"{server1.url}/ping")
    finally:
        server1.start()
    assert server1.processes("--http-port=18081") == before != set()
