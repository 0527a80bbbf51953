"""What probes saw: nothing that is missing may look like a success."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_service_probe import (
    MISSING,
    Series,
    by_probe,
    parse,
    timeline,
    total,
)

BEGUN = 1000.0


def head(probe: str = "dns", begun: float = BEGUN, **more: Any) -> dict[str, Any]:
    return {"probe": probe, "source": "node1", "target": "it", "rate": 10, "begun": begun, **more}


def lines(*documents: dict[str, Any]) -> list[str]:
    return [json.dumps(document) for document in documents]


def good(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"n": number, "s": 0.01} for number in range(first, first + count)]


def one(*documents: dict[str, Any], **span: float) -> Series:
    (series,) = parse(lines(*documents), **span)
    return series


def test_all_well() -> None:
    series = one(head(), *good(10), {"end": 10})
    assert len(series.samples) == 10 and series.failed == () and series.longest_gap == 0 and series.missing == 0
    assert series.samples[9].at == BEGUN + 0.9 and series.latency(0.5) == 0.01


def test_errors_and_the_gap_that_they_make() -> None:
    series = one(head(), *good(3), {"n": 3, "s": 3.0, "e": "timed out"}, {"n": 4, "s": 0, "e": "refused"}, *good(5, 5))
    (outage,) = series.outages
    assert (outage.failed, outage.error, round(outage.seconds, 3)) == (2, "timed out", 0.2)
    last = one(head(), *good(3), {"n": 3, "s": 3.0, "e": "timed out"})
    assert last.longest_gap == 3.0, "nothing after it"


def test_missing_ones_have_failed() -> None:
    series = one(head(), *good(3), *good(3, 7), {"end": 12})
    assert [sample.error for sample in series.samples].count(MISSING) == 6 == series.missing
    assert round(series.longest_gap, 3) == 0.4


def test_a_probe_that_was_killed_misses_all_until_the_end() -> None:
    assert one(head(), *good(5), until=BEGUN + 2).missing == 15
    assert one(head(), until=BEGUN + 2).missing == 20, "it never came to a sample"
    assert one(head(), *good(5), {"end": 5}, until=BEGUN + 2).missing in (14, 15), "ended too early"


def test_a_probe_that_begins_late_or_again() -> None:
    assert one(head(), *good(20), {"end": 20}, since=BEGUN - 1).missing in (9, 10)
    again = one(head(), *good(5), head(begun=BEGUN + 2), *good(10), {"end": 10})
    assert again.missing == 15 and len(again.samples) == 30 and len(again.outages) == 1


def test_a_line_that_was_cut_off() -> None:
    (series,) = parse([*lines(head(), *good(3)), '{"n": 3, "s', "[]", ""], until=BEGUN + 0.5)
    assert len(series.samples) == 5 and series.missing == 2


def test_established_flows_are_told_apart() -> None:
    found = parse(lines(
        head(), *good(5), head(established=True), *good(4), {"n": 4, "e": "reset"}, head("node_port"), *good(2),
        head(source="node2"), *good(2), {"n": 2, "e": "refused"},
    ))  # fmt: skip
    assert [item.name for item in by_probe(found)] == ["dns", "node_port", "dns (established)"]
    new, flows = total(found), total(found, established=True)
    assert (new.tried, new.failed, dict(new.errors)) == (10, 1, {"refused": 1})
    assert (flows.tried, flows.failed) == (5, 1)
    assert str(new).startswith("new connections: 1 of 10 failed, longest gap 0.10 s") and new.as_dict()["missing"] == 0
    assert [row["way"] for row in timeline(found)] == ["dns: node2 → it", "dns (established): node1 → it"]


def test_nothing_at_all() -> None:
    assert parse([]) == () and total(()).tried == 0 and str(total(())).startswith("new connections: 0 of 0")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["good", "bad", "missing"]), min_size=1, max_size=40), st.integers(1, 3), st.randoms())
def test_each_try_is_told_once(tries: list[str], lives: int, random: Any) -> None:
    """However a series is cut into lives and its lines are mixed."""
    cuts = sorted(random.randrange(len(tries) + 1) for _ in range(lives - 1))
    written: list[dict[str, Any]] = []
    for first, last in zip([0, *cuts], [*cuts, len(tries)], strict=True):
        part = [
            {"n": number - first, "s": 0.01, **({"e": "refused"} if tries[number] == "bad" else {})}
            for number in range(first, last)
            if tries[number] != "missing"
        ]
        random.shuffle(part)
        written += [head(begun=BEGUN + first / 10), *part, {"end": last - first}]
    series = one(*written, since=BEGUN, until=BEGUN + len(tries) / 10)
    assert len(series.samples) == len(tries) and series.missing == tries.count("missing")
    assert len(series.failed) == len(tries) - tries.count("good")
    assert sum(outage.failed for outage in series.outages) == len(series.failed)
    assert [bool(sample.error) for sample in series.samples] == [what != "good" for what in tries]
