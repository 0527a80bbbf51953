"""Runs to make reports of: what probes saw beside events of a rollout, as the lines of their files."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from rollout_streams import good_run

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_events as events

LONG = "agent-17.rack-b.a-long-building-name-without-any-good-reason.example.org"
NODES = ("server1", "server2", "server3", LONG, "agent2")
START = 1_800_000_000.0


def probe_lines(
    name: str, *, seconds: float, rate: float = 20, kind: str = "new", bad: tuple[tuple[float, float], ...] = (),
    silent: tuple[tuple[float, float], ...] = (), target: str = "192.0.2.10:80", start: float = START, seed: int = 1,
) -> Iterator[str]:  # fmt: skip
    """A probe at a steady rate; it fails within `bad`, and says nothing within `silent` (seconds from its begin)."""
    dice = random.Random(seed)
    told = {"event": "probe", "time": start, "probe": name, "kind": kind, "target": target, "interval": 1 / rate}
    yield json.dumps(told)
    for number in range(int(seconds * rate)):
        at = number / rate
        if any(begin <= at < end for begin, end in silent):
            continue
        error = "timed out" if any(begin <= at < end for begin, end in bad) else ""
        taken = 3.0 if error else 0.001 + dice.expovariate(1 / 0.002) + (0.2 if dice.random() < 0.004 else 0)
        yield json.dumps(
            {"event": "sample", "time": round(start + at, 4), "probe": name, "seconds": round(taken, 5), "error": error}
        )
    yield json.dumps({"event": "probe_ended", "time": start + seconds, "probe": name})


def smooth(nodes: tuple[str, ...] = NODES, seconds: float = 6.0) -> list[str]:
    """A rollout in which nothing fails, probed all the while."""
    stream = list(good_run(nodes, seconds, START + 3))
    facts = {"stage": "1", "who answers services": "kube-proxy", "cilium": "1.20.2", "restarts": "0"}
    stream.append(events.Told(START + 1, events.BEFORE, facts))
    stream.append(events.Told(stream[-2].time, events.AFTER, {**facts, "stage": "2", "who answers services": "Cilium"}))
    length = len(nodes) * 5 * seconds + 6
    return [
        *map(events.to_line, stream),
        *probe_lines("load balancer, from outside", seconds=length, seed=2),
        *probe_lines("ClusterIP, from a pod on each node", seconds=length, target="10.43.7.7:80", seed=3),
        *probe_lines("DNS", seconds=length, rate=5, target="10.43.0.10:53", seed=4),
        *probe_lines("a flow held open", seconds=length, rate=5, kind="established", seed=5),
    ]


def rough() -> list[str]:
    """One node's drain fails, a probe loses requests meanwhile, another falls silent, a flow is cut."""
    stream = [event for event in good_run(NODES, 6.0, START + 3) if event.time < START + 75.1]
    reason = "web/front keeps its last pod: the PodDisruptionBudget web/front allows no disruption " * 3
    stream += [
        events.TaskEnded(START + 75.2, "server3", "drain", "Do drain", events.CHANGED),
        events.TaskBegun(START + 75.2, "server3", "drain", "See drain", "drain"),
        events.TaskEnded(
            START + 76, "server3", "drain", "See drain", events.FAILED, (events.Wait("drain", 0.8),), reason
        ),
        events.TaskBegun(START + 76.2, "server3", "uncordon", "Bring the node back"),
        events.TaskEnded(START + 78, "server3", "uncordon", "Bring the node back", events.CHANGED),
        events.Ended(START + 79, True),
    ]  # fmt: skip
    return [
        *map(events.to_line, stream),
        *probe_lines("load balancer, from outside", seconds=80, bad=((20.5, 21.6), (50.0, 50.1))),
        *probe_lines("pod to pod with a name that goes on and on, from every node to every other", seconds=80,
                     silent=((63, 68),), seed=7),
        *probe_lines("a flow held open", seconds=80, rate=5, kind="established", bad=((21, 22.2),), seed=8),
    ]  # fmt: skip


def scattered(count: int = 500) -> list[str]:
    """Five hundred samples, of which every fifth fails: no gap is like the other."""
    bad = tuple((number * 5 / 10, number * 5 / 10 + 0.05) for number in range(count // 5))
    return [
        *map(events.to_line, good_run(tuple(f"node{number:02}" for number in range(12)), 0.8, START)),
        *probe_lines("everything", seconds=count / 10, rate=10, bad=bad),
    ]
