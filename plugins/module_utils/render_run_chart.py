# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart of a run's report: nodes' steps and probes' latencies and failures on one axis of time. Pure.

Words are HTML and keep their size; only what is drawn stretches with the page.
"""

from __future__ import annotations

import math
import typing as t
from html import escape

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import SKIPPED
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_lines import clock, short
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, NEW

Document = t.Mapping[str, t.Any]

GOOD = ("ok", "changed", SKIPPED)
TITLES = {NEW: "A new connection for each request", ESTABLISHED: "Connections that were established before"}
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_COLOURS = 5
_FLOOR = 0.0005  # seconds that are drawn as nothing; latencies are drawn by their magnitude
_CEILING = 3.0


def chart(report: Document) -> str:
    span = max(float(report["seconds"]), 0.001)
    colours = colours_of(report)
    tick = _tick(span)
    flaws = _flaws(report, span)
    rows = "\n".join(_node(node, span, colours, flaws) for node in report["nodes"])
    parts = [_legend(report, colours), f'<div style="--tick:{tick / span * 100:.4f}%">', _axis(span, tick)]
    if rows:
        parts.append(f'<div class="nodes">{rows}</div>')
    for kind, title in TITLES.items():
        probes = [probe for probe in report["probes"] if probe["kind"] == kind]
        if probes:
            parts.append(f"<h3>{title}</h3>")
            parts += [_probe(probe, span, report["slice"]) for probe in probes]
    if len(report["nodes"]) + 2 * len(report["probes"]) > 4:
        parts.append(_axis(span, tick))
    return "\n".join([*parts, "</div>"])


def colours_of(report: Document) -> dict[str, str]:
    """A class for each thing that was waited for, in the order in which it came first."""
    names = dict.fromkeys(wait["what"] for node in report["nodes"] for step in node["steps"] for wait in step["waits"])
    return {name: f"w{number % _COLOURS}" for number, name in enumerate(names)}


def _legend(report: Document, colours: t.Mapping[str, str]) -> str:
    entries = [("own", "our own work")] if report["nodes"] else []
    entries += [(colour, f"waiting: {name}") for name, colour in colours.items()]
    shown = "".join(f'<li><i class="{colour}"></i>{escape(name)}</li>' for colour, name in entries)
    if report["probes"]:
        shown += '<li><i class="slowest"></i>slowest answers</li>'
    shown += '<li><i class="failed"></i>failed</li>'
    return f'<ul class="legend">{shown}</ul>'


def _tick(span: float) -> float:
    return next((float(tick) for tick in _TICKS if span / tick <= 10), span / 10)


def _axis(span: float, tick: float) -> str:
    marks = []
    for number in range(math.floor(span / tick + 1e-9) + 1):
        place = number * tick / span * 100
        last = ' class="last"' if place > 96 else ""
        marks.append(f'<span{last} style="left:{place:.3f}%">{clock(number * tick)}</span>')
    return f'<div class="row" aria-hidden="true"><div></div><div class="axis">{"".join(marks)}</div></div>'


def _row(kind: str, name: str, more: str, track: str) -> str:
    label = f'<div class="label"><b>{escape(name)}</b><span>{more}</span></div>'
    return f'<div class="row {kind}">{label}<div class="track">{track}</div></div>'


def _place(begin: float, end: float, span: float) -> str:
    left = min(100.0, max(0.0, begin / span * 100))
    return f"left:{left:.3f}%;width:{max(0.0, min(100.0 - left, (end - begin) / span * 100)):.3f}%"


# -- nodes


def _node(node: Document, span: float, colours: t.Mapping[str, str], flaws: str) -> str:
    shown = [step for step in node["steps"] if step["status"] != SKIPPED]
    state = node["state"] if node["state"] != "between" else "not finished"
    more = f"{state}, {short(node['seconds'])}" if shown else state
    bars = "".join(_bar(step, span, colours) for step in shown)
    if node["state"] == "failed":
        more = f'<span class="bad">{more}</span>'
    return _row("node", node["name"], more, f"{flaws}{bars}")


def _bar(step: Document, span: float, colours: t.Mapping[str, str]) -> str:
    took = max(step["seconds"], 1e-6)
    parts, right = [], 0.0
    for wait in reversed(step["waits"]):  # the waiting comes last, as a rule
        share = min(100.0 - right, wait["seconds"] / took * 100)
        parts.append(f'<i class="{colours[wait["what"]]}" style="right:{right:.2f}%;width:{share:.2f}%"></i>')
        right += share
    waits = "".join(f", waiting for {wait['what']} {short(wait['seconds'])}" for wait in step["waits"])
    title = f"{step['name']}: {short(step['seconds'])} from {clock(step['begin'])}{waits}; {step['status']}"
    # Only where it fits on a page of usual width.
    if step["seconds"] / span * 950 > 7 * len(step["name"]) + 18:
        parts.append(f"<em>{escape(step['name'])}</em>")
    wrong = "" if step["status"] in GOOD else " wrong"
    place = _place(step["begin"], step["end"], span)
    return f'<span class="bar{wrong}" title="{escape(title)}" style="{place}">{"".join(parts)}</span>'


def _flaws(report: Document, span: float) -> str:
    """Behind every node's steps: when requests failed, on any probe."""
    times = sorted((failure["begin"], failure["end"]) for probe in report["probes"] for failure in probe["failures"])
    merged: list[list[float]] = []
    for begin, end in times:
        if merged and begin - merged[-1][1] < span / 500:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return "".join(f'<i class="flaw" style="{_place(begin, end, span)}"></i>' for begin, end in merged)


