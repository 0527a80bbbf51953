# SPDX-License-Identifier: GPL-3.0-or-later
"""Asked again just before a step that cannot be taken lightly: is the cluster still as the plan found it? Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import SETTLED, Facts, Node
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_steps import Step

_AGAIN = "run it again: it goes on from what it finds"

Errors = t.Iterator[MeshwrightError]
Guard = t.Callable[[Facts, Step], Errors]


def objections(facts: Facts, step: Step) -> tuple[MeshwrightError, ...]:
    """Why the step must not be taken now; nothing for one that can do no harm."""
    return tuple(error for guard in _GUARDS.get(step.kind, ()) for error in guard(facts, step))


def _one_server(facts: Facts, step: Step) -> Errors:
    if step.phase in (steps.STOP, steps.START) or not facts.node(step.node).server:
        return
    others = [node for node in facts.servers if node.name != step.node]
    down = [node for node in others if not node.up or node.base.voter is False]
    if down:
        yield _no("etcd's quorum", f"at stake: {_names(down)} down or without a vote", "one server at a time")


def _servers_first(facts: Facts, step: Step) -> Errors:
    if facts.node(step.node).server:
        return
    late = [node for node in facts.servers if not node.runs_none]
    if late:
        yield _no(
            f"what {step.node} would be told", f"uncertain (flannel on {_names(late)})", "no flannel on any server",
        )


def _release_waits(facts: Facts, _step: Step) -> Errors:
    """Before the first flannel goes there has to be something that comes in its place, and nowhere else."""
    if facts.release == SETTLED and not facts.moved:
        yield _no("Cilium's release", "one that puts agents everywhere", "one whose agents wait for the label")


def _no_flannel(facts: Facts, step: Step) -> Errors:
    node = facts.node(step.node)
    if not node.runs_none or node.bridge:
        seen = "there (its bridge is)" if node.runs_none else "there (its k3s runs flannel)"
        yield _no(f"{node.name}'s old network", seen, "gone: Cilium gives the same addresses to other pods")


def _all_moved(facts: Facts, _step: Step) -> Errors:
    late = [node for node in facts.nodes if not node.moved]
    if late:
        yield _no("the old network", f"in use on {_names(late)}", "on no node")


def _direct(facts: Facts, step: Step) -> Errors:
    if not facts.node(step.node).direct:
        yield _no(
            f"{step.node}'s routes to the other nodes' pods", "not all direct", "direct ones, which Cilium makes",
        )


def _names(nodes: t.Sequence[Node]) -> str:
    return ", ".join(node.name for node in nodes)


def _no(thing: str, seen: str, wanted: str) -> MeshwrightError:
    return MeshwrightError(thing, seen=seen, wanted=wanted, remedy=_AGAIN)


_GUARDS: t.Mapping[str, tuple[Guard, ...]] = {
    steps.DROP_IN: (_one_server, _release_waits),
    steps.HALT: (_release_waits,),
    steps.K3S: (_one_server, _servers_first, _release_waits),
    steps.ADMIT: (_no_flannel,),
    steps.SETTLE: (_all_moved,),
    steps.UNLABEL: (_all_moved,),
    steps.SWEEP: (_all_moved, _direct),
    steps.NOTES: (_all_moved,),
}
GUARDED = frozenset(_GUARDS)
