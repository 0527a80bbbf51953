# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from any state between the stages to one of them, and back. Pure.

    forward: record → node by node: Cilium serves → the chart's value → kube-proxy leaves servers, then agents → tidy
    back:    kube-proxy returns to servers, then agents → node by node: Cilium leaves it to kube-proxy → the value

At every point each node has at least one of the two, also when it is rebooted just then: an agent starts by label and
chart, k3s by its files. So kube-proxy goes last and comes first. Nothing is remembered but what stands on the cluster.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance_plan as traffic
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import MODES, Facts, Node
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_steps import BACK, STAGE2, TARGETS, Step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.step_plan import StepPlan

Kinds = tuple[str, ...]
# Shared by both ways of leaving traffic out of it.
_OF_DRAIN = (traffic.CORDON, traffic.DRAIN)
_OF_WITHDRAWAL = (traffic.WITHDRAW, traffic.GONE)


@dataclass(frozen=True)
class Options:
    """What the user may choose."""

    order: tuple[str, ...] = ()  # nodes to begin with
    agent_batch: int = 1
    withdraw: bool = True
    drain: bool = True
    renew: bool = False  # restart pods that keep sockets from before
    scale_dns: bool = False


@dataclass(frozen=True)
class Plan(StepPlan[Step]):
    direction: str
    steps: tuple[Step, ...]

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "direction": self.direction,
            "steps": [step.as_dict() for step in self.steps],
            "batches": {phase: [list(batch) for batch in self.batches(phase)] for phase in self.phases},
        }


def plan(facts: Facts, direction: str, options: Options | None = None) -> Plan:
    """What remains, in order. Empty: the cluster is there."""
    wish, target = options or Options(), TARGETS[direction]
    nodes = _ordered(facts, wish)
    if direction == STAGE2:
        found = (
            *_prepare(facts, wish, target), *_pass_one(facts, nodes, target, wish), *_default(facts, nodes, target),
            *_kube_proxy(nodes, target, wish), *_leftovers(facts, nodes, target, wish),
        )  # fmt: skip
    else:
        forget = (steps.step(steps.FORGET, steps.END, target),) if facts.record else ()
        found = (
            *_prepare(facts, wish, target), *_kube_proxy(nodes, target, wish), *_pass_one(facts, nodes, target, wish),
            *_default(facts, nodes, target), *forget,
        )  # fmt: skip
    return Plan(direction, found)


def visit(facts: Facts, node: Node, target: int, wish: Options) -> Kinds:
    """What remains of a node's own turn: out of traffic, another proxy, back into traffic."""
    flips = node.replacement != MODES[target]
    labels = (steps.LABEL,) if facts.destined(node) != MODES[target] else ()
    if not flips and not node.claimed:
        return labels
    out = tuple(kind for kind in _out(node) if _wished(kind, wish)) if flips else ()
    kept = any(not pod.moves and not pod.static for pod in node.pods) if flips else bool(node.kept)
    change = (*labels, steps.RESTART, steps.REPLACED) if flips else labels
    renew = (steps.RENEW,) if wish.renew and kept else ()
    claim = () if node.claimed else (steps.CLAIM,)
    return (*claim, *out, *change, *renew, steps.ANSWERED, *_in(node, out), steps.RELEASE)


def put_back(facts: Facts, node: Node, direction: str) -> tuple[Step, ...]:
    """For a node on which a step failed. One that was changed and answers stays so: only its traffic comes back.

    The node is out already, or was brought back by whoever took it out, so nothing is drained for it.
    """
    target = TARGETS[direction]
    here = (*_out_of(node), steps.RELEASE) if node.claimed else ()
    if node.replacement == MODES[target]:
        return _all(here, steps.PASS_ONE, target, node.name)
    former = 3 - target
    labels = (steps.LABEL,) if facts.destined(node) != MODES[former] else ()
    restart = (steps.RESTART, steps.REPLACED) if node.replacement != MODES[former] else ()
    answered = (steps.ANSWERED,) if node.claimed or restart else ()
    return _all((*labels, *restart, *answered, *here), steps.PASS_ONE, former, node.name)


def put_k3s_back(node: Node, direction: str) -> tuple[Step, ...]:
    """For a node on which k3s did not come up as wanted. An agent asks a server, so it is only started again."""
    former = 3 - TARGETS[direction]
    if not node.server:
        return _all((steps.K3S, steps.JOINED), steps.AGENTS, former, node.name)
    back = replace(node, ready=False)  # asked for in any case
    return _all(_k3s(back, former), steps.SERVERS, former, node.name)


# -- the parts


def _prepare(facts: Facts, wish: Options, target: int) -> tuple[Step, ...]:
    kinds: list[str] = []
    if target == 2 and facts.record is None and facts.chart_stage == 1:
        kinds += [] if facts.snapshot else [steps.SNAPSHOT]
        kinds.append(steps.RECORD)
    single = facts.dns_replicas is not None and facts.dns_replicas < 2
    if wish.scale_dns and single and any(visit(facts, node, target, wish) for node in facts.nodes):
        kinds.append(steps.DNS)
    return _all(kinds, steps.PREPARE, target)


