# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as people read it, and as the plays run it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import as_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import TRUE, Facts, Node
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import Plan, Step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.step_plan import play

_NAMES = {steps.STAGE2: "to stage 2 (Cilium in kube-proxy's place)", steps.BACK: "back to stage 1 (kube-proxy)"}


def title(facts: Facts, plan: Plan) -> str:
    return f"{len(facts.nodes)} nodes on their way {_NAMES[plan.direction]}: {plan.ahead()}"


def state(node: Node) -> str:
    """What serves the services on a node."""
    who = [name for name, there in (("kube-proxy", node.kube_proxy), ("Cilium", node.replacement == TRUE)) if there]
    return f"{' and '.join(who) or 'nobody'} ({node.leftovers} chains of kube-proxy, {node.flows} flows)"


# -- for the plays


def answer(plan: Plan, hosts: t.Mapping[str, str], first: str) -> dict[str, t.Any]:
    """`first` is the host that takes the steps which belong to none."""
    return {
        "direction": plan.direction,
        "steps": [step_dict(step, _host(step, plan, hosts, first)) for step in plan.steps],
        "phases": {phase: _play(plan, phase, hosts, first) for phase in steps.PHASES},
        "rollout_plan": as_plan((step.node, step.kind) for step in plan.steps),
    }


def step_dict(step: Step, host: str) -> dict[str, t.Any]:
    return {**step.as_dict(), "host": host, "tasks": _tasks(step.kind), "waits": steps.WAITS.get(step.kind, "")}


def _tasks(kind: str) -> str:
    """The file of the role stage2 that takes it."""
    if kind in steps.TRAFFIC:
        return "traffic"
    return "api" if kind in steps.API and kind not in _OWN_FILES else kind


_OWN_FILES = (steps.RESTART,)


def _host(step: Step, plan: Plan, hosts: t.Mapping[str, str], first: str) -> str:
    if step.phase not in steps.BY_NODE:
        return first
    if step.node:
        return hosts[step.node]
    batches = plan.batches(step.phase)
    return hosts[batches[0][0]] if batches else first


def _play(plan: Plan, phase: str, hosts: t.Mapping[str, str], first: str) -> dict[str, t.Any]:
    batches = plan.batches(phase) if phase in steps.BY_NODE else ()
    return play(batches, hosts, first)


# -- a node's way back


def way_back(facts: Facts, node: Node, direction: str, phase: str) -> tuple[Step, ...]:
    if phase in (steps.SERVERS, steps.AGENTS):
        return stage2_plan.put_k3s_back(node, direction)
    return stage2_plan.put_back(facts, node, direction) if phase == steps.PASS_ONE else ()


def put_back(node: Node, found: t.Sequence[Step]) -> str:
    if not found:
        return f"{node.name} had nothing to be put back: {state(node)}."
    return f"{node.name} was put back: {', '.join(step.what for step in found)}."
