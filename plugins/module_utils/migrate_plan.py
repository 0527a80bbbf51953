# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from flannel to Cilium, from any state in between. Pure.

    release beside → servers, then agents, one by one: out, k3s without flannel, bridge off, Cilium, in → settle → sweep

Each node keeps its podCIDR, so the routes that flannel put into the kernels fit both networks, and they stay until the
last node has been moved: k3s takes nothing back when it starts without flannel. Servers come first, because an agent
does as the server says that it happens to ask. Nothing is remembered but what stands on cluster and hosts.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance_plan as traffic
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import (
    ABSENT,
    SETTLED,
    Facts,
    Node,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_steps import Step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.step_plan import StepPlan

Kinds = tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """What the user may choose."""

    order: tuple[str, ...] = ()  # nodes to begin with
    agent_batch: int = 1
    scale_dns: bool = False
    together: bool = False  # stop all servers at once: for a k3s that compares flannel-backend when it restarts


@dataclass(frozen=True)
class Plan(StepPlan[Step]):
    steps: tuple[Step, ...]

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "steps": [step.as_dict() for step in self.steps],
            "batches": {phase: [list(batch) for batch in self.batches(phase)] for phase in self.phases},
        }


def plan(facts: Facts, options: Options | None = None) -> Plan:
    """What remains, in order. Empty: the cluster is there."""
    wish = options or Options()
    nodes = _ordered(facts, wish)
    together, facts = _together(facts, wish)
    turns = {node.name: visit(facts, facts.node(node.name)) for node in nodes}
    busy = [node for node in nodes if turns[node.name]]
    # A node that is out, or that takes no pods, is finished before another one goes out.
    ordered = sorted(busy, key=lambda node: (not node.base.claimed, not (node.between or _mend(facts, node))))
    return Plan((
        *_prepare(facts, wish, bool(busy)), *together, *_batched(ordered, turns, wish.agent_batch), *_settlement(facts),
        *_leftovers(facts),
    ))  # fmt: skip


def visit(facts: Facts, node: Node) -> Kinds:
    """What remains of a node's own turn: out of traffic, another network, back into traffic."""
    mend = (steps.OVERLAY,) if _mend(facts, node) else ()
    if node.moved and not node.base.claimed:
        return mend
    claim = () if node.base.claimed else (steps.CLAIM,)
    if node.moved:
        return (*claim, *mend, steps.REACH, *_in(node, ()), steps.RELEASE)
    # With a drain in any case: a node that is empty now may have pods by its turn.
    out = traffic.steps(replace(node.traffic(), pods=1), traffic.OUT)
    dismiss = (steps.DISMISS,) if node.bridge or not node.runs_none else ()
    clear = (steps.CLEAR,) if node.bridge or node.frozen or not node.runs_none else ()
    admit = () if node.label else (steps.ADMIT,)
    renew = (steps.RENEW,) if node.old_pods or not node.runs_none else ()
    return (
        *claim, *out, *_k3s(node), *dismiss, *clear, *mend, *admit, steps.CONNECTED, *renew, steps.REACH,
        *_in(node, out), steps.RELEASE,
    )  # fmt: skip


def put_back(facts: Facts, node: Node) -> tuple[Step, ...]:
    """For a node on which a step failed. Nothing: it stays out, and a run after the repair goes on with it.

    A server gets flannel back, as its own configuration decides. An agent that restarted without flannel has no way
    back while the servers run without it, so it stays out of traffic as it is.
    """
    if not node.base.claimed:
        return ()
    here = (*_in(node, ()), steps.RELEASE)
    if node.moved:
        return _all(here, steps.NODES, node.name)
    if not node.runs_none:
        drop_out = (steps.DROP_OUT,) if node.server and node.wants_none else ()
        return _all((*drop_out, *here), steps.NODES, node.name)
    if not node.server:
        return ()
    expel = (steps.EXPEL,) if node.label else ()
    kinds = (*expel, steps.DROP_OUT, steps.K3S, steps.RETURNED, steps.RENEW, steps.REACH, *here)
    return _all(kinds, steps.NODES, node.name)


# -- the parts


def _prepare(facts: Facts, wish: Options, busy: bool) -> tuple[Step, ...]:
    kinds: list[str] = []
    if facts.release == ABSENT:
        kinds += [] if facts.snapshot else [steps.SNAPSHOT]
        kinds.append(steps.RELEASE_BESIDE)
    single = facts.cluster.dns_replicas is not None and facts.cluster.dns_replicas < 2
    if wish.scale_dns and single and busy:
        kinds.append(steps.DNS)
    return _all(kinds, steps.PREPARE)


