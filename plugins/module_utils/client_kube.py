# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to the Kubernetes API: thin, typed, plain dictionaries in and out. Runs on the controller."""

from __future__ import annotations

import json
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

_IMPORT_ERROR: ImportError | None = None
try:
    import urllib3
    import websocket
    from kubernetes import client, config
    from kubernetes.dynamic import DynamicClient
    from kubernetes.stream import stream
except ImportError as error:
    _IMPORT_ERROR = error

Object = dict[str, t.Any]
Objects = list[Object]

FIELD_MANAGER = "meshwright"
# No request may hang on a server that went away; (connect, read) in seconds.
_TIMEOUT = (5, 30)
# The API server or what it stands on is busy or starting: worth another look.
_PASSING = frozenset({429, 500, 502, 503, 504})


def need_library() -> None:
    if _IMPORT_ERROR is not None:
        raise MeshwrightError(
            "the Python library kubernetes", host="localhost", seen=f"missing from {sys.executable} ({_IMPORT_ERROR})",
            wanted="there, with all that it needs",
            remedy="install it for that Python: an action runs with Ansible's own, a module with the one that "
            "ansible_python_interpreter names",
        ) from _IMPORT_ERROR


@dataclass(frozen=True)
class Resource:
    """How the API names a kind."""

    path: str  # /api/v1 or /apis/<group>/<version>
    plural: str
    namespaced: bool

    def url(self, namespace: str = "", name: str = "") -> str:
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.path}{place}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(frozen=True)
class Output:
    """What a command in a pod left."""

    rc: int
    stdout: str
    stderr: str


