# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout as text: a block for a terminal, and one line for each thing that happens where there is none. Pure."""

from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_state as states
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import FAILED, SKIPPED
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_state import Node, Rollout, Step

_MARKS = {states.RUNNING: "▸", states.DONE: "✓", FAILED: "✗", states.BETWEEN: "▹", states.WAITING: "·"}
_ASCII = {states.RUNNING: ">", states.DONE: "+", FAILED: "!", states.BETWEEN: "-", states.WAITING: "."}
_ORDER = (states.RUNNING, FAILED, states.BETWEEN, states.WAITING, states.DONE)
_NAME = 28  # columns for a node's name, at most


def clock(seconds: float) -> str:
    """A length of time for people: 0:07, 12:30, 1:02:30."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def fit(text: str, width: int, dots: str = "…") -> str:
    """On one line of that width, whatever is in it."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= width else (text[: max(0, width - len(dots))] + dots)[: max(0, width)]


# -- the block


def block(seen: Rollout, now: float, width: int, rows: int, ascii_only: bool = False) -> list[str]:
    """The head, then as many nodes as there is room for: those at work first."""
    dots = "..." if ascii_only else "…"
    nodes = sorted(seen.nodes.values(), key=lambda node: _ORDER.index(node.state(seen.ended is not None)))
    shown = nodes[: max(0, rows - 1)]
    if len(nodes) > len(shown) and shown:
        shown = shown[:-1]
    shown = [node for node in seen.nodes.values() if node in shown]  # in the rollout's own order
    wide = min(_NAME, max((len(node.name) for node in shown), default=0))
    marks = _ASCII if ascii_only else _MARKS
    lines = [head(seen, now, ascii_only)]
    for node in shown:
        mark = marks[node.state(seen.ended is not None)]
        lines.append(f"{mark} {fit(node.name, wide, dots):<{wide}}  {about(seen, node, now)}")
    if len(nodes) > len(shown) and rows > 1:
        lines.append(f"  and {len(nodes) - len(shown)} more")
    return [fit(line, width, dots) for line in lines]


def head(seen: Rollout, now: float, ascii_only: bool = False) -> str:
    dash = " - " if ascii_only else " · "
    parts = [seen.playbook or "rollout"]
    if seen.check:
        parts.append("check mode")
    if seen.ended is not None or any(node.planned for node in seen.nodes.values()):
        parts.append(f"{seen.count(states.DONE)} of {_nodes(len(seen.members))} done")
    else:  # how many there will be was not said
        parts.append(f"{_nodes(len(seen.members))} so far")
    failed = sum(node.state(seen.ended is not None) == FAILED for node in seen.nodes.values())
    if failed:
        parts.append(f"{failed} failed")
    if seen.began is not None:
        parts.append(clock((now if seen.ended is None else seen.ended) - seen.began))
    return dash.join([*parts, *remaining(seen, now)])


def remaining(seen: Rollout, now: float) -> list[str]:
    left = states.estimate(seen, now) if seen.ended is None else None
    if left is None:
        return []
    return [f"{'about' if left.whole else 'more than'} {clock(left.seconds)} left"]


def about(seen: Rollout, node: Node, now: float) -> str:
    """What a node does, or did."""
    state, last = node.state(seen.ended is not None), node.last
    if last is None:
        return "waiting"
    if state == states.DONE:
        return f"done in {clock(node.spent(now))}"
    if state == FAILED:
        bad = next(step for step in reversed(node.steps) if not step.well)
        return f"{bad.name}: {bad.status}" + (f": {bad.message}" if bad.message else "")
    if state == states.BETWEEN:
        return f"{last.name} done{_of(node)}" + (f", next {node.left[0]}" if node.left else "")
    waiting = f", waiting: {last.wait}" if last.wait else ""
    return f"{last.name} {clock(last.age(now))}{_of(node)}{waiting}"


def _of(node: Node) -> str:
    if not node.planned:
        return ""
    behind = len(node.planned) - len(node.left)
    running = node.last is not None and not node.last.over
    return f" ({min(behind + running, len(node.planned))} of {len(node.planned)} steps)"


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


# -- the lines

Told = frozenset[tuple[str, int]]


def beginning(node: Node, step: Step) -> str:
    more = f", waiting: {step.wait}" if step.wait else ""
    return f"{node.name}: {step.name}{_of(node)}{more}"


def ending(seen: Rollout, node: Node, step: Step, now: float) -> str:
    if not step.well:
        return f"{node.name}: {step.name} {step.status} after {short(step.took)}" + (
            f": {step.message}" if step.message else ""
        )
    word = "had nothing to do" if step.status == SKIPPED else f"done in {short(step.took)}"
    waits = ", ".join(f"{wait.what} {short(wait.seconds)}" for wait in step.waits)
    parts = [f"{node.name}: {step.name} {word}" + (f" (waited: {waits})" if waits else "")]
    if node.state() == states.DONE and step is node.last:
        parts.append(f"{seen.count(states.DONE)} of {_nodes(len(seen.members))} done")
        parts += remaining(seen, now)
    return "; ".join(parts)


def settled(seen: Rollout, told: Told, now: float) -> tuple[list[str], Told]:
    """Lines for the steps that are over and were not told of yet.

    A step may be over only until its next task begins; so this is asked when something else begins, not at its end.
    """
    lines: list[str] = []
    new: set[tuple[str, int]] = set()
    for node in seen.nodes.values():
        for number, step in enumerate(node.steps):
            if step.over and (node.name, number) not in told:
                new.add((node.name, number))
                lines.append(ending(seen, node, step, now))
    return lines, told | new


def closing(seen: Rollout, now: float) -> list[str]:
    """What is said at the end; nothing, where no step was ever taken."""
    if not any(node.steps for node in seen.nodes.values()):
        return []
    lines = [head(seen, now)]
    for node in seen.nodes.values():
        if node.steps:
            waited = sum(wait.seconds for step in node.steps for wait in step.waits)
            own = max(0.0, node.spent(now) - waited)
            more = f"; waited {short(waited)}, own {short(own)}" if waited else ""
            # Why a step failed was told when it did.
            lines.append(f"{node.name}: {node.state(ended=True)} in {short(node.spent(now))}{more}")
        else:
            lines.append(f"{node.name}: not begun")
    return lines
