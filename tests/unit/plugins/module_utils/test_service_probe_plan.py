"""Which ways are tried, and what a run is judged by: nothing that is missing looks like a success."""

from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import service_probe_plan as probing
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.probe_service import Target
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, Probe, read
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import Offered, Way, spec, ways

NODES = ("one", "two", "three")
OFFERED = Offered(
    (("192.0.2.1", 80),), tuple((node, 30080) for node in NODES), (("10.43.0.9", 80),), (("10.43.0.10", 53),),
    {node: (f"pod-{node}", 8080) for node in NODES}, (("fd00:43::1", 443),),
)  # fmt: skip
BEGUN, RATE = 1000.0, 10


def named(name: str) -> Way:
    return Way("pod", "one", Target(name, "x", 80, kind=ESTABLISHED if name.endswith(ESTABLISHED) else "new"))


DNS, KEPT = named("DNS from one (pod) to x:80"), named("ClusterIP from one (pod) to x:80, established")


def written(way: Way, tries: list[str], *, end: bool = True) -> list[str]:
    """As the prober writes them; each try is good, missing or an error."""
    name, last = {"probe": way.target.name}, {"time": BEGUN + len(tries) / RATE}
    found = [{"event": "probe", "time": BEGUN, "kind": way.target.kind, "interval": 1 / RATE, **name}]
    for number, what in enumerate(tries):
        sample = {"event": "sample", "time": BEGUN + number / RATE, "seconds": 0.01, **name}
        found += [] if what == "missing" else [sample if what == "good" else {**sample, "error": what}]
    return [json.dumps(item) for item in (*found, *([{"event": "probe_ended", **name, **last}] if end else []))]


def test_every_way_once() -> None:
    found = ways(OFFERED, NODES, "client")
    names = [way.target.name for way in found]
    assert len(set(names)) == len(names)
    new = [way for way in found if way.target.kind == "new"]
    kinds = [way.target.name.split(" from ")[0] for way in new]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "LoadBalancer": 1, "NodePort": 3, "ClusterIP": 6, "DNS": 6, "pod to pod": 6, "kubernetes": 6,
    }  # fmt: skip
    assert all(way.source == "client" for way in found if way.place == "outside")
    kept = [way.target for way in found if way.target.kind == ESTABLISHED]
    assert len(kept) == 1 + 6 + 6 and {target.protocol for target in kept} == {"http"}
    assert not [way for way in ways(OFFERED, NODES, flows=False) if way.target.kind != "new" or way.place == "outside"]


def test_pods_of_other_nodes_in_turn() -> None:
    pairs = {(way.source, way.target.host) for way in ways(OFFERED, NODES) if way.target.host.startswith("pod")}
    assert pairs == {("one", "pod-two"), ("two", "pod-three"), ("three", "pod-one")}
    assert not [way for way in ways(OFFERED, ("one",)) if way.target.host.startswith("pod")], "itself is nobody else"
    assert len(ways(OFFERED, [str(number) for number in range(500)])) < 500 * 13


def test_what_the_prober_is_given() -> None:
    (way,) = ways(Offered(kubernetes=(("fd00:43::1", 443),)), ("one",), flows=False)[:1]
    given = json.loads(json.dumps(spec([way], 60, 20)))
    assert given["seconds"] == 60 and Target(**given["probes"][0]).rate == 20
    assert way.target.name == "kubernetes from one (pod) to [fd00:43::1]:443" and way.target.protocol == "tcp"


def test_a_run_is_told_by_kind_and_flows_apart() -> None:
    lines = written(DNS, ["good"] * 8 + ["refused", "good"]) + written(KEPT, ["good"] * 4 + ["reset"])
    lines += written(named("ClusterIP from one (pod) to x:80"), ["good", "missing", "good"])
    probes = read(lines)
    assert [item.name for item in probing.by_kind(probes, 0)] == ["ClusterIP", "DNS", "ClusterIP, established"]
    new, flows = probing.total(probes, 0), probing.total(probes, 0, ESTABLISHED)
    assert (new.probes, new.sent, new.failed, new.missing) == (2, 13, 2, 1)
    assert str(new) == "new connections: 2 of 13 failed, longest gap 0.10 s, slowest 0.01 s, 1x refused, 1x no sample"
    assert (flows.sent, flows.failed, flows.errors) == (5, 1, (("reset", 1),))


def test_a_prober_that_was_killed() -> None:
    probes = read([*written(DNS, ["good"] * 5, end=False), '{"event": "sample", "probe": "DNS'])
    found = probing.total(probes, BEGUN + 2)
    assert (found.sent, found.missing) == (20, 15) and found.longest_gap > 1.4
    assert probing.total(read(written(DNS, [], end=False)), BEGUN + 2).missing == 20, "it never came to a try"


def test_a_way_that_nobody_tried() -> None:
    assert probing.unheard(read(written(DNS, ["good"])), (DNS, KEPT)) == (KEPT.target.name,)
    assert probing.total((), 0) == probing.Summary("new connections")


@given(st.lists(st.sampled_from(["good", "refused", "missing"]), min_size=1, max_size=40), st.integers(0, 9))
def test_nothing_that_failed_or_is_missing_is_overlooked(tries: list[str], seed: int) -> None:
    """In whatever order lines come."""
    lines = written(DNS, tries)
    first, *rest = lines
    random.Random(seed).shuffle(rest)
    probes: tuple[Probe, ...] = read([first, *rest])
    ended = BEGUN + len(tries) / RATE
    found = probing.total(probes, ended)
    assert (found.sent, found.missing) == (len(tries), tries.count("missing"))
    assert found.failed == len(tries) - tries.count("good")


def test_each_host_gets_its_own_part() -> None:
    found = ways(OFFERED, NODES, "client")
    pace = probing.Pace(60, {"pod": 20, "host": 5}, settle=9)
    (outside,) = probing.parts(found, "client", {}, pace)
    assert (outside["name"], outside["pod"]) == ("outside", "") and outside["spec"]["seconds"] == 60
    pod, host = probing.parts(found, "one", {"one": "uid"}, pace)
    assert (pod["name"], pod["pod"], host["name"], host["pod"]) == ("pod", "uid", "host", "")
    assert {(probe["kind"], probe["rate"]) for probe in host["spec"]["probes"]} == {("new", 5), ("established", 1.25)}
    assert {probe["settle"] for probe in pod["spec"]["probes"]} == {9}
    assert [part["name"] for part in probing.parts(found, "one", {}, probing.Pace(rates={"host": 0}))] == []
    assert json.loads(json.dumps(pod)) == pod


def test_a_service_that_is_only_connected_to() -> None:
    tcp = Offered(cluster_ips=(("x", 5432),), pods=OFFERED.pods, protocol="tcp", path="/")
    found = {way.target.name: way.target for way in ways(tcp, NODES)}
    assert found["ClusterIP from one (pod) to x:5432"].protocol == "tcp"
    assert not [name for name in found if name.startswith("ClusterIP") and name.endswith(ESTABLISHED)]
    assert found["pod to pod from one (pod) to pod-two:8080"].path == "/hostname"


def test_a_run_is_judged_by_what_is_promised() -> None:
    node_port = Way("outside", "client", Target("NodePort from client to x:80", "x", 80))
    probes = read(written(node_port, ["refused"]) + written(KEPT, ["reset"]) + written(DNS, ["good", "good"]))
    found = probing.promised(probes, 0)
    assert (found.probes, found.sent, found.failed) == (1, 2, 0)
    assert probing.last_word(probes) == BEGUN + 2 / RATE and probing.last_word(()) == 0.0
