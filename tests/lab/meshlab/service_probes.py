"""Services of the lab's cluster, asked from everywhere while a test does something to it: by the product's own probe.

Its programs go on by themselves, so that several runs of playbooks, and what lies between them, are one measurement.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes, service_probe_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, NEW, Probe
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import LOAD_BALANCER, Summary
from meshlab.lab import Lab
from meshlab.playbook import ROOT, run_playbook

INVENTORY = ROOT / "inventories" / "lab"
PLAYBOOK = "playbooks/probe.yml"
# What pods on the nodes and the client ask, and what processes of the hosts do: all of them share one machine here.
RATE = float(os.environ.get("MESHLAB_PROBE_RATE", "20"))
HOST_RATE = float(os.environ.get("MESHLAB_PROBE_HOST_RATE", "5"))


@dataclass(frozen=True)
class Seen:
    """What all probes saw of one time."""

    probes: tuple[Probe, ...] = ()

    @property
    def end(self) -> float:
        return service_probe_plan.last_word(self.probes)

    @property
    def promised(self) -> Summary:
        """New connections by the ways that nothing may happen to: what a run is judged by."""
        return service_probe_plan.promised(self.probes, self.end)

    @property
    def all_new(self) -> Summary:
        return service_probe_plan.total(self.probes, self.end, NEW)

    @property
    def flows(self) -> Summary:
        return service_probe_plan.total(self.probes, self.end, ESTABLISHED)

    def of(self, kind: str) -> Summary:
        found = [probe for probe in self.probes if probe.kind == NEW and service_probe_plan.kind_of(probe.name) == kind]
        return service_probe_plan.summary(kind, found, self.end)

    @property
    def noticed(self) -> list[tuple[float, float, str, str]]:
        """What failed of what was promised, without the one thing that nobody can promise.

        A router whose next hops change may send the rest of a connection that is just being made elsewhere, and it is
        reset (docs/findings.md, with a packet trace): `routed` has those.
        """
        return [found for found in self._promised_failures() if not _by_router(*found)]

    @property
    def routed(self) -> list[tuple[float, float, str, str]]:
        return [found for found in self._promised_failures() if _by_router(*found)]

    def _promised_failures(self) -> list[tuple[float, float, str, str]]:
        new = {probe.name for probe in self.probes if probe.kind == NEW}
        kinds = service_probe_plan.PROMISED
        return [item for item in self.failures() if item[2] in new and service_probe_plan.kind_of(item[2]) in kinds]

    def failures(self) -> list[tuple[float, float, str, str]]:
        """Begin, end, way and reasons of what failed, in the order of time; to be laid beside the rollout's steps."""
        found = [
            (failure.begin, failure.end, probe.name, ", ".join(f"{count}x {error}" for error, count in failure.errors))
            for probe in self.probes
            for failure in run_probes.judge(probe, self.end).failures
        ]
        return sorted(found)

    def __str__(self) -> str:
        kinds = service_probe_plan.by_kind(self.probes, self.end)
        return "\n".join(f"  {line}" for line in (*kinds, self.promised))


def _by_router(_begin: float, _end: float, way: str, why: str) -> bool:
    return way.startswith(LOAD_BALANCER) and re.fullmatch(r"\d+x Connection reset by peer", why) is not None


def read(log: Path) -> Seen:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return Seen(run_probes.read(lines))


class ServiceProbes:
    """`with ServiceProbes(lab, "name") as running: …`, then `running.seen`; the lines are in `running.log`."""

    def __init__(self, lab: Lab, name: str, rate: float = RATE, host_rate: float = HOST_RATE) -> None:
        self.log = logs(lab) / f"{name}.probes.jsonl"
        outside = next((host.hostname for host in lab.hosts.values() if host.role == "client"), "localhost")
        self._variables = {
            "probe_from": outside, "probe_rate": rate, "probe_host_rate": host_rate, "probe_log": str(self.log),
        }  # fmt: skip
        self.seen = Seen()

    def __enter__(self) -> ServiceProbes:
        self.log.unlink(missing_ok=True)
        self._play("started")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._play("stopped")
        except AssertionError:
            if kind is None:  # what went wrong in the block counts for more
                raise
            return
        self.seen = read(self.log)

    def _play(self, state: str) -> None:
        variables = json.dumps({**self._variables, "probe_state": state})
        run_playbook(INVENTORY, PLAYBOOK, "--extra-vars", variables).succeeded()


def logs(lab: Lab) -> Path:
    """Where the rollouts' and the probes' logs of a lab stay, to be looked at afterwards."""
    found = lab.paths.root / "rollouts"
    found.mkdir(parents=True, exist_ok=True)
    return found
