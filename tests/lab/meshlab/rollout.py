"""Runs between the stages as a person makes them, with the collection's own log of what each node was at, and when."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_report
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.render_run_report import page
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import from_line
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_state import Node, fold
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook
from meshlab.service_probes import logs

INVENTORY = ROOT / "inventories" / "lab"
STAGE2, BACK = "stage2", "back"
PLAYBOOKS = {STAGE2: "site.yml", BACK: "playbooks/rollback.yml"}
# What every run here agrees to: CoreDNS begins alone.
CONSENT: Mapping[str, object] = {"stage2_scale_dns": True}
# A node's own turn, out of traffic and back; its health check ports may need its agent once more, later.
TURN = ("claim", "release")
HEALTH = "health"
LONG = 2400.0


def begins(node: str, step: str) -> str:
    """The line that is printed when a node's step begins, as a pattern."""
    return rf"^rollout: {re.escape(node)}: {re.escape(step)}(?: \(|,|$)"


@dataclass(frozen=True)
class Rolled:
    """A run, and what its log says."""

    run: Run
    log: Path

    @property
    def nodes(self) -> Mapping[str, Node]:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        events = [event for event in map(from_line, lines) if event is not None]
        return fold(sorted(events, key=lambda event: event.time)).nodes

    def names(self, node: str) -> list[str]:
        """The steps that a node went through."""
        found = self.nodes.get(node)
        return [step.name for step in found.steps] if found else []

    def span(self, node: str, names: Iterable[str]) -> tuple[float, float] | None:
        """From the first of these steps to the end of the last, in seconds since the epoch."""
        steps = [step for step in self.nodes[node].steps if step.name in set(names)] if node in self.nodes else []
        return (steps[0].begin, max(step.begin + step.took for step in steps)) if steps else None

    def document(self, *more: Path) -> dict[str, Any]:
        """What the report is made of; `more` are the probes' logs."""
        paths = [path for path in (self.log, *more) if path.exists()]
        lines = [line for path in paths for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        return run_report.from_lines(lines)

    def report(self, *more: Path) -> dict[str, Any]:
        """The document, written beside the log with its page."""
        document = self.document(*more)
        self.log.with_suffix(".html").write_text(page(document), encoding="utf-8")
        self.log.with_suffix(".json").write_text(json.dumps(document), encoding="utf-8")
        return document

    def own(self, members: Iterable[str]) -> dict[str, float]:
        """Seconds of each node that are neither drain nor waiting for pods, routers or the cluster."""
        found = {node["name"]: float(node["own"]) for node in self.document()["nodes"]}
        return {name: found[name] for name in members if name in found}


def go(
    lab: Lab, direction: str, *args: str, name: str = "", variables: Mapping[str, object] | None = None,
    timeout: float = LONG, **options: Any,
) -> Rolled:  # fmt: skip
    """One run; without a name its log is one with the last run's of the same direction, which it continues."""
    log = logs(lab) / f"{name or direction}.jsonl"
    if name:
        log.unlink(missing_ok=True)
    env = {
        "ANSIBLE_CALLBACKS_ENABLED": "meshwright.k3s_cilium.rollout", "MESHWRIGHT_ROLLOUT_LOG": str(log),
        "MESHWRIGHT_ROLLOUT_DISPLAY": "lines", **options.pop("env", {}),
    }  # fmt: skip
    given = json.dumps({**CONSENT, **(variables or {})})
    run = run_playbook(
        INVENTORY, PLAYBOOKS[direction], "--tags", "stage2", "--extra-vars", given, *args, env=env, timeout=timeout,
        **options,
    )  # fmt: skip
    return Rolled(run, log)


class AgentWatch:
    """`with AgentWatch(lab) as watch: …`: which of Cilium's pods came when, as one server after the other tells it."""

    EVERY = 0.5

    def __init__(self, lab: Lab) -> None:
        self._servers = [host.ip for host in lab.hosts.values() if host.role == "server"]
        self._kubeconfig = str(lab.paths.kubeconfig)
        self.first: dict[str, str] = {}
        self.came: list[tuple[float, str, str]] = []  # when, node, UID
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> AgentWatch:
        self.first = self._agents(0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _watch(self) -> None:
        known, turn = set(self.first.values()), 0
        while not self._stop.wait(self.EVERY):
            try:
                found = self._agents(turn)
            except (ApiException, HTTPError, OSError):
                turn += 1  # that server may be the one that is just restarting
                continue
            for node, uid in found.items():
                if uid not in known:
                    known.add(uid)
                    self.came.append((time.time(), node, uid))

    def _agents(self, turn: int) -> dict[str, str]:
        settings = client.Configuration()
        config.load_kube_config(self._kubeconfig, client_configuration=settings)
        settings.host, settings.retries = f"https://{self._servers[turn % len(self._servers)]}:6443", False
        with client.ApiClient(settings) as api:
            pods = client.CoreV1Api(api).list_namespaced_pod(
                "kube-system", label_selector="k8s-app=cilium", _request_timeout=5
            )
        return {pod.spec.node_name: pod.metadata.uid for pod in pods.items if not pod.metadata.deletion_timestamp}

    def strangers(self, rolled: Rolled, late: float = 3.0) -> list[str]:
        """Agents that came while another node was in work: one sentence each."""
        found = []
        for when, node, _uid in self.came:
            own = [span for span in (_turn(rolled, node), rolled.span(node, [HEALTH])) if span is not None]
            if not any(begin <= when <= end + late for begin, end in own):
                found.append(f"{node}: a new agent at {when:.1f}; its own turns were {own}")
        return found


def _turn(rolled: Rolled, node: str) -> tuple[float, float] | None:
    """From the note on a node to its removal."""
    begin, end = (rolled.span(node, [name]) for name in TURN)
    if begin is None:
        return None
    return begin[0], end[1] if end is not None else time.time()


def until(condition: Callable[[], bool], what: str, seconds: float, every: float = 1.0) -> float:
    """Seconds until it holds. An API that does not answer counts as not yet."""
    begin = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - begin
        except (ApiException, HTTPError, OSError, RuntimeError):
            pass
        assert time.monotonic() - begin < seconds, f"after {seconds:.0f} s not yet: {what}"
        time.sleep(every)
