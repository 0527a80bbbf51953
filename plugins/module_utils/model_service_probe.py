# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes of services saw while something was done to the cluster. Pure, Python 3.9.

A probe writes JSON, one document a line: what it is, then a sample for each try, at last that it ended.

    {"probe": "dns", "source": "node1", "target": "kubernetes.default", "rate": 20, "begun": 1800000000.0}
    {"n": 0, "s": 0.004}        tried at begun + n/rate, answered after s seconds
    {"n": 1, "s": 3.0, "e": "timed out"}
    {"end": 2}                  so many were tried

With `established` the tries of a probe go over one connection, which is made anew when it breaks. A try of which
nothing is known has failed: a probe that was held up, or killed with its node, did not reach its service either. A
probe that begins again under the same name goes on with its series; the time between counts as tries, too.
"""

from __future__ import annotations

import json
import math
import typing as t
from collections import Counter
from dataclasses import asdict, dataclass, field

MISSING = "no sample"
# Tries may come so much later than planned, in parts of the time between two of them, before one counts as missing.
_SLACK = 0.5


@dataclass(frozen=True)
class Way:
    """From where to what."""

    probe: str  # load_balancer, node_port, cluster_ip, dns, pod_to_pod, kubernetes, …
    source: str
    target: str = ""
    established: bool = False

    def __str__(self) -> str:
        flow = " (established)" if self.established else ""
        return f"{self.probe}{flow}: {self.source} → {self.target}"


@dataclass(frozen=True)
class Sample:
    at: float  # seconds since the epoch
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Outage:
    """Failed tries without one that succeeded between them."""

    began: float
    ended: float  # the next success, or the end of the series
    failed: int
    error: str  # the first

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Series:
    way: Way
    rate: float
    samples: tuple[Sample, ...]  # in their order, missing ones filled in

    @property
    def failed(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.error)

    @property
    def missing(self) -> int:
        return sum(sample.error == MISSING for sample in self.samples)

    @property
    def outages(self) -> tuple[Outage, ...]:
        found: list[Outage] = []
        bad: list[Sample] = []
        for sample in self.samples:
            if sample.error:
                bad.append(sample)
            elif bad:
                found.append(Outage(bad[0].at, sample.at, len(bad), bad[0].error))
                bad = []
        if bad:
            found.append(Outage(bad[0].at, bad[-1].at + max(bad[-1].seconds, 1 / self.rate), len(bad), bad[0].error))
        return tuple(found)

    @property
    def longest_gap(self) -> float:
        return max((outage.seconds for outage in self.outages), default=0.0)

    def latency(self, part: float) -> float:
        """The time within which that part of the successful tries was answered."""
        good = sorted(sample.seconds for sample in self.samples if not sample.error)
        return good[min(len(good) - 1, math.ceil(part * len(good)) - 1)] if good else 0.0


@dataclass(frozen=True)
class Summary:
    """Several series told as one."""

    name: str
    tried: int = 0
    failed: int = 0
    missing: int = 0
    longest_gap: float = 0.0
    slowest: float = 0.0
    errors: t.Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        why = "".join(f", {count}x {error}" for error, count in list(self.errors.items())[:3])
        return (
            f"{self.name}: {self.failed} of {self.tried} failed, longest gap {self.longest_gap:.2f} s, "
            f"slowest {self.slowest:.2f} s{why}"
        )

    def as_dict(self) -> dict[str, t.Any]:
        return asdict(self)


@dataclass
class _Part:
    """One life of a probe."""

    begun: float
    samples: dict[int, Sample] = field(default_factory=dict)
    tried: int | None = None  # None: it did not come to its end


def parse(lines: t.Iterable[str], until: float = 0.0, since: float = 0.0) -> tuple[Series, ...]:
    """The series in what probes wrote, one probe after the other. `since` and `until`: when they were to run."""
    parts: dict[Way, list[_Part]] = {}
    rates: dict[Way, float] = {}
    way = None
    for document in _documents(lines):
        if "probe" in document:
            way = Way(
                str(document["probe"]), str(document.get("source", "")), str(document.get("target", "")),
                bool(document.get("established", False)),
            )
            rates.setdefault(way, float(document["rate"]))
            parts.setdefault(way, []).append(_Part(float(document["begun"])))
        elif way is not None:
            _take(document, parts[way][-1], rates[way])
    return tuple(
        Series(way, rates[way], _filled(sorted(found, key=lambda part: part.begun), rates[way], since, until))
        for way, found in parts.items()
    )


def _documents(lines: t.Iterable[str]) -> t.Iterator[dict[str, t.Any]]:
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue  # cut off by the end of its writer: a sample that is missing
        if isinstance(document, dict):
            yield document


def _take(document: t.Mapping[str, t.Any], part: _Part, rate: float) -> None:
    if "end" in document:
        part.tried = int(document["end"])
    elif "n" in document:
        number = int(document["n"])
        at = part.begun + number / rate
        part.samples[number] = Sample(at, float(document.get("s", 0.0)), str(document.get("e", "")))


def _filled(parts: t.Sequence[_Part], rate: float, since: float, until: float) -> tuple[Sample, ...]:
    found: list[Sample] = []
    before = since or parts[0].begun
    for number, part in enumerate(parts):
        found += _between(before, part.begun, rate)
        following = parts[number + 1].begun if number + 1 < len(parts) else until
        count = _count(part, rate, following)
        found += [part.samples.get(at) or Sample(part.begun + at / rate, 0.0, MISSING) for at in range(count)]
        before = part.begun + count / rate
    return (*found, *_between(before, until, rate))


def _count(part: _Part, rate: float, following: float) -> int:
    """How many tries a life of a probe should have had."""
    seen = max(part.samples, default=-1) + 1
    if part.tried is not None:
        return max(seen, part.tried)
    return max(seen, math.floor((following - part.begun) * rate)) if following > part.begun else seen


def _between(before: float, after: float, rate: float) -> list[Sample]:
    lost = math.floor((after - before) * rate - _SLACK) if after > before else 0
    return [Sample(before + number / rate, 0.0, MISSING) for number in range(max(0, lost))]


# -- told


def summary(name: str, found: t.Iterable[Series]) -> Summary:
    series = list(found)
    errors = Counter(sample.error for item in series for sample in item.failed)
    return Summary(
        name, sum(len(item.samples) for item in series), sum(errors.values()), errors[MISSING],
        max((item.longest_gap for item in series), default=0.0),
        max((item.latency(1.0) for item in series), default=0.0),
        dict(errors.most_common()),
    )


def by_probe(found: t.Sequence[Series]) -> tuple[Summary, ...]:
    """One line for each kind of probe; established flows apart from new ones, as their breaks have other reasons."""
    names = dict.fromkeys((item.way.established, item.way.probe) for item in found)
    return tuple(
        summary(
            f"{probe} (established)" if established else probe,
            (item for item in found if (item.way.established, item.way.probe) == (established, probe)),
        )
        for established, probe in sorted(names)
    )


def total(found: t.Sequence[Series], established: bool = False) -> Summary:
    """What a run is judged by: all new connections, or all flows that were there before."""
    name = "established flows" if established else "new connections"
    return summary(name, (item for item in found if item.way.established is established))


def timeline(found: t.Sequence[Series]) -> list[dict[str, t.Any]]:
    """The outages of all series in the order of time, for a report's axis."""
    rows = [{"way": str(item.way), **asdict(outage)} for item in found for outage in item.outages]
    return sorted(rows, key=lambda row: (row["began"], row["way"]))
