# SPDX-License-Identifier: GPL-3.0-or-later
"""What a judgement says: one finding for each thing that was looked at."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentence

OK = "ok"
NOTE = "note"
WARN = "warn"
REFUSE = "refuse"
SKIPPED = "skipped"
LEVELS = (REFUSE, WARN, SKIPPED, NOTE, OK)  # the worst first

CLUSTER = "k3s_cluster"


@dataclass(frozen=True)
class Finding:
    host: str  # a host of the inventory, or the group
    check: str  # the name that preflight_skip takes
    level: str
    thing: str  # the variable, or what was looked at on the host
    seen: str
    wanted: str = ""
    remedy: str = ""

    @property
    def sentence(self) -> str:
        return sentence(self.thing, host=self.host, seen=self.seen, wanted=self.wanted, remedy=self.remedy)

    def as_dict(self) -> dict[str, str]:
        return {
            "host": self.host,
            "check": self.check,
            "level": self.level,
            "thing": self.thing,
            "seen": self.seen,
            "wanted": self.wanted,
            "remedy": self.remedy,
        }


Findings = t.Iterator[Finding]


def refuse(host: str, check: str, thing: str, seen: str, wanted: str, remedy: str) -> Finding:
    return Finding(host, check, REFUSE, thing, seen, wanted, remedy)


def warn(host: str, check: str, thing: str, seen: str, wanted: str, remedy: str) -> Finding:
    return Finding(host, check, WARN, thing, seen, wanted, remedy)


def note(host: str, check: str, thing: str, seen: str, remedy: str = "") -> Finding:
    return Finding(host, check, NOTE, thing, seen, "", remedy)


def fine(host: str, check: str, thing: str, seen: str) -> Finding:
    return Finding(host, check, OK, thing, seen)


def from_error(error: MeshwrightError, host: str, check: str) -> Finding:
    return refuse(error.host or host, check, error.thing, error.seen, error.wanted, error.remedy)


def merged(findings: t.Iterable[Finding], hosts: t.Sequence[str]) -> tuple[Finding, ...]:
    """The same finding on several hosts becomes one, told of the group: a mistake in group_vars is one mistake."""
    by_text: dict[Finding, list[str]] = {}
    for finding in findings:
        told = by_text.setdefault(replace(finding, host=""), [])
        if finding.host not in told:
            told.append(finding.host)
    return tuple(
        replace(finding, host=_together(told, hosts)) for finding, told in by_text.items()
    )


def _together(told: t.Sequence[str], hosts: t.Sequence[str]) -> str:
    if CLUSTER in told or (len(hosts) > 1 and set(hosts) <= set(told)):
        return CLUSTER
    return ", ".join(told)


def skipping(findings: t.Iterable[Finding], skip: t.Collection[str]) -> tuple[Finding, ...]:
    """Refusals and warnings of the named checks stay in the report, as skipped."""
    return tuple(
        replace(finding, level=SKIPPED) if finding.check in skip and finding.level in (REFUSE, WARN) else finding
        for finding in findings
    )


def refusals(findings: t.Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.level == REFUSE)
