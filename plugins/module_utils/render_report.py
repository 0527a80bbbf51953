# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that a user reads and the document that a program reads. Pure."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import LEVELS, NOTE, OK, Finding

_WIDTH = 120
_SHOWN = tuple(level for level in LEVELS if level not in (OK, NOTE))


def counts(findings: t.Sequence[Finding]) -> dict[str, int]:
    return {level: sum(finding.level == level for finding in findings) for level in LEVELS}


def table(findings: t.Sequence[Finding], title: str) -> str:
    """Refusals and warnings in full, notes in short, and the number of what is in order."""
    rows = sorted(
        (finding for finding in findings if finding.level != OK),
        key=lambda finding: (LEVELS.index(finding.level), finding.host, finding.check),
    )
    lines = [title]
    if rows:
        widths = [max(len(row.level) for row in rows), max(len(_first(row.host)) for row in rows),
                  max(len(row.check) for row in rows)]  # fmt: skip
        for row in rows:
            head = f"  {row.level:<{widths[0]}}  {_first(row.host):<{widths[1]}}  {row.check:<{widths[2]}}  "
            lines += textwrap.wrap(
                _text(row), _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False
            )
    told = counts(findings)
    lines.append("  " + ", ".join(f"{told[level]} {_WORDS[level]}" for level in LEVELS if told[level]))
    return "\n".join(lines)


_WORDS = {"refuse": "refused", "warn": "warned of", "skipped": "skipped", "note": "noted", "ok": "in order"}


def _first(host: str) -> str:
    return host if len(host) <= 24 else f"{host[:23]}…"


def _text(finding: Finding) -> str:
    text = f"{finding.thing} is {finding.seen}"
    if finding.level in _SHOWN and finding.wanted:
        text += f", wanted {finding.wanted}"
    return text + (f": {finding.remedy}" if finding.remedy else "")


def document(findings: t.Sequence[Finding], facts: t.Mapping[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return {
        **more,
        "counts": counts(findings),
        "findings": [finding.as_dict() for finding in findings],
        "facts": dict(facts),
    }
