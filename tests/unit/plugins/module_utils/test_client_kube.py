"""The client against a small API server of our own, over real HTTP."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Output, _finished
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

CORE = {
    "resources": [
        {"name": "nodes", "kind": "Node", "namespaced": False},
        {"name": "nodes/status", "kind": "Node", "namespaced": False},
        {"name": "pods", "kind": "Pod", "namespaced": True},
    ]
}


class Api(BaseHTTPRequestHandler):
    answers: dict[str, tuple[int, Any]]
    requests: list[tuple[str, str, str, Any]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type") or ""
        self.requests.append((self.command, self.path, kind, json.loads(body) if body else None))
        status, answer = self.answers.get(self.path.partition("?")[0], (404, {"message": "no such thing"}))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_POST = do_DELETE = _answer

    def log_message(self, *_args: Any) -> None:
        """Quiet."""


@pytest.fixture
def api() -> Iterator[type[Api]]:
    class Mine(Api):
        address = ""

    Mine.answers = {"/api/v1": (200, CORE)}
    Mine.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    Mine.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Mine
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kube(api: Any, tmp_path: Path) -> Kube:
    file = tmp_path / "kubeconfig"
    named = {"name": "default"}
    file.write_text(
        yaml.safe_dump(
            {
                "clusters": [{**named, "cluster": {"server": api.address}}],
                "users": [{**named, "user": {}}],
                "contexts": [{**named, "context": {"cluster": "default", "user": "default"}}],
                "current-context": "default",
            }
        )
    )
    return Kube.from_kubeconfig(str(file))


def test_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(MeshwrightError, match=r"missing at .*/nowhere.*k3s_kubeconfig_path"):
        Kube.from_kubeconfig(str(tmp_path / "nowhere"))


def test_no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a Python that has the library, but not one of those that it needs."""
    spec = importlib.util.spec_from_file_location("client_without", client_kube.__file__)
    assert spec is not None and spec.loader is not None
    without = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "client_without", without)
    monkeypatch.setitem(sys.modules, "websocket", None)
    spec.loader.exec_module(without)
    with pytest.raises(MeshwrightError) as raised:
        without.Kube.from_kubeconfig(str(tmp_path / "nowhere"))
    assert re.fullmatch(
        rf"localhost: the Python library kubernetes is missing from {re.escape(sys.executable)} \(.*websocket.*\), "
        r"wanted there.*: install it.*ansible_python_interpreter.*",
        str(raised.value),
    )


