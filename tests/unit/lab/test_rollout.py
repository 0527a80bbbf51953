"""What the tests of a rollout read off its log: whose turn it was, and which agent came when."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from meshlab.playbook import Run
from meshlab.rollout import AgentWatch, Rolled, begins
from meshlab.service_probes import read

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_lines
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import Ended, TaskBegun, TaskEnded
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_state import fold


@pytest.fixture
def rolled(tmp_path: Path) -> Rolled:
    """server1 from 100 to 130, then agent1 from 130 to 160; its health check ports at 200."""
    steps = [("server1", "claim", 100), ("server1", "restart", 110), ("server1", "release", 129)]
    steps += [("agent1", "claim", 130), ("agent1", "restart", 140), ("agent1", "release", 159)]
    steps += [("agent1", "health", 200)]
    lines: list[dict[str, Any]] = [{"event": "begun", "time": 99, "playbook": "site.yml"}]
    for node, step, time in steps:
        same = {"node": node, "step": step, "task": step}
        lines += [{"event": "task_begun", "time": time, **same}, {"event": "task_ended", "time": time + 1, **same}]
    log = tmp_path / "stage2.jsonl"
    lines.append({"event": "ended", "time": 210})
    log.write_text("\n".join(json.dumps(line) for line in lines) + '\n{"event": "ta')
    return Rolled(Run(0, "", 111.0), log)


def watched(*came: tuple[float, str]) -> AgentWatch:
    watch = object.__new__(AgentWatch)
    watch.came = [(when, node, f"uid-{number}") for number, (when, node) in enumerate(came)]
    return watch


def test_whose_turn_it_was(rolled: Rolled) -> None:
    assert rolled.names("agent1") == ["claim", "restart", "release", "health"] and rolled.names("agent9") == []
    assert rolled.span("server1", ["claim", "release"]) == (100, 130)
    assert rolled.span("server1", ["health"]) is None


def test_agents_come_in_their_own_node_s_turn(rolled: Rolled) -> None:
    assert watched((112, "server1"), (142, "agent1"), (202, "agent1")).strangers(rolled) == []
    (found,) = watched((112, "server1"), (112, "agent1")).strangers(rolled)
    assert found.startswith("agent1: a new agent at 112.0")
    assert watched((142, "server1")).strangers(rolled) and watched((1, "agent9")).strangers(rolled)


def test_the_report_is_written_beside_the_log(rolled: Rolled, tmp_path: Path) -> None:
    rolled.report()
    written = (tmp_path / "stage2.html").read_text()
    assert "<html" in written
    (tmp_path / "stage2.html").write_text("with what the probes saw")
    assert rolled.own(["server1", "agent1", "agent9"]).keys() == {"server1", "agent1"}
    assert (tmp_path / "stage2.html").read_text() == "with what the probes saw"


def test_a_step_s_beginning_is_told_from_its_end() -> None:
    begun = [TaskBegun(1.0, "server1", "restart", "Restart", "pod")]
    for events, matches in ((begun, True), ([*begun, TaskEnded(2.0, "server1", "restart", "Restart")], False)):
        seen = fold([*events, Ended(3.0)] if not matches else events)
        node = seen.nodes["server1"]
        line = rollout_lines.beginning(node, node.steps[0]) if matches else rollout_lines.ending(
            seen, node, node.steps[0], 3.0
        )  # fmt: skip
        assert bool(re.search(begins("server1", "restart"), f"rollout: {line}")) is matches, line
    assert not re.search(begins("server1", "re"), "rollout: server1: restart (1 of 2 steps)")
    assert re.search(begins("server1", "restart"), "rollout: server1: restart (1 of 2 steps)")
    assert re.search(begins("server1", "restart"), "rollout: server1: restart\n")


def test_what_probes_saw(tmp_path: Path) -> None:
    def probe(name: str, *errors: str) -> list[dict[str, Any]]:
        head = {"event": "probe", "time": 100.0, "probe": name, "interval": 1.0}
        samples = [
            {"event": "sample", "time": 100.0 + at, "probe": name, **({"error": error} if error else {})}
            for at, error in enumerate(errors)
        ]
        return [head, *samples, {"event": "probe_ended", "time": 100.0 + len(errors), "probe": name}]

    log = tmp_path / "probes.jsonl"
    lines = probe("DNS from a (pod) to x", "", "timed out", "") + probe("NodePort from client to x", "reset")
    log.write_text("\n".join(json.dumps(line) for line in lines))
    seen = read(log)
    assert (seen.promised.failed, seen.all_new.failed, seen.flows.sent) == (1, 2, 0)
    assert seen.of("NodePort").failed == 1 and seen.of("DNS").longest_gap == 1.0
    assert seen.failures() == [
        (100.0, 101.0, "NodePort from client to x", "1x reset"),
        (101.0, 102.0, "DNS from a (pod) to x", "1x timed out"),
    ]  # fmt: skip
    assert "DNS: 1 of 3 failed" in str(seen)
    assert seen.noticed == [(101.0, 102.0, "DNS from a (pod) to x", "1x timed out")] and seen.routed == []


@pytest.mark.parametrize(("why", "noticed"), [("Connection reset by peer", 0), ("timed out", 1)])
def test_what_a_router_resets_is_told_apart(tmp_path: Path, why: str, noticed: int) -> None:
    """Of new connections to an address from outside, and of no others."""
    flow = "LoadBalancer from client to x:80, established"
    lines = [
        {"event": "probe", "time": 1.0, "probe": "LoadBalancer from client to x:80", "interval": 1.0},
        {"event": "sample", "time": 1.0, "probe": "LoadBalancer from client to x:80", "error": why},
        {"event": "probe_ended", "time": 2.0, "probe": "LoadBalancer from client to x:80"},
        {"event": "probe", "time": 1.0, "probe": flow, "kind": "established", "interval": 1.0},
        {"event": "sample", "time": 1.0, "probe": flow, "error": why},
        {"event": "probe_ended", "time": 2.0, "probe": flow},
    ]
    log = tmp_path / "probes.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)))
    seen = read(log)
    assert (len(seen.noticed), len(seen.routed)) == (noticed, 1 - noticed)