# -- probes


def _probe(probe: Document, span: float, width: float) -> str:
    latency = probe["latency"]
    words = [f"{probe['failed']} of {probe['sent']} failed" if probe["failed"] else f"none of {probe['sent']} failed"]
    if latency["median"] is not None:
        words.append(f"median {milliseconds(latency['median'])}, slowest {milliseconds(latency['most'])}")
    title = f"{probe['name']}: " + "; ".join(words)
    first = f'<span class="bad">{words[0]}</span>' if probe["failed"] else f"<span>{words[0]}</span>"
    more = first + "".join(words[1:])
    drawn = _area(probe, span, width) + "".join(_failure(failure, span) for failure in probe["failures"])
    svg = (
        f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{drawn}</svg>"
    )
    return _row("probe", probe["name"], more, svg)


def milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 10 else (f"{value:.0f} ms" if value < 1000 else f"{seconds:.2f} s")


def _height(seconds: float) -> float:
    share = math.log(max(seconds, _FLOOR) / _FLOOR) / math.log(_CEILING / _FLOOR)
    return 100 - 92 * min(1.0, share)


def _area(probe: Document, span: float, width: float) -> str:
    """The slowest answers as an area, the median as a line; both break off where nothing was answered."""
    wide = width / span * 1000
    shapes = []
    for run in _runs(probe["course"], width):
        points = [(one["at"] / span * 1000, _height(one["most"]), _height(one["median"])) for one in run]
        top = " ".join(f"{x:.1f},{most:.1f} {x + wide:.1f},{most:.1f}" for x, most, _median in points)
        left, right = points[0][0], points[-1][0] + wide
        shapes.append(f'<polygon class="area" points="{left:.1f},100 {top} {right:.1f},100"/>')
        line = " ".join(f"{x + wide / 2:.1f},{median:.1f}" for x, _most, median in points)
        shapes.append(f'<polyline class="median" points="{line}"/>')
    return "".join(shapes)


def _runs(course: t.Sequence[Document], width: float) -> t.Iterator[list[Document]]:
    run: list[Document] = []
    for one in course:
        far = bool(run) and one["at"] - run[-1]["at"] > 3 * width
        if run and (far or one["most"] is None):
            yield run
            run = []
        if one["most"] is not None:
            run.append(one)
    if run:
        yield run


def _failure(failure: Document, span: float) -> str:
    x, width = failure["begin"] / span * 1000, (failure["end"] - failure["begin"]) / span * 1000
    title = f"{failure['count']} failed at {clock(failure['begin'])}: " + ", ".join(
        f"{one['count']} × {one['error']}" for one in failure["errors"][:3]
    )
    mark = f'<rect class="gap" x="{x:.2f}" y="0" width="{width:.2f}" height="100" opacity=".3"/>'
    return f'<g><title>{escape(title)}</title>{mark}<line class="hit" x1="{x:.2f}" x2="{x:.2f}" y1="0" y2="100"/></g>'
