# SPDX-License-Identifier: GPL-3.0-or-later
"""One page about a run, complete in itself: no script, nothing fetched, readable without colours. Pure."""

from __future__ import annotations

import typing as t
from html import escape

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.render_run_chart import (
    GOOD,
    TITLES,
    chart,
    milliseconds,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_lines import clock, short
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, NEW
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_report_style import CSS

Document = t.Mapping[str, t.Any]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_OPEN = 6  # nodes whose steps are shown at once; of more, those that failed
_ROWS = 60  # failures in the table, the longest of them
_REASONS = 3
_RESULTS = {"ok": ("Went through", "good"), "failed": ("Failed", "bad"), "cut off": ("Was cut off", "bad")}


def page(report: Document) -> str:
    """The document of run_report as HTML."""
    sections = [
        ("Timeline", chart(report)),
        ("Nodes", _nodes(report)),
        ("Steps", _steps(report)),
        ("Probes", _probes(report)),
        ("Failed requests", _failures(report)),
        ("Before and after", _facts(report)),
    ]
    body = "\n".join(
        f'<section aria-label="{title}"><h2>{title}</h2>\n{text}</section>' for title, text in sections if text
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report['title'])}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n{_head(report)}\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(report: Document) -> str:
    word, colour = _RESULTS[report["result"]]
    began = report["began"].replace("T", " ").replace("+00:00", " UTC")
    more = [f"began {began}"]
    if report["playbook"]:
        more.insert(0, report["playbook"])
    if report["check"]:
        more.append("check mode: nothing was changed")
    if report["runs"] > 1:
        more.append(f"{report['runs']} runs in one log")
    tiles = "".join(_tile(*tile) for tile in _tiles(report))
    return (
        f'<header><h1>{escape(report["title"])}</h1><p><b class="{colour}">{word}</b> '
        f'<span class="soft">· {escape(" · ".join(more))}</span></p>{_reasons(report)}'
        f'<dl class="tiles">{tiles}</dl></header>'
    )


def _reasons(report: Document) -> str:
    """What went wrong on nodes that did not come through, the first few."""
    wrong = [
        f"{node['name']}: {step['name']} {step['status']}" + (f": {step['message']}" if step["message"] else "")
        for node in report["nodes"]
        for step in node["steps"]
        if node["state"] == "failed" and step["status"] not in GOOD
    ]
    return "".join(f'<p class="reason">{escape(text)}</p>' for text in wrong[:_REASONS])


def _tiles(report: Document) -> t.Iterator[tuple[str, str, str, str]]:
    """Name, value, remark, colour."""
    totals = report["totals"]
    yield "Duration", clock(report["seconds"]), "", ""
    if totals["nodes"]:
        failed = f"{totals['failed']} failed" if totals["failed"] else ""
        yield "Nodes done", f"{totals['done']} of {totals['nodes']}", failed, "bad" if failed else ""
    for kind, name in ((NEW, "Failed new requests"), (ESTABLISHED, "Failed on established")):
        told = totals[kind]
        if told["probes"]:
            gap = f", longest gap {short(told['longest_gap'])}" if told["failed"] else ""
            yield name, f"{told['failed']:,}", f"of {told['sent']:,}{gap}", "bad" if told["failed"] else "good"
    if totals["nodes"]:
        yield "Own time on a node", short(totals["own_most"]), "at most; waits left out", ""


def _tile(name: str, value: str, remark: str, colour: str) -> str:
    small = f"<small>{escape(remark)}</small>" if remark else ""
    return f'<div class="tile"><dt>{escape(name)}</dt><dd class="{colour}">{escape(value)}{small}</dd></div>'


# -- tables

Cell = t.Union[str, tuple[str, str]]  # with a class


def _table(columns: t.Sequence[Cell], rows: t.Iterable[t.Sequence[Cell]], caption: str = "") -> str:
    """The first cell of each row is its head. A narrow page shows each row as a list."""
    heads = [column if isinstance(column, tuple) else (column, "") for column in columns]
    head = "".join(f'<th scope="col" class="{kind}">{escape(name)}</th>' for name, kind in heads)
    body = "".join(f"<tr>{_cells(row, heads)}</tr>" for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: t.Sequence[Cell], heads: t.Sequence[tuple[str, str]]) -> str:
    found = []
    for number, (cell, (name, kind)) in enumerate(zip(row, heads)):
        text, colour = cell if isinstance(cell, tuple) else (cell, "")
        classes = " ".join(word for word in (kind, colour) if word)
        tag, more = ("th", ' scope="row"') if number == 0 else ("td", f' data-name="{escape(name)}"')
        found.append(f'<{tag}{more} class="{classes}">{escape(text)}</{tag}>')
    return "".join(found)