def _together(facts: Facts, wish: Options) -> tuple[tuple[Step, ...], Facts]:
    """Servers that change at once, and the cluster as it is afterwards. One that a killed run left stopped is started
    in any case."""
    late = [node for node in facts.servers if not node.runs_none] if wish.together else []
    halted = [node for node in facts.servers if node in late or not node.up]
    if not halted:
        return (), facts
    stop: list[Step] = []
    for node in late:
        kinds = (*(() if node.wants_none else (steps.DROP_IN,)), *((steps.HALT,) if node.up else ()))
        stop += _all(kinds, steps.STOP, node.name)
    start = [step for node in halted for step in _all((steps.K3S,), steps.START, node.name)]
    start += [step for node in halted for step in _all((steps.JOINED,), steps.START, node.name)]
    after = tuple(
        replace(node, up=True, wants_none=node.wants_none or node in late, runs_none=node.runs_none or node in late)
        for node in facts.nodes
    )
    # Pods of the old network are still there on each of them.
    names = {node.name for node in late}
    after = tuple(replace(node, old_pods=("?",)) if node.name in names else node for node in after)
    return (*stop, *start), replace(facts, nodes=after)


def _k3s(node: Node) -> Kinds:
    if node.runs_none:
        return () if node.up and node.base.voter is not False else (steps.JOINED,)
    written = (steps.DROP_IN,) if node.server and not node.wants_none else ()
    return (*written, steps.K3S, steps.JOINED)


def _mend(facts: Facts, node: Node) -> bool:
    """Only where no flannel runs: one that runs looks after its routes itself."""
    return node.runs_none and not node.overlay and facts.flannels_beside(node.name)


def _settlement(facts: Facts) -> tuple[Step, ...]:
    kinds: list[str] = []
    if facts.release != SETTLED:
        kinds += [steps.SETTLE, steps.OPERATOR]
    elif not facts.operator_current:
        kinds.append(steps.OPERATOR)
    labelled = [node for node in facts.nodes if node.label or not node.moved]
    return (
        *_all(kinds, steps.SETTLEMENT),
        *(steps.step(steps.UNLABEL, steps.SETTLEMENT, node.name) for node in labelled),
    )


def _leftovers(facts: Facts) -> tuple[Step, ...]:
    found: list[Step] = []
    for node in facts.nodes:
        kinds = [steps.SWEEP] if node.remains or not node.moved else []
        kinds += [steps.NOTES] if node.notes else []
        found += _all(kinds, steps.LEFTOVERS, node.name)
    return tuple(found)


# -- underneath


def _in(node: Node, out: Kinds) -> Kinds:
    """The way back into traffic, from where the node will be after `out`."""
    base = node.base
    ours = base.ours or traffic.CORDON in out
    told = traffic.WITHDRAW in out
    after = replace(
        base, cordoned=base.cordoned or ours, ours=ours,
        announcers=tuple(replace(item, told=item.told or told) for item in base.announcers),
    )  # fmt: skip
    return traffic.steps(after.traffic(), traffic.IN)


def _ordered(facts: Facts, wish: Options) -> list[Node]:
    """Servers, then agents; in each those first that the user named."""
    rank = {name: number for number, name in enumerate(wish.order)}
    return sorted(facts.nodes, key=lambda node: (not node.server, rank.get(node.name, len(rank))))


def _batched(nodes: t.Sequence[Node], turns: t.Mapping[str, Kinds], size: int) -> tuple[Step, ...]:
    """Each server for itself; agents so many at a time, but not in front of the last server."""
    found: list[Step] = []
    number, room = -1, 0
    for node in nodes:
        if node.server or room == 0:
            number, room = number + 1, 0 if node.server else max(1, size)
        room -= 0 if node.server else 1
        found += _all(turns[node.name], steps.NODES, node.name, number)
    return tuple(found)


def _all(kinds: t.Iterable[str], phase: str, node: str = "", batch: int = 0) -> tuple[Step, ...]:
    return tuple(steps.step(kind, phase, node, batch) for kind in kinds)


__all__ = ["Options", "Plan", "Step", "plan", "put_back", "visit"]