class Kube:
    """One cluster. Objects are the API's own JSON; an absent one is None."""

    def __init__(
        self, api_client: t.Any, server: str = "", patience: float = 0.0, say: t.Callable[[str], None] | None = None,
        clock: Clock = CLOCK,
    ) -> None:  # fmt: skip
        self._api = api_client
        self._patience, self._say, self._clock = patience, say, clock
        # Discovery is done here, kind by kind: the library's own leaves a cache file in the temporary directory.
        self._dynamic = DynamicClient(api_client, discoverer=lambda *_args: None)
        self._known: dict[str, dict[str, Resource]] = {}
        self.server = server

    @classmethod
    def from_kubeconfig(
        cls, path: str, context: str | None = None, server: str = "", patience: float = 0.0,
        say: t.Callable[[str], None] | None = None,
    ) -> Kube:  # fmt: skip
        """`server` asks one server in particular (https://address:6443) instead of the one that the file names.

        `patience` is for how many seconds a request is made again while the API does not answer; then `say` is told.
        """
        need_library()
        file = Path(path).expanduser()
        if not file.is_file():
            raise MeshwrightError(
                "the kubeconfig", host="localhost", seen=f"missing at {file}",
                wanted="the cluster's, as site.yml fetches it",
                remedy="run the k3s part first, or set k3s_kubeconfig_path",
            )
        settings = client.Configuration()
        config.load_kube_config(config_file=str(file), context=context, client_configuration=settings)
        settings.retries = False  # waits repeat by themselves, and say so
        if server:
            settings.host = server
            settings.tls_server_name = "kubernetes"  # in every API server's certificate, whatever the address
        return cls(client.ApiClient(settings), settings.host, patience, say)

    # -- reading

    def get(self, kind: str, name: str, namespace: str = "", api_version: str = "v1") -> Object | None:
        resource = self.resource(api_version, kind)
        return None if resource is None else self._request("get", resource.url(namespace, name))

    def list(
        self, kind: str, namespace: str = "", api_version: str = "v1", labels: str = "", fields: str = ""
    ) -> Objects:
        """All objects of a kind; none when the kind is not served."""
        resource = self.resource(api_version, kind)
        if resource is None:
            return []
        found = self._request(
            "get", resource.url(namespace), label_selector=labels or None, field_selector=fields or None
        )
        # Items of a list carry neither of the two.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in (found or {}).get("items") or []]

    def nodes(self, labels: str = "") -> Objects:
        return self.list("Node", labels=labels)

    def version(self) -> Object:
        return self._request("get", "/version") or {}

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How the API serves a kind, or None. Only what was found is remembered: CRDs come later."""
        if kind not in self._known.get(api_version, {}):
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            listed = (self._request("get", path) or {}).get("resources", [])
            self._known[api_version] = {
                entry["kind"]: Resource(path, entry["name"], entry["namespaced"])
                for entry in listed
                if "/" not in entry["name"]
            }
        return self._known[api_version].get(kind)

    def through_pod(self, namespace: str, pod: str, port: int, path: str, query: t.Mapping[str, str]) -> str:
        """What a pod's own HTTP server answers, by way of the API server."""
        url = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}"
        thing = f"the answer of pod {namespace}/{pod}"
        try:
            answer = self._dynamic.request(
                "get", url, serialize=False, query_params=list(query.items()), _request_timeout=_TIMEOUT
            )
            return str(answer.data.decode("utf-8", "replace"))
        except client.ApiException as error:
            body = error.body.decode() if isinstance(error.body, bytes) else str(error.body or error.reason)
            raise Unreachable(thing, seen=f"{error.status} {body.strip()[:200]}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(thing, seen=f"missing ({_text(error)})") from error

    # -- writing

    def apply(self, wanted: Object, dry_run: bool = False, force: bool = True) -> Object:
        """Server-side apply: ours are the fields in `wanted`, everything else stays as it is."""
        resource, meta = self._served(wanted), wanted["metadata"]
        answer = self._request(
            "patch", resource.url(meta.get("namespace", ""), meta["name"]), body=wanted,
            content_type="application/apply-patch+yaml", field_manager=FIELD_MANAGER, force_conflicts=force,
            dry_run="All" if dry_run else None,
        )
        return self._answered(answer, wanted)

    def create(self, wanted: Object) -> Object:
        resource = self._served(wanted)
        url = resource.url(wanted["metadata"].get("namespace", ""))
        return self._answered(self._request("post", url, body=wanted, field_manager=FIELD_MANAGER), wanted)

    def merge(self, kind: str, name: str, patch: Object, namespace: str = "", api_version: str = "v1") -> Object:
        """A JSON merge patch: None removes a key."""
        wanted = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
        answer = self._request(
            "patch", self._served(wanted).url(namespace, name), body=patch,
            content_type="application/merge-patch+json", field_manager=FIELD_MANAGER,
        )
        return self._answered(answer, wanted)

    def delete(
        self, kind: str, name: str, namespace: str = "", api_version: str = "v1", grace: int | None = None
    ) -> bool:
        """Ask for an object to go, dependents after it. False when it was not there."""
        resource = self.resource(api_version, kind)
        if resource is None:
            return False
        answer = self._request(
            "delete", resource.url(namespace, name), propagation_policy="Background", grace_period_seconds=grace
        )
        return answer is not None

    def evict(self, namespace: str, pod: str, uid: str, grace: int | None = None) -> str:
        """Ask for a pod to go, with respect to PodDisruptionBudgets. Empty when it will; else why not just now."""
        options: Object = {"preconditions": {"uid": uid}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        body = {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace},
            "deleteOptions": options,
        }  # fmt: skip
        try:
            self._once("post", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body=body)
        except MeshwrightError as error:
            status = getattr(error.__cause__, "status", 0)
            if status == 409:  # another pod has the name now
                return ""
            # A budget that forbids it, or two budgets for one pod, which the server calls its own error.
            if status not in (429, 500):
                raise
            return error.seen
        return ""

    # -- in a pod

    def exec(
        self, namespace: str, pod: str, command: t.Sequence[str], container: str = "", timeout: float = 15.0
    ) -> Output:
        """Run a command in a pod. Raises Unreachable when the pod cannot be entered just now."""
        thing = f"the command {command[0]} in pod {namespace}/{pod}"
        # The library puts another transport into the API client while it connects, so each call has its own.
        api = client.CoreV1Api(client.ApiClient(self._api.configuration))
        websocket.setdefaulttimeout(timeout)
        try:
            session = stream(
                api.connect_get_namespaced_pod_exec, pod, namespace, command=list(command), container=container or None,
                stdin=False, stdout=True, stderr=True, tty=False, _preload_content=False,
            )
            session.run_forever(timeout=timeout)
            return _finished(session, thing, timeout)
        except (client.ApiException, websocket.WebSocketException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(thing, seen=f"not answered ({_text(error)})", remedy="see the pod's state") from error

    # -- underneath

    def _served(self, wanted: Object) -> Resource:
        resource = self.resource(wanted["apiVersion"], wanted["kind"])
        if resource is None:
            raise MeshwrightError(
                f"the kind {wanted['kind']}", seen="not served by the cluster", wanted=wanted["apiVersion"],
                remedy="install its CustomResourceDefinition first",
            )
        return resource

    def _answered(self, answer: Object | None, wanted: Object) -> Object:
        if answer is None:
            raise MeshwrightError(f"{wanted['kind']} {wanted['metadata']['name']}", seen="gone", wanted="there")
        return answer

    def _request(self, method: str, path: str, body: Object | None = None, **options: t.Any) -> Object | None:
        """An answer; None for 404."""
        end, told = self._clock.now() + self._patience, False
        while True:
            try:
                return self._once(method, path, body, **options)
            except Unreachable as error:
                if self._clock.now() >= end:
                    raise
                if self._say is not None and not told:
                    self._say(f"{error}; it is tried again for {self._patience:.0f} s")
                    told = True
                self._clock.sleep(1.0)

    def _once(self, method: str, path: str, body: Object | None = None, **options: t.Any) -> Object | None:
        given = {key: value for key, value in options.items() if value is not None}
        try:
            answer = self._dynamic.request(method, path, body=body, serialize=False, _request_timeout=_TIMEOUT, **given)
            found: Object = json.loads(answer.data)
            return found
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise _api_error(error, method, path) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                "the Kubernetes API", host="localhost", seen=f"not answering at {self.server} ({_text(error)})",
                wanted=f"an answer to {method} {path}", remedy="see that the server in the kubeconfig is up",
            ) from error


def _api_error(error: t.Any, method: str, path: str) -> MeshwrightError:
    try:
        message = json.loads(error.body).get("message", "")
    except (TypeError, ValueError, AttributeError):
        message = str(error.body or "")
    kind = Unreachable if error.status in _PASSING else MeshwrightError
    return kind(f"the answer to {method} {path}", seen=f"{error.status} {error.reason} {message}".strip())


def _finished(session: t.Any, thing: str, timeout: float) -> Output:
    if session.is_open():
        session.close()
        raise Unreachable(thing, seen="still running", wanted=f"an end within {timeout:.0f} s")
    stdout, stderr = session.read_channel(1), session.read_channel(2)
    status = json.loads(session.read_channel(3) or "{}")
    if status.get("status") == "Success":
        return Output(0, stdout, stderr)
    causes = status.get("details", {}).get("causes", [])
    code = next((cause["message"] for cause in causes if cause.get("reason") == "ExitCode"), "")
    if not code.isdigit():
        raise Unreachable(thing, seen=f"not run ({status.get('message') or 'the connection ended'})")
    return Output(int(code), stdout, stderr)


def _text(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error) or type(error).__name__