def _waits(waits: t.Sequence[Document]) -> str:
    return ", ".join(f"{wait['what']} {short(wait['seconds'])}" for wait in waits)


def _nodes(report: Document) -> str:
    if not report["nodes"]:
        return ""
    columns: list[Cell] = ["Node", ("State", "word"), ("In all", "num"), ("Own", "num"), ("Between steps", "num"),
                           ("Waited for", "free"), ("Not done", "free")]  # fmt: skip
    rows = (
        (
            node["name"], (node["state"], "bad" if node["state"] == "failed" else ""), short(node["seconds"]),
            short(node["own"]), short(node["between"]), _waits(node["waits"]), ", ".join(node["left"]),
        )
        for node in report["nodes"]
    )  # fmt: skip
    return _table(columns, rows)


def _steps(report: Document) -> str:
    few = len(report["nodes"]) <= _OPEN
    return "\n".join(_node_steps(node, few) for node in report["nodes"] if node["steps"])


def _node_steps(node: Document, few: bool) -> str:
    columns: list[Cell] = ["Step", ("Began", "num"), ("Took", "num"), ("Own", "num"), ("Waited for", "free"),
                           ("Result", "free"), ("Tasks", "free")]  # fmt: skip
    rows = (
        (
            step["name"], clock(step["begin"]), short(step["seconds"]), short(step["own"]), _waits(step["waits"]),
            _result(step), "; ".join(step["tasks"]),
        )
        for step in node["steps"]
    )  # fmt: skip
    opened = " open" if few or node["state"] == "failed" else ""
    count = len(node["steps"])
    about = f"{count} step{'s' if count != 1 else ''}, {short(node['seconds'])}"
    summary = f'<summary><b>{escape(node["name"])}</b> <span class="soft">{about}</span></summary>'
    return f"<details{opened}>{summary}{_table(columns, rows)}</details>"


def _result(step: Document) -> Cell:
    text = f"{step['status']}: {step['message']}" if step["message"] else step["status"]
    return (text, "") if step["status"] in GOOD else (text, "bad")


def _probes(report: Document) -> str:
    columns: list[Cell] = ["Probe", ("To", "free"), ("Sent", "num"), ("Failed", "num"),
                           ("of these not even sent", "num"), ("Longest gap", "num"),
                           ("Median", "num"), ("99 %", "num"), ("Slowest", "num")]  # fmt: skip
    tables = []
    for kind, title in TITLES.items():
        rows = [_probe(probe) for probe in report["probes"] if probe["kind"] == kind]
        if rows:
            tables.append(_table(columns, rows, title))
    return "\n".join(tables)


def _probe(probe: Document) -> tuple[Cell, ...]:
    colour = "bad" if probe["failed"] else ""
    gap = short(probe["longest_gap"]) if probe["failed"] else "–"
    times = (probe["latency"][name] for name in ("median", "p99", "most"))
    return (
        probe["name"], probe["target"], f"{probe['sent']:,}", (f"{probe['failed']:,}", colour), f"{probe['missing']:,}",
        gap, *("–" if time is None else milliseconds(time) for time in times),
    )  # fmt: skip


def _failures(report: Document) -> str:
    found = [(probe["name"], failure) for probe in report["probes"] for failure in probe["failures"]]
    longest = sorted(found, key=lambda one: one[1]["begin"] - one[1]["end"])[:_ROWS]
    columns: list[Cell] = ["Probe", ("At", "num"), ("Lasted", "num"), ("Requests", "num"), ("Why", "free"),
                           ("Meanwhile", "free")]  # fmt: skip
    rows = [
        (
            name, clock(failure["begin"]), short(failure["end"] - failure["begin"]), f"{failure['count']:,}",
            ", ".join(f"{one['count']} × {one['error']}" for one in failure["errors"]), "; ".join(failure["during"]),
        )
        for name, failure in sorted(longest, key=lambda one: one[1]["begin"])
    ]  # fmt: skip
    if not rows:
        return ""
    left = len(found) - len(rows)
    note = f'<p class="note">{left} shorter ones are in the JSON alone.</p>' if left else ""
    return _table(columns, rows) + note


def _facts(report: Document) -> str:
    rows = [
        (
            fact["name"], fact["before"] if fact["before"] is not None else "–",
            fact["after"] if fact["after"] is not None else "–",
            "" if fact["before"] == fact["after"] else "changed",
        )
        for fact in report["facts"]
    ]  # fmt: skip
    columns: list[Cell] = ["Fact", "Before", "After", ""]
    return _table(columns, rows) if rows else ""
