# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cilium says of itself, and what the cluster says of Cilium. Parsing is pure; the rest asks the API."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

NAMESPACE = "kube-system"
AGENTS = "k8s-app=cilium"
TAINT = "node.cilium.io/agent-not-ready"
# The agent's own status, then the other nodes as it reached them in its last round, which may be minutes ago: the
# prober runs at its own pace and cannot be hurried (Cilium: pkg/health/server). Absent where health checking is off.
COMMAND = ("sh", "-c", "cilium-dbg status -o json; echo; cilium-health status -o json 2>/dev/null")
_EXEC_TIMEOUT = 30.0
THREADS = 8


@dataclass(frozen=True)
class AgentSays:
    """One agent's own words."""

    state: str  # Ok, Warning, Failure, Disabled
    message: str
    replacement: str  # "True", "False" or "" while it does not say
    controllers: int
    failing: tuple[str, ...]
    reachable: int | None  # None: health checking is off
    known_nodes: int | None
    unreachable: tuple[str, ...]


@dataclass(frozen=True)
class Agent:
    """One node's agent, as the API and as itself see it."""

    node: str
    node_ready: bool
    tainted: bool
    pod: str
    uid: str
    ready: bool
    says: AgentSays | None
    error: str = ""


def parse_status(output: str) -> AgentSays:
    """The output of COMMAND."""
    found = _documents(output)
    if not found or "cilium" not in found[0]:
        raise Unreachable("the agent's status", seen=f"not to be read ({output.strip()[:120] or 'no output'})")
    status, health = found[0], found[1] if len(found) > 1 else {}
    controllers = status.get("controllers") or []
    # No nodes in an answer: the first round is still to come. No answer: health checking is off.
    nodes = (health.get("nodes") or []) if health else None
    bad = tuple(sorted(node.get("name", "?") for node in nodes or [] if not _reached(node)))
    cilium = status.get("cilium") or {}
    return AgentSays(
        state=cilium.get("state", ""),
        message=cilium.get("msg", ""),
        replacement=(status.get("kube-proxy-replacement") or {}).get("mode", ""),
        controllers=len(controllers),
        failing=tuple(_failing(controllers)),
        reachable=None if nodes is None else len(nodes) - len(bad),
        known_nodes=None if nodes is None else len(nodes),
        unreachable=bad,
    )


def _documents(output: str) -> list[Object]:
    decoder, rest, found = json.JSONDecoder(), output.strip(), []
    while rest:
        try:
            document, end = decoder.raw_decode(rest)
        except ValueError:
            break
        found.append(document)
        rest = rest[end:].lstrip()
    return [document for document in found if isinstance(document, dict)]


def _failing(controllers: t.Iterable[Object]) -> t.Iterator[str]:
    for controller in controllers:
        state = controller.get("status") or {}
        if state.get("consecutive-failure-count"):
            yield f"{controller.get('name')}: {state.get('last-failure-msg', '')}"


def _reached(node: Object) -> bool:
    """Host and health endpoint, by ICMP and HTTP; an endpoint that is not there is not asked for."""
    paths = [(node.get("host") or {}).get("primary-address")]
    endpoint = (node.get("health-endpoint") or {}).get("primary-address")
    if endpoint:
        paths.append(endpoint)
    return all(path is not None and _path_well(path) for path in paths)


def _path_well(path: Object) -> bool:
    # An empty status is a good one; a missing probe is one that is still to come.
    return all(path.get(way) is not None and not path[way].get("status") for way in ("icmp", "http"))


def condition(thing: Object, name: str) -> bool:
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(entry["type"] == name and entry["status"] == "True" for entry in conditions)


def agents(kube: Kube, only: t.Container[str] | None = None) -> tuple[Agent, ...]:
    """One for each node, or for each of these, in the nodes' order by name."""
    pods = living_pods(kube)
    named = {str(node["metadata"]["name"]): node for node in kube.nodes()}
    nodes = [node for name, node in sorted(named.items()) if only is None or name in only]
    with ThreadPoolExecutor(THREADS) as threads:
        return tuple(threads.map(lambda node: _agent(kube, node, pods.get(node["metadata"]["name"])), nodes))


def agent_on(kube: Kube, name: str) -> Agent | None:
    """One node's; None where there is no such node."""
    node = kube.get("Node", name)
    return None if node is None else _agent(kube, node, living_pods(kube, f"spec.nodeName={name}").get(name))


def living_pods(kube: Kube, fields: str = "") -> dict[str, Object]:
    """The agents' pods by node. One that is on its way out counts for nothing."""
    pods = kube.list("Pod", NAMESPACE, labels=AGENTS, fields=fields)
    return {pod["spec"].get("nodeName", ""): pod for pod in pods if not pod["metadata"].get("deletionTimestamp")}


def asked(kube: Kube, pod: Object, command: t.Sequence[str]) -> str:
    """What a command prints in an agent's pod."""
    return kube.exec(NAMESPACE, pod["metadata"]["name"], command, "cilium-agent", _EXEC_TIMEOUT).stdout


def _agent(kube: Kube, node: Object, pod: Object | None) -> Agent:
    says, error = None, ""
    if pod is None:
        error = "no pod"
    elif not condition(pod, "Ready"):
        error = waiting_for(pod)
    else:
        try:
            says = parse_status(asked(kube, pod, COMMAND))
        except MeshwrightError as caught:
            error = str(caught)
    meta = pod["metadata"] if pod else {}
    return Agent(
        node=node["metadata"]["name"],
        node_ready=condition(node, "Ready"),
        tainted=any(taint["key"] == TAINT for taint in node["spec"].get("taints") or []),
        pod=meta.get("name", ""),
        uid=meta.get("uid", ""),
        ready=pod is not None and condition(pod, "Ready"),
        says=says,
        error=error,
    )


def waiting_for(pod: Object) -> str:
    """Why a pod is not ready, in its own words."""
    status = pod.get("status") or {}
    for entry in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (entry.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") != "PodInitializing":
            text = f"{entry['name']}: {waiting.get('reason')} {waiting.get('message', '')}".strip()
            return f"{text} (restarted {entry.get('restartCount', 0)} times)" if entry.get("restartCount") else text
    unscheduled = [entry for entry in status.get("conditions") or [] if entry["type"] == "PodScheduled"]
    if unscheduled and unscheduled[0]["status"] != "True":
        return f"not scheduled: {unscheduled[0].get('message', '')}"
    return f"{status.get('phase', 'Unknown')}, not ready yet"


def told(found: t.Sequence[Agent]) -> list[dict[str, t.Any]]:
    """The agents as a module returns them."""
    return [dataclasses.asdict(agent) for agent in found]


def table(found: t.Sequence[Agent]) -> list[str]:
    """For people: one line for each node."""
    rows = [("node", "ready", "agent", "kube-proxy replacement", "last health round", "controllers", "pod")]
    rows += [_row(agent) for agent in found]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _row(agent: Agent) -> tuple[str, str, str, str, str, str, str]:
    ready = "yes" if agent.node_ready and not agent.tainted else "tainted" if agent.tainted else "no"
    says = agent.says
    if says is None:
        return (agent.node, ready, agent.error, "", "", "", agent.pod)
    health = {None: "off", 0: "none yet"}.get(says.known_nodes, f"{says.reachable}/{says.known_nodes}")
    well = f"{says.controllers - len(says.failing)}/{says.controllers}"
    return (agent.node, ready, says.state, says.replacement, health, well, agent.pod)
