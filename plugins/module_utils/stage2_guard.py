# SPDX-License-Identifier: GPL-3.0-or-later
"""Asked again just before a step that cannot be taken lightly: is the cluster still as the plan found it? Pure.

Between plan and step there may be an hour, in which nodes join, restart and fail, and people do things.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import MODES, TRUE, Facts, Node
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_steps import TARGETS, Step

_AGAIN = "run it again: it goes on from what it finds"

Guard = t.Callable[[Facts, Step, int], t.Iterator[MeshwrightError]]


def objections(facts: Facts, step: Step, direction: str) -> tuple[MeshwrightError, ...]:
    """Why the step must not be taken now; nothing for one that can do no harm."""
    target = TARGETS[direction]
    found = (guard(facts, step, target) for guard in _GUARDS[target].get(step.kind, ()))
    return tuple(error for errors in found for error in errors)


def guarded(step: Step) -> bool:
    """Whether there is anything to look at before it is taken."""
    return step.kind in _GUARDS[step.stage]


def agents_heard(step: Step) -> frozenset[str] | None:
    """The nodes whose agents its guards want to hear, None for all there are; each costs a command in a pod."""
    guards = _GUARDS[step.stage].get(step.kind, ())
    if _OF_ALL.intersection(guards):
        return None
    return frozenset({step.node} if _OF_ITS_OWN.intersection(guards) else ())


def _all_moved(facts: Facts, _step: Step, target: int) -> t.Iterator[MeshwrightError]:
    late = [node for node in facts.nodes if node.replacement != MODES[target]]
    if late:
        yield _no(
            "the replacement of kube-proxy", f"not {MODES[target]} on {_names(late)}",
            f"{MODES[target]} on all nodes before the chart says so",
        )


def _chart_says_so(facts: Facts, _step: Step, target: int) -> t.Iterator[MeshwrightError]:
    if facts.chart_stage != target:
        yield _no("the chart's value", f"stage {facts.chart_stage}", f"stage {target}: nodes rely on our settings yet")


def _cilium_serves(facts: Facts, _step: Step, _target: int) -> t.Iterator[MeshwrightError]:
    """On every node, also after its next start: an agent that restarts may be told already to do without kube-proxy."""
    late = [node for node in facts.nodes if node.replacement != TRUE or facts.destined(node) != TRUE]
    if late:
        wanted = "Cilium on all nodes: kube-proxy goes last"
        yield _no("what serves the services", f"not Cilium on {_names(late)}", wanted)


def _others_well(facts: Facts, step: Step, _target: int) -> t.Iterator[MeshwrightError]:
    own = next((node for node in facts.nodes if node.name == step.node), None)
    if own is None or not own.server:
        return
    down = [node for node in facts.servers if node is not own and not (node.ready and node.voter is not False)]
    if down:
        yield _no("etcd's quorum", f"at stake: {_names(down)} not Ready or without a vote", "one server at a time")


def _kube_proxy_serves(facts: Facts, step: Step, _target: int) -> t.Iterator[MeshwrightError]:
    """Before Cilium leaves it to kube-proxy."""
    own = [node for node in facts.nodes if node.name == step.node and not node.kube_proxy]
    off = [node for node in facts.servers if node.disables or node.started_disables]
    if own:
        yield _no("kube-proxy", f"not there on {step.node}", "running before Cilium leaves services to it")
    if off:
        yield _no("disable-kube-proxy", f"true on {_names(off)}", "false on all servers: agents ask any of them")


def _nobody_writes_them(facts: Facts, step: Step, _target: int) -> t.Iterator[MeshwrightError]:
    own = [node for node in facts.nodes if node.name == step.node and (node.kube_proxy or node.replacement != TRUE)]
    if own:
        yield _no(f"the rules on {step.node}", "in use by kube-proxy", "those of a kube-proxy that is gone")


def _names(nodes: t.Sequence[Node]) -> str:
    return ", ".join(node.name for node in nodes)


def _no(thing: str, seen: str, wanted: str) -> MeshwrightError:
    return MeshwrightError(thing, seen=seen, wanted=wanted, remedy=_AGAIN)


_BOTH: t.Mapping[str, tuple[Guard, ...]] = {
    steps.FLIP: (_all_moved,),
    steps.UNCONFIGURE: (_chart_says_so,),
    steps.UNLABEL: (_chart_says_so,),
}
# By target and kind.
_GUARDS: t.Mapping[int, t.Mapping[str, tuple[Guard, ...]]] = {
    2: {
        **_BOTH, steps.DROP_IN: (_cilium_serves, _others_well), steps.K3S: (_cilium_serves, _others_well),
        steps.RULES: (_nobody_writes_them,),
    },
    1: {
        **_BOTH, steps.DROP_IN: (_others_well,), steps.K3S: (_others_well,), steps.RESTART: (_kube_proxy_serves,),
    },
}  # fmt: skip
# Which of them read what agents say of themselves.
_OF_ALL: frozenset[Guard] = frozenset({_all_moved, _cilium_serves})
_OF_ITS_OWN: frozenset[Guard] = frozenset({_nobody_writes_them})