def _pass_one(facts: Facts, nodes: t.Sequence[Node], target: int, wish: Options) -> tuple[Step, ...]:
    turns = {node.name: visit(facts, node, target, wish) for node in nodes}
    busy = [node for node in nodes if turns[node.name]]
    # A node that was out when the last run ended is finished before another one goes out.
    ordered = sorted(busy, key=lambda node: not node.claimed)
    found = _batched(ordered, turns, steps.PASS_ONE, target, wish.agent_batch)
    labelled = any(steps.LABEL in kinds for kinds in turns.values())
    relied_on = labelled or (facts.chart_stage != target and any(node.label == target for node in nodes))
    if relied_on and facts.configs.get(target) != facts.wanted.get(target, {}):
        return (steps.step(steps.NODE_CONFIG, steps.PASS_ONE, target), *found)
    return found


def _default(facts: Facts, nodes: t.Sequence[Node], target: int) -> tuple[Step, ...]:
    kinds: list[str] = []
    if facts.chart_stage != target:
        kinds += [steps.FLIP, steps.OPERATOR]
    elif not facts.operator_current:
        kinds.append(steps.OPERATOR)
    labelled = [node for node in nodes if node.label or facts.destined(node) != MODES[target]]
    if facts.configs or any(node.label != target for node in labelled):
        kinds.append(steps.UNCONFIGURE)
    found = _all(kinds, steps.DEFAULT, target)
    return found + tuple(steps.step(steps.UNLABEL, steps.DEFAULT, target, node.name) for node in labelled)


def _kube_proxy(nodes: t.Sequence[Node], target: int, wish: Options) -> tuple[Step, ...]:
    """Servers first: an agent does as the server says that it happens to ask."""
    found: list[Step] = []
    servers = sorted((node for node in nodes if node.server), key=lambda node: node.ready and node.voter is not False)
    for number, node in enumerate(servers):
        found += _all(_k3s(node, target), steps.SERVERS, target, node.name, number)
    agents = [node for node in nodes if not node.server]
    turns = {node.name: _k3s(node, target) for node in agents}
    busy = [node for node in agents if turns[node.name]]
    return (*found, *_batched(busy, turns, steps.AGENTS, target, wish.agent_batch))


def _k3s(node: Node, target: int) -> Kinds:
    without = target == 2
    written = node.server and node.disables != without
    restart = written or node.started_disables != without
    kinds: list[str] = [steps.DROP_IN] if written else []
    kinds += [steps.K3S] if restart else []
    if restart or not node.ready or node.voter is False:
        kinds.append(steps.JOINED)
    if restart or node.kube_proxy == without:
        kinds.append(steps.PROXYLESS if without else steps.PROXIED)
    return tuple(kinds)


def _leftovers(facts: Facts, nodes: t.Sequence[Node], target: int, wish: Options) -> tuple[Step, ...]:
    tidy, ports = {}, {}
    for node in nodes:
        leaves = node.kube_proxy or not node.started_disables
        rules = (steps.RULES,) if leaves or node.leftovers else ()
        flows = (steps.FLOWS,) if leaves or node.flows else ()
        tidy[node.name] = (*rules, *flows)
        ports[node.name] = (steps.HEALTH,) if (leaves and facts.health_ports) or node.dead_ports else ()
    rules_of = [node for node in nodes if tidy[node.name]]
    ports_of = [node for node in nodes if ports[node.name]]
    return (
        *(step for node in rules_of for step in _all(tidy[node.name], steps.LEFTOVERS, target, node.name)),
        *_batched(ports_of, ports, steps.PORTS, target, wish.agent_batch),
    )


# -- underneath


def _wished(kind: str, wish: Options) -> bool:
    return (wish.drain or kind not in _OF_DRAIN) and (wish.withdraw or kind not in _OF_WITHDRAWAL)


def _out(node: Node) -> Kinds:
    """With a drain in any case: a node that is empty now may have pods by its turn."""
    return traffic.steps(replace(node.traffic(), pods=1), traffic.OUT)


def _in(node: Node, out: Kinds) -> Kinds:
    """The way back into traffic, from where the node will be after `out`."""
    ours = node.ours or traffic.CORDON in out
    told = traffic.WITHDRAW in out
    return _out_of(replace(
        node, cordoned=node.cordoned or ours, ours=ours,
        announcers=tuple(replace(item, told=item.told or told) for item in node.announcers),
    ))  # fmt: skip


def _out_of(node: Node) -> Kinds:
    return traffic.steps(node.traffic(), traffic.IN)


def _ordered(facts: Facts, wish: Options) -> list[Node]:
    """Servers, then agents; in each those first that the user named."""
    rank = {name: number for number, name in enumerate(wish.order)}
    return sorted(facts.nodes, key=lambda node: (not node.server, rank.get(node.name, len(rank))))


def _batched(
    nodes: t.Sequence[Node], turns: t.Mapping[str, Kinds], phase: str, target: int, size: int
) -> tuple[Step, ...]:
    """Each server for itself; agents so many at a time."""
    found: list[Step] = []
    number, room = -1, 0
    for node in nodes:
        if node.server or room == 0:
            number, room = number + 1, 0 if node.server else max(1, size)
        room -= 0 if node.server else 1
        found += _all(turns[node.name], phase, target, node.name, number)
    return tuple(found)


def _all(kinds: t.Iterable[str], phase: str, target: int, node: str = "", batch: int = 0) -> tuple[Step, ...]:
    return tuple(steps.step(kind, phase, target, node, batch) for kind in kinds)


__all__ = ["BACK", "STAGE2", "Options", "Plan", "Step", "plan", "put_back", "put_k3s_back", "visit"]