def test_get(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/nodes/server1"] = (200, {"kind": "Node", "metadata": {"name": "server1"}})
    assert (kube.get("Node", "server1") or {})["metadata"]["name"] == "server1"
    assert kube.get("Node", "server2") is None


def test_patience_outlasts_an_api_server_that_restarts(api: Any, kube: Kube) -> None:
    class Soon(Turned):
        def turn(self) -> None:
            if self.time == 3:
                api.answers["/api/v1/nodes/server1"] = (200, {"metadata": {"name": "server1"}})

    said: list[str] = []
    api.answers["/api/v1/nodes/server1"] = (429, {"message": "storage is (re)initializing"})
    with pytest.raises(Unreachable, match="initializing"):
        kube.get("Node", "server1")
    kube._patience, kube._say, kube._clock = 10.0, said.append, Soon()
    assert kube.get("Node", "server1") is not None
    assert len(said) == 1 and "tried again for 10 s" in said[0]
    api.answers["/api/v1/nodes/server1"] = (503, {})
    with pytest.raises(Unreachable):
        kube.get("Node", "server1")


def test_a_budget_that_forbids_is_told_at_once(api: Any, kube: Kube) -> None:
    kube._patience = 60.0
    api.answers["/api/v1/namespaces/web/pods/a/eviction"] = (429, {"message": "budget"})
    assert "budget" in kube.evict("web", "a", "uid")


def test_list_completes_the_items(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/namespaces/default/pods"] = (200, {"items": [{"metadata": {"name": "a"}}]})
    assert kube.list("Pod", "default", labels="app=a") == [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    ]
    assert api.requests[-1][1].endswith("?labelSelector=app%3Da")


def test_list_of_null_is_empty(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/pods"] = (200, {"items": None})
    assert kube.list("Pod") == []


def test_a_kind_that_is_not_served(kube: Kube) -> None:
    assert kube.list("CiliumNode", api_version="cilium.io/v2") == []
    assert kube.get("CiliumNode", "a", api_version="cilium.io/v2") is None
    assert kube.delete("CiliumNode", "a", api_version="cilium.io/v2") is False
    with pytest.raises(MeshwrightError, match="CustomResourceDefinition"):
        kube.apply({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "a"}})


def test_a_kind_that_comes_later_is_found(api: Any, kube: Kube) -> None:
    assert kube.resource("cilium.io/v2", "CiliumNode") is None
    served = {"resources": [{"name": "ciliumnodes", "kind": "CiliumNode", "namespaced": False}]}
    api.answers["/apis/cilium.io/v2"] = (200, served)
    found = kube.resource("cilium.io/v2", "CiliumNode")
    assert found is not None and found.url(name="a") == "/apis/cilium.io/v2/ciliumnodes/a"


def test_discovery_is_asked_once(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/nodes"] = (200, {"items": []})
    kube.nodes()
    kube.nodes()
    assert [path for _method, path, _kind, _body in api.requests].count("/api/v1") == 1


def test_apply(api: Any, kube: Kube) -> None:
    wanted = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}}
    api.answers["/api/v1/namespaces/n/pods/a"] = (200, wanted)
    assert kube.apply(wanted, dry_run=True) == wanted
    method, path, kind, body = api.requests[-1]
    assert (method, kind, body) == ("PATCH", "application/apply-patch+yaml", wanted)
    assert "dryRun=All" in path and "fieldManager=meshwright" in path and "force=true" in path


def test_delete_says_whether_it_was_there(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/namespaces/n/pods/a"] = (200, {})
    assert kube.delete("Pod", "a", "n", grace=0) is True
    assert "gracePeriodSeconds=0" in api.requests[-1][1]
    assert kube.delete("Pod", "b", "n") is False


def test_merge(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/nodes/a"] = (200, {"kind": "Node"})
    kube.merge("Node", "a", {"metadata": {"labels": {"x": None}}})
    assert api.requests[-1][2] == "application/merge-patch+json"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_errors_may_be_tried_again(api: Any, kube: Kube, status: int) -> None:
    api.answers["/api/v1/nodes"] = (status, {"message": "etcdserver: leader changed"})
    with pytest.raises(Unreachable, match="leader changed"):
        kube.nodes()


def test_refusals_are_final(api: Any, kube: Kube) -> None:
    api.answers["/api/v1/nodes"] = (403, {"message": "nodes is forbidden"})
    with pytest.raises(MeshwrightError, match="403 Forbidden nodes is forbidden") as caught:
        kube.nodes()
    assert not isinstance(caught.value, Unreachable)


def test_nobody_answers(api: Any, kube: Kube) -> None:
    kube._api.configuration.host = "http://127.0.0.1:1"
    with pytest.raises(Unreachable, match="not answering at"):
        kube.version()


class Session:
    def __init__(self, status: str = "", stdout: str = "", still: bool = False) -> None:
        self.channels = {1: stdout, 2: "", 3: status}
        self.still = still

    def is_open(self) -> bool:
        return self.still

    def close(self) -> None:
        self.still = False

    def read_channel(self, channel: int) -> str:
        return self.channels[channel]


def test_exec_succeeded() -> None:
    assert _finished(Session('{"status": "Success"}', "out"), "it", 1) == Output(0, "out", "")


def test_exec_exit_code() -> None:
    causes = {"causes": [{"reason": "ExitCode", "message": "3"}]}
    assert _finished(Session(json.dumps({"status": "Failure", "details": causes})), "it", 1).rc == 3


@pytest.mark.parametrize(
    "session", [Session(still=True), Session('{"status": "Failure", "message": "no container"}'), Session()]
)
def test_exec_that_did_not_run(session: Session) -> None:
    with pytest.raises(Unreachable):
        _finished(session, "it", 1)


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (201, {}, ""),
        (404, {}, ""),
        (409, {"message": "another uid"}, ""),
        (429, {"message": "would violate the budget"}, "429 Too Many Requests would violate the budget"),
        (500, {"message": "two budgets"}, "500 Internal Server Error two budgets"),
    ],
)
def test_evictions(kube: Kube, api: type[Api], status: int, answer: Any, said: str) -> None:
    api.answers["/api/v1/namespaces/web/pods/a/eviction"] = (status, answer)
    assert kube.evict("web", "a", "uid-1", grace=5) == said
    method, _path, _kind, body = api.requests[-1]
    assert method == "POST" and body["deleteOptions"] == {"preconditions": {"uid": "uid-1"}, "gracePeriodSeconds": 5}


def test_an_eviction_that_is_forbidden(kube: Kube, api: type[Api]) -> None:
    api.answers["/api/v1/namespaces/web/pods/a/eviction"] = (403, {"message": "no"})
    with pytest.raises(MeshwrightError, match="403"):
        kube.evict("web", "a", "uid-1")
