"""Which ways are tried, and what a run is judged by: nothing that is missing looks like a success."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import service_probe_plan as probing
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, Probe, read
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import Target, Targets, Way, ways

NODES = ("one", "two", "three")
TARGETS = Targets(
    (Target("192.0.2.1", 80),), tuple(Target(node, 30080) for node in NODES), (Target("10.43.0.9", 80),),
    (Target("web.default.svc", 80),), {node: Target(f"pod-{node}", 8080) for node in NODES},
    (Target("10.43.0.1", 443),),
)  # fmt: skip
WAY = Way("DNS", "pod", "one", Target("web", 80))
BEGUN, RATE = 1000.0, 10


def written(way: Way, tries: list[str], *, end: bool = True) -> list[str]:
    """As a prober writes them; each try is good, missing or an error."""
    lines = [probing.begun(way, BEGUN, RATE)]
    lines += [
        probing.sample(way, BEGUN + number / RATE, 0.01, "" if what == "good" else what)
        for number, what in enumerate(tries)
        if what != "missing"
    ]
    return [*lines, probing.ended(way, BEGUN + len(tries) / RATE)] if end else lines


def test_every_way_once() -> None:
    found = ways(TARGETS, NODES, "client")
    assert len({(way.name, way.established) for way in found}) == len(found)
    new = [way for way in found if not way.established]
    kinds = {kind: sum(way.kind == kind for way in new) for kind in {way.kind for way in new}}
    assert kinds == {"LoadBalancer": 1, "NodePort": 3, "ClusterIP": 6, "DNS": 3, "pod to pod": 6, "kubernetes": 6}
    assert all(way.source == "client" for way in new if way.place == "outside")
    assert {way.kind for way in found if way.established} == {"LoadBalancer", "ClusterIP", "pod to pod"}
    assert [way for way in ways(TARGETS, NODES, flows=False) if way.established or way.place == "outside"] == []


def test_pods_of_other_nodes_in_turn() -> None:
    pairs = {(way.source, way.target.host) for way in ways(TARGETS, NODES) if way.kind == "pod to pod"}
    assert pairs == {("one", "pod-two"), ("two", "pod-three"), ("three", "pod-one")}
    assert not [way for way in ways(TARGETS, ("one",)) if way.kind == "pod to pod"], "itself is nobody else"
    assert len(ways(TARGETS, [str(number) for number in range(500)])) < 500 * 12


def test_names() -> None:
    assert WAY.name == "DNS from one (pod) to web:80"
    assert Way("NodePort", "outside", "client", Target("fd00::1", 80)).name == "NodePort from client to [fd00::1]:80"


def test_a_run_is_told_by_kind_and_flows_apart() -> None:
    flow = Way("ClusterIP", "pod", "one", Target("10.43.0.9", 80), established=True)
    lines = written(WAY, ["good"] * 8 + ["refused", "good"]) + written(flow, ["good"] * 4 + ["reset"])
    lines += written(Way("ClusterIP", "pod", "one", Target("10.43.0.9", 80)), ["good", "missing", "good"])
    probes = read(lines)
    assert [item.name for item in probing.by_kind(probes, 0)] == ["ClusterIP", "DNS", "ClusterIP, established"]
    new, flows = probing.total(probes, 0), probing.total(probes, 0, ESTABLISHED)
    assert (new.probes, new.sent, new.failed, new.missing) == (2, 13, 2, 1)
    assert str(new) == "new connections: 2 of 13 failed, longest gap 0.10 s, slowest 0.01 s, 1x refused, 1x no sample"
    assert (flows.sent, flows.failed, flows.errors) == (5, 1, (("reset", 1),))


def test_a_prober_that_was_killed() -> None:
    probes = read([*written(WAY, ["good"] * 5, end=False), '{"event": "sample", "probe": "DNS'])
    found = probing.total(probes, BEGUN + 2)
    assert (found.sent, found.missing) == (20, 15) and found.longest_gap > 1.4
    assert probing.total(read(written(WAY, [], end=False)), BEGUN + 2).missing == 20, "it never came to a try"


def test_a_way_that_nobody_tried() -> None:
    other = Way("kubernetes", "host", "two", Target("10.43.0.1", 443), established=True)
    assert probing.unheard(read(written(WAY, ["good"])), (WAY, other)) == (
        "kubernetes from two (host) to 10.43.0.1:443, established",
    )
    assert probing.total((), 0) == probing.Summary("new connections")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["good", "refused", "missing"]), min_size=1, max_size=40), st.integers(0, 9))
def test_nothing_that_failed_or_is_missing_is_overlooked(tries: list[str], seed: int) -> None:
    """In whatever order lines come."""
    lines = written(WAY, tries)
    first, *rest = lines
    random.Random(seed).shuffle(rest)
    probes: tuple[Probe, ...] = read([first, *rest])
    ended = BEGUN + len(tries) / RATE
    found = probing.total(probes, ended)
    assert (found.sent, found.missing) == (len(tries), tries.count("missing"))
    assert found.failed == len(tries) - tries.count("good")
