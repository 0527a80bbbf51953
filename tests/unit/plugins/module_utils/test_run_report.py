"""The report of a run: its document keeps its schema, its page holds all of it, whatever happened."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
import report_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from rollout_streams import any_stream, good_run
from tree import ROOT

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_events as events
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes, run_report
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.render_run_report import page

SCHEMA = json.loads((ROOT / "docs/rollout-report.schema.json").read_text())
VOID = {"meta", "line", "rect"}


class Nesting(HTMLParser):
    """Fails when an element is closed that is not the open one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID | {"polygon", "polyline"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(lines: list[str], title: str = "") -> tuple[dict[str, Any], str]:
    """Document and page, each found to be sound."""
    report = run_report.from_lines(lines, title)
    jsonschema.validate(json.loads(json.dumps(report)), SCHEMA)
    shown = page(report)
    parser = Nesting()
    parser.feed(shown)
    assert parser.open == []
    assert "<script" not in shown and not re.search(r"(src|href)=|url\(|@import", shown)
    return report, shown


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", [cases.smooth, cases.rough, cases.scattered])
def test_the_page_holds_nodes_steps_probes_and_facts(case: Callable[[], list[str]]) -> None:
    report, shown = checked(case())
    for node in report["nodes"]:
        assert node["name"] in shown
        assert all(f">{step['name']}</th>" in shown for step in node["steps"])
    assert all(fact["name"] in shown for fact in report["facts"])


def test_a_smooth_run_has_no_failure() -> None:
    report, shown = checked(cases.smooth())
    assert report["result"] == "ok" and "Failed requests" not in shown
    totals = report["totals"]
    assert totals["new"]["sent"] == 2 * 3120 + 780 and totals["new"]["failed"] == 0
    changed = [fact["name"] for fact in report["facts"] if fact["before"] != fact["after"]]
    assert changed == ["stage", "who answers services"]


def test_failures_are_counted_with_what_went_on() -> None:
    report, shown = checked(cases.rough())
    balancer, pods, flow = report["probes"]
    failures = [(one["count"], one["begin"], one["end"]) for one in balancer["failures"]]
    assert failures == [(22, 20.5, 21.6), (2, 50, 50.1)]
    assert balancer["failures"][0]["during"] == ["server1: drain", "server1: restart"]
    assert (pods["failed"], pods["missing"], round(pods["longest_gap"])) == (100, 100, 5)
    assert flow["kind"] == "established" and flow["failed"] == 6
    assert report["totals"]["new"] == {"probes": 2, "sent": 3200, "failed": 124, "longest_gap": pods["longest_gap"]}
    assert report["result"] == "failed" and "allows no disruption" in shown and "no sample" in shown


def test_the_clusters_own_steps_are_no_node() -> None:
    report = run_report.from_lines([events.to_line(event) for event in good_run(("cluster", "n1", "n2"))])
    assert [node["name"] for node in report["nodes"]] == ["cluster", "n1", "n2"]
    assert (report["totals"]["nodes"], report["totals"]["done"]) == (2, 2)


def test_waits_are_taken_apart_from_our_own_time() -> None:
    node = checked(cases.smooth())[0]["nodes"][0]
    assert node["waits"] == [{"what": what, "seconds": 4.5} for what in ("router", "drain", "pod")]
    assert (node["seconds"], node["own"]) == (30.0, 16.5)


def test_time_between_steps_is_ours_until_another_node_has_its_turn() -> None:
    def task(node: str, step: str, begin: float, end: float) -> list[events.Event]:
        return [events.TaskBegun(begin, node, step, step), events.TaskEnded(end, node, step, step)]

    stream = [*task("a", "one", 0, 1), *task("a", "two", 3, 4), *task("b", "one", 5, 6), *task("a", "end", 9, 10)]
    report = run_report.from_lines([events.to_line(event) for event in [*stream, events.Ended(10)]])
    assert [node["between"] for node in report["nodes"]] == [3.0, 0.0]


@given(any_stream, st.lists(st.floats(0, 10_000), max_size=30), st.sampled_from([0, 0.05, 1]))
def test_any_log_makes_a_sound_report(stream: list[events.Event], sent: list[float], interval: float) -> None:
    told = [{"event": "probe", "time": 10, "probe": "<p>", "interval": interval * 1000, "kind": "?"}]
    told += [{"event": "sample", "time": at, "probe": "<p>", "seconds": 0.1, "error": "&" * (at < 50)} for at in sent]
    lines = [*map(events.to_line, stream), *map(json.dumps, told), "not a line", '{"event": "sample"}']
    try:
        report, shown = checked(lines)
    except MeshwrightError:
        assert not stream and not sent
        return
    assert "<p>" not in shown.replace("<p>", "", shown.count("<p><b"))
    for probe in report["probes"]:
        assert probe["sent"] >= len(sent) and probe["failed"] >= sum(at < 50 for at in sent)


@given(st.integers(1, 400), st.sets(st.integers(0, 399)))
def test_what_was_due_and_not_sent_has_failed(count: int, lost: set[int]) -> None:
    samples = tuple(run_probes.Sample(100 + n * 0.05, 0.01) for n in range(count) if n not in lost)
    probe = run_probes.Probe("p", interval=0.05, begin=100.0, end=100 + count * 0.05, samples=samples)
    verdict = run_probes.judge(probe, 0.0)
    assert (verdict.sent, verdict.missing) == (count, count - len(samples))
    assert (verdict.longest_gap > 0) == (verdict.missing > 0)


_TIMES = st.floats(0, 1000)
_SAMPLES = st.builds(run_probes.Sample, _TIMES, _TIMES, st.text(max_size=5))


@given(st.sampled_from(["new", "established"]), st.text(max_size=5), _TIMES, st.none() | _TIMES,
       st.lists(_SAMPLES, max_size=9))  # fmt: skip
def test_what_a_probe_saw_goes_through_its_lines(
    kind: str, target: str, begin: float, end: float | None, samples: list[run_probes.Sample]
) -> None:
    ordered = tuple(sorted(samples, key=lambda sample: sample.time))
    probe = run_probes.Probe("p", kind, target, 0.05, begin, end, ordered)
    assert run_probes.read(run_probes.to_lines(probe)) == (probe,)


def test_a_probe_that_was_late_and_caught_up_misses_nothing() -> None:
    times = [number * 0.05 for number in range(20)]
    times += [2 + number * 0.001 for number in range(20)]
    times += [2.05 + number * 0.05 for number in range(19)]
    probe = run_probes.Probe("p", interval=0.05, begin=0.0, end=2.95, samples=tuple(map(run_probes.Sample, times)))
    assert run_probes.judge(probe, 0.0).missing == 0


def test_a_probe_that_died_misses_the_rest_of_the_run() -> None:
    lines = [*map(events.to_line, [events.Begun(0), events.Ended(10)])]
    lines += [line for line in cases.probe_lines("p", seconds=5, rate=10, start=0.0) if "ended" not in line]
    assert run_report.from_lines(lines)["probes"][0]["missing"] == 50


def test_a_run_that_was_cut_off_says_so() -> None:
    lines = [*map(events.to_line, [events.Begun(0, "x.yml"), events.TaskBegun(1, "n", "drain", "Drain")])]
    report, shown = checked([*lines, '{"event": "task_en'])
    assert report["result"] == "cut off" and "Was cut off" in shown


def test_nothing_to_report_is_an_error() -> None:
    with pytest.raises(MeshwrightError, match="without any event"):
        run_report.from_lines(["x"])


def test_five_hundred_nodes_and_an_hour_of_samples_take_seconds() -> None:
    names = tuple(f"node{number:03}" for number in range(500))
    lines = [*map(events.to_line, cases.good_run(names, 1.0, cases.START))]
    lines += cases.probe_lines("p", seconds=2500, rate=20)
    began = time.monotonic()
    report = run_report.from_lines(lines)
    shown = page(report)
    assert time.monotonic() - began < 20
    assert len(shown) < 3_000_000 and len(report["probes"][0]["course"]) <= run_report.SLICES
