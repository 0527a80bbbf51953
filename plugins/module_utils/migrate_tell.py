# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as people read it, and as the plays run it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import Facts, Node
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_plan import Plan, Step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import as_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.step_plan import play

# What is waited for in them is not ours.
_WAITS: t.Mapping[str, str] = {
    steps.K3S: "k3s", steps.JOINED: "cluster", steps.RETURNED: "cluster", **dict.fromkeys((
        steps.DISMISS, steps.CONNECTED, steps.RENEW, steps.SETTLE, steps.OPERATOR, steps.DNS, steps.EXPEL,
    ), "pod"),
}  # fmt: skip


def title(facts: Facts, plan: Plan) -> str:
    return f"{len(facts.nodes)} nodes on their way from flannel to Cilium: {plan.ahead()}"


def state(node: Node) -> str:
    """Which network a node has."""
    if node.moved:
        return "Cilium" + (", and remains of flannel" if node.remains else "")
    if node.runs_none:
        return "no network of its own" if not node.connected else f"Cilium, and {len(node.old_pods)} pods of flannel's"
    return "flannel"


def answer(plan: Plan, hosts: t.Mapping[str, str], first: str) -> dict[str, t.Any]:
    """`first` is the host that takes the steps which belong to none."""
    return {
        "steps": [step_dict(step, hosts.get(step.node, first) if step.phase in steps.BY_NODE else first)
                  for step in plan.steps],
        "phases": {phase: _play(plan, phase, hosts, first) for phase in steps.PHASES},
        "rollout_plan": as_plan((step.node, step.kind) for step in plan.steps),
    }  # fmt: skip


def step_dict(step: Step, host: str) -> dict[str, t.Any]:
    return {**step.as_dict(), "host": host, "tasks": _tasks(step.kind), "waits": _WAITS.get(step.kind, "")}


def _tasks(kind: str) -> str:
    """The file of the role migrate that takes it."""
    if kind in steps.TRAFFIC:
        return "traffic"
    return "api" if kind in steps.API and kind != steps.CONNECTED else _FILES.get(kind, kind)


_FILES: t.Mapping[str, str] = {
    steps.CLEAR: "host", steps.OVERLAY: "host", steps.SWEEP: "host", steps.DROP_OUT: "drop-in",
    steps.RETURNED: "joined",
}


def _play(plan: Plan, phase: str, hosts: t.Mapping[str, str], first: str) -> dict[str, t.Any]:
    batches = plan.batches(phase) if phase in steps.BY_NODE else ()
    if batches and phase in (steps.STOP, steps.START):  # all at once
        batches = (tuple(name for batch in batches for name in batch),)
    return play(batches, hosts, first)


def put_back(node: Node, found: t.Sequence[Step]) -> str:
    if not found:
        return f"{node.name} stays as it is: {state(node)}{', out of traffic' if node.base.claimed else ''}."
    return f"{node.name} was put back: {', '.join(step.what for step in found)}."
