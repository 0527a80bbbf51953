"""Runs a playbook as a person would, and reads what it printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TASK = re.compile(r"^TASK \[(?:.* : )?(.*?)\]")
Lines = list[tuple[float, str]]


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
    tasks: tuple[tuple[str, float], ...] = ()  # in their order, each with the seconds until the next one began

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
    at: Mapping[str, Callable[[], object]] | None = None,
    timeout: float = 900,
    cwd: Path = ROOT,
) -> Run:
    """Run a playbook; with kill_at, kill the whole controller with SIGKILL once a line of its output matches.

    `at` has what else is to be done, once each, at the first line that matches. The controller stands still meanwhile.
    """
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
    lines = _follow(process, re.compile(kill_at) if kill_at else None, dict(at or {}), started + timeout)
    text = _ANSI.sub("", "".join(line for _when, line in lines))
    return Run(process.wait(), text, time.monotonic() - started, _tasks(lines, time.monotonic()))


def _tasks(lines: Lines, end: float) -> tuple[tuple[str, float], ...]:
    begun = [(when, match[1]) for when, line in lines if (match := _TASK.match(line))]
    ends = [when for when, _name in begun[1:]] + [end]
    return tuple((name, after - when) for (when, name), after in zip(begun, ends, strict=True))


def _follow(
    process: subprocess.Popen[str], kill_at: re.Pattern[str] | None, at: dict[str, Callable[[], object]],
    deadline: float,
) -> Lines:  # fmt: skip
    lines: Lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append((time.monotonic(), line))
        for pattern in [pattern for pattern in at if re.search(pattern, line)]:
            os.kill(process.pid, signal.SIGSTOP)
            try:
                at.pop(pattern)()
            finally:
                os.kill(process.pid, signal.SIGCONT)
        late = time.monotonic() > deadline
        if late or (kill_at and kill_at.search(line)):
            # The session's own group: nothing but this controller and its workers.
            os.killpg(process.pid, signal.SIGKILL)
            if late:
                lines.append((time.monotonic(), "\nkilled by the test: the time-out is over\n"))
            break
    return lines
