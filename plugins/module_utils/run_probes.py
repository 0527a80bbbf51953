# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes saw during a run: samples from JSON lines, and what they amount to. Pure.

A sample that should be there and is not counts as failed: a probe that could not even ask saw no traffic flow.
"""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import dataclass, replace

NEW, ESTABLISHED = "new", "established"
MISSING = "no sample"


@dataclass(frozen=True)
class Sample:
    """One request; no error means that it was answered."""

    time: float
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Probe:
    """One series of requests: each in a new connection, or all in one that was established before."""

    name: str
    kind: str = NEW
    target: str = ""
    interval: float = 0.0  # 0: not said, so nothing can be missing
    begin: float | None = None
    end: float | None = None
    samples: tuple[Sample, ...] = ()


def read(lines: t.Iterable[str]) -> tuple[Probe, ...]:
    """Probes in the order in which they were named first. Lines that are none of theirs are passed over."""
    probes: dict[str, Probe] = {}
    samples: dict[str, list[Sample]] = {}
    for line in lines:
        try:
            found = json.loads(line)
            if not isinstance(found, dict) or found.get("event") not in ("probe", "sample", "probe_ended"):
                continue
            name, time = str(found["probe"]), float(found["time"])
            known = probes.get(name) or Probe(name)
            if found["event"] == "sample":
                seconds = float(found.get("seconds") or 0)
                samples.setdefault(name, []).append(Sample(time, max(0.0, seconds), str(found.get("error") or "")))
            elif found["event"] == "probe":
                known = _described(known, found, time)
            else:
                known = replace(known, end=time)
            probes[name] = known
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(
        replace(probe, samples=tuple(sorted(samples.get(name, ()), key=lambda sample: sample.time)))
        for name, probe in probes.items()
    )


def _described(known: Probe, found: t.Mapping[str, t.Any], time: float) -> Probe:
    kind = ESTABLISHED if found.get("kind") == ESTABLISHED else NEW
    interval, target = max(0.0, float(found.get("interval") or 0)), str(found.get("target") or "")
    begin = time if known.begin is None else known.begin
    return replace(known, kind=kind, target=target, interval=interval, begin=begin, end=None)


def to_lines(probe: Probe) -> t.Iterator[str]:
    """What `read` reads."""
    samples = probe.samples
    begin = probe.begin if probe.begin is not None else (samples[0].time if samples else 0.0)
    head = {"event": "probe", "time": begin, "probe": probe.name, "kind": probe.kind, "target": probe.target}
    yield json.dumps({**head, "interval": probe.interval}, ensure_ascii=False)
    for sample in samples:
        found = {"event": "sample", "time": sample.time, "probe": probe.name, "seconds": sample.seconds}
        yield json.dumps({**found, "error": sample.error} if sample.error else found, ensure_ascii=False)
    if probe.end is not None:
        yield json.dumps({"event": "probe_ended", "time": probe.end, "probe": probe.name}, ensure_ascii=False)


@dataclass(frozen=True)
class Failure:
    """Requests that failed in a row, until one was answered again."""

    begin: float
    end: float
    count: int
    missing: int
    errors: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Bucket:
    begin: float
    sent: int
    failed: int
    median: float | None
    most: float | None


@dataclass(frozen=True)
class Verdict:
    sent: int
    failed: int  # those that are missing count among both
    missing: int
    longest_gap: float
    median: float | None
    p99: float | None
    most: float | None
    failures: tuple[Failure, ...]


def judge(probe: Probe, end: float) -> Verdict:
    """`end` is the run's, for a probe that does not say when it ended itself."""
    samples = complete(probe, end)
    last = _end(probe, end)
    failures = tuple(_failures(samples, last))
    times = sorted(sample.seconds for sample in samples if not sample.error)
    return Verdict(
        sent=len(samples), failed=sum(failure.count for failure in failures),
        missing=sum(failure.missing for failure in failures),
        longest_gap=max((failure.end - failure.begin for failure in failures), default=0.0),
        median=quantile(times, 0.5), p99=quantile(times, 0.99), most=times[-1] if times else None, failures=failures,
    )  # fmt: skip


def quantile(ordered: t.Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _end(probe: Probe, end: float) -> float:
    """One that was late sends what was due by its end after it."""
    if probe.end is not None:
        return probe.end
    return max(probe.samples[-1].time if probe.samples else (probe.begin or end), end)


def complete(probe: Probe, end: float) -> tuple[Sample, ...]:
    """The samples with those that are missing. A probe that was late and caught up again misses none."""
    if not probe.interval or probe.begin is None:
        return probe.samples
    stop = _end(probe, end)
    # The sample that was due at the very end need not have been sent.
    lacking = max(0, int((stop - probe.begin) / probe.interval + 1e-6) - len(probe.samples))
    times = [probe.begin - probe.interval, *(sample.time for sample in probe.samples), stop]
    gaps = sorted(zip(times, times[1:]), key=lambda gap: gap[0] - gap[1])
    found = list(probe.samples)
    for begin, stop in gaps:
        count = min(lacking, max(0, round((stop - begin) / probe.interval) - 1))
        step = (stop - begin) / (count + 1)
        due = (begin + step * number for number in range(1, count + 1))
        found += [Sample(max(probe.begin, at), error=MISSING) for at in due]
        lacking -= count
    return tuple(sorted(found, key=lambda sample: sample.time))


def _failures(samples: t.Sequence[Sample], last: float) -> t.Iterator[Failure]:
    row: list[Sample] = []
    for sample in samples:
        if sample.error:
            row.append(sample)
        elif row:
            yield _failure(row, sample.time)
            row = []
    if row:
        yield _failure(row, max(last, row[-1].time))


def _failure(row: t.Sequence[Sample], end: float) -> Failure:
    errors = Counter(sample.error for sample in row)
    return Failure(row[0].time, end, len(row), errors[MISSING], tuple(errors.most_common()))


def buckets(probe: Probe, begin: float, end: float, count: int) -> tuple[Bucket, ...]:
    """The samples in that many slices of the whole run, those that are empty left out."""
    width = max(end - begin, 1e-9) / count
    slices: dict[int, list[Sample]] = {}
    for sample in complete(probe, end):
        slices.setdefault(min(count - 1, max(0, int((sample.time - begin) / width))), []).append(sample)
    found = []
    for number, samples in sorted(slices.items()):
        times = sorted(sample.seconds for sample in samples if not sample.error)
        failed = sum(bool(sample.error) for sample in samples)
        most = times[-1] if times else None
        found.append(Bucket(begin + number * width, len(samples), failed, quantile(times, 0.5), most))
    return tuple(found)
