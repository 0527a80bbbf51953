"""Runs a playbook as a person would, and reads what it printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Recap:
    """The last line that a play printed for one host."""

    ok: int
    changed: int
    unreachable: int
    failed: int


@dataclass(frozen=True)
class Run:
    """One run of a playbook: its exit code (negative: the signal that ended it), output and duration in seconds."""

    returncode: int
    output: str
    seconds: float

    @property
    def recap(self) -> dict[str, Recap]:
        found = {}
        for host, counts in _RECAP.findall(self.output):
            numbers = {key: int(value) for key, value in (pair.split("=") for pair in counts.split())}
            found[host] = Recap(*(numbers[key] for key in ("ok", "changed", "unreachable", "failed")))
        return found

    @property
    def changed(self) -> dict[str, int]:
        return {host: recap.changed for host, recap in self.recap.items()}

    def succeeded(self) -> Run:
        """The run itself, or an AssertionError with the end of its output."""
        assert self.returncode == 0, f"exit {self.returncode} after {self.seconds:.0f} s\n{self.tail()}"
        return self

    def refused(self) -> Run:
        """The run itself if it ended with an error of its own (neither killed nor a success)."""
        assert self.returncode > 0, f"exit {self.returncode}, wanted an error\n{self.tail()}"
        return self

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.output.splitlines()[-lines:])


def run_playbook(
    inventory: str | Path,
    playbook: str = "site.yml",
    *args: str,
    env: Mapping[str, str] | None = None,
    kill_at: str | None = None,
    timeout: float = 900,
    cwd: Path = ROOT,
) -> Run:
    """Run a playbook; with kill_at, kill the whole controller with SIGKILL once a line of its output matches."""
    command: Sequence[str] = ("ansible-playbook", "-i", str(inventory), playbook, *args)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "PYTHONUNBUFFERED": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = _follow(process, re.compile(kill_at) if kill_at else None, started + timeout)
    return Run(process.wait(), _ANSI.sub("", "".join(lines)), time.monotonic() - started)


def _follow(process: subprocess.Popen[str], kill_at: re.Pattern[str] | None, deadline: float) -> list[str]:
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        late = time.monotonic() > deadline
        if late or (kill_at and kill_at.search(line)):
            # The session's own group: nothing but this controller and its workers.
            os.killpg(process.pid, signal.SIGKILL)
            if late:
                lines.append("\nkilled by the test: the time-out is over\n")
            break
    return lines
