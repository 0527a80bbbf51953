# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting k3s and knowing whether it came up, and if not, why. Runs on the hosts, Python 3.9."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host, k3s_journal
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

START, RESTART, ENABLE, RELOAD = "start", "restart", "enable", "daemon-reload"
# How long k3s may say the same hopeless thing: servers that are starting themselves refuse for a moment.
PATIENCE = 15.0


def plan(unit: t.Mapping[str, str], reasons: t.Collection[str]) -> tuple[str, ...]:
    """Steps, in their order. A unit that systemd does not know yet may be there on the disk."""
    state = unit["ActiveState"]
    steps = []
    if unit["NeedDaemonReload"] == "yes" or unit["LoadState"] != "loaded":
        steps.append(RELOAD)
    if unit["UnitFileState"] != "enabled":
        steps.append(ENABLE)
    if state in ("inactive", "failed"):
        steps.append(START)
    elif reasons:
        steps.append(RESTART)
    return tuple(steps)


def apply(name: str, steps: t.Sequence[str]) -> None:
    if RELOAD in steps:
        client_host.systemctl("daemon-reload")
    if ENABLE in steps:
        client_host.systemctl("enable", name)
    for verb in (START, RESTART):
        if verb in steps:
            # A unit that failed too often in a row is not started again before this.
            client_host.run("systemctl", "reset-failed", name)
            client_host.systemctl("--no-block", verb, name)


@dataclass
class Start:
    """One start that is waited for."""

    name: str
    invocation: str  # of the run before; another one has to be seen when a start was asked for
    cursor: str
    timeout: float
    secrets: t.Sequence[str] = ()
    clock: Clock = CLOCK
    unit: t.Callable[[str], t.Mapping[str, str]] = client_host.unit
    journal: t.Callable[[str, str], t.Sequence[str]] = client_host.journal

    def wait(self) -> float:
        """Seconds until k3s told systemd that it is up."""
        begun = self.clock.now()
        hopeless_since: float | None = None
        while True:
            seen = self.unit(self.name)
            if seen["ActiveState"] == "active" and seen["InvocationID"] != self.invocation:
                return self.clock.now() - begun
            diagnosis = k3s_journal.diagnose(self.journal(self.name, self.cursor), self.secrets)
            hopeless = diagnosis is not None and diagnosis.final
            hopeless_since = (hopeless_since or self.clock.now()) if hopeless else None
            if diagnosis and hopeless_since is not None and self.clock.now() - hopeless_since >= PATIENCE:
                raise MeshwrightError(
                    f"the service {self.name}", seen=f"not up: {diagnosis.seen}", wanted="active",
                    remedy=diagnosis.remedy,
                )
            if self.clock.now() - begun > self.timeout:
                raise self._late(seen, diagnosis)
            self.clock.sleep(0.5 if self.clock.now() - begun < 10 else 1.0)

    def _late(self, seen: t.Mapping[str, str], diagnosis: k3s_journal.Diagnosis | None) -> TimedOut:
        said = diagnosis.seen if diagnosis else k3s_journal.last_words(
            self.journal(self.name, self.cursor), self.secrets
        )
        look = f"see `journalctl -u {self.name}` on the host"
        if seen["ActiveState"] == "activating":
            look += "; if it only needs longer (it imports the archives of images first), raise k3s_start_timeout"
        return TimedOut(
            f"the service {self.name}", seen=f"{seen['ActiveState']} ({seen['SubState']}); {said}",
            wanted=f"active within {self.timeout:.0f} s", remedy=diagnosis.remedy if diagnosis else look,
        )  # fmt: skip
