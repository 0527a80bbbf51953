"""New connections from the client, at a steady rate, while a test does something to the cluster or its routers."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from meshlab import podman
from meshlab.errors import LabError
from meshlab.host import Host

PROGRAM = Path(__file__).with_name("prober.py")
REMOTE = "/run/meshlab-prober.py"


@dataclass(frozen=True)
class Attempt:
    """One connection: seconds from the probe's begin to its own, and how long it took; no error means success."""

    sent: float
    seconds: float
    error: str
    answer: str


@dataclass(frozen=True)
class Seen:
    """What a probe saw, in the order in which the connections were begun."""

    attempts: tuple[Attempt, ...]

    @property
    def failed(self) -> tuple[Attempt, ...]:
        return tuple(attempt for attempt in self.attempts if attempt.error)

    @property
    def longest_gap(self) -> float:
        """The longest time, in seconds, from a connection that failed to the next that did not; 0 without failures."""
        longest, since = 0.0, None
        for attempt in self.attempts:
            if attempt.error and since is None:
                since = attempt.sent
            if since is not None:
                longest = max(longest, attempt.sent - since)
            if not attempt.error:
                since = None
        return longest

    @property
    def slowest(self) -> float:
        return max((attempt.seconds for attempt in self.attempts if not attempt.error), default=0.0)

    @property
    def answers(self) -> Counter[str]:
        """How often each answer came."""
        return Counter(attempt.answer for attempt in self.attempts if not attempt.error)

    def __str__(self) -> str:
        errors = Counter(attempt.error for attempt in self.failed)
        why = "".join(f", {count}x {error}" for error, count in errors.most_common(3))
        return (
            f"{len(self.failed)} of {len(self.attempts)} failed, longest gap {self.longest_gap:.2f} s, "
            f"slowest {self.slowest:.2f} s{why}"
        )


def parse(lines: Sequence[str]) -> Seen:
    attempts = [Attempt(**json.loads(line)) for line in lines if line.strip()]
    return Seen(tuple(sorted(attempts, key=lambda attempt: attempt.sent)))


class Probe:
    """`with Probe(client, address, 80, path="/hostname") as probe: …`, then `probe.seen`.

    It ends with the block, or after `seconds`, whichever comes first.
    """

    def __init__(
        self, client: Host, address: str, port: int, *, path: str = "", rate: float = 20, seconds: float = 600,
        timeout: float = 3,
    ) -> None:  # fmt: skip
        self.client, self.timeout = client, timeout
        self.words = [address, str(port), "--rate", str(rate), "--seconds", str(seconds), "--timeout", str(timeout)]
        self.words += ["--path", path] if path else []
        self.seen = Seen(())
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Probe:
        self.client.put(PROGRAM, REMOTE)
        command = ["podman", "exec", "--interactive", self.client.name, "python3", REMOTE, *self.words]
        # Files, not pipes: nobody reads while the test is at work, and a full pipe would stop the probe.
        self._output, self._errors = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._output, stderr=self._errors, env=podman.environment()
        )
        return self

    def wait(self, seconds: float) -> None:
        """Wait until the probe has ended by itself."""
        assert self._process is not None
        self._process.wait(seconds)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.communicate(timeout=self.timeout + 30)  # which ends its standard input
        with self._output, self._errors:
            self._output.seek(0)
            self._errors.seek(0)
            self.seen, errors = parse(self._output.readlines()), self._errors.read().strip()
        if self._process.returncode and kind is None:
            raise LabError(f"{self.client.name}: {shlex.join(self.words)}: the probe failed: {errors}")


def probe(client: Host, address: str, port: int, *, path: str = "", rate: float = 20, seconds: float = 10) -> Seen:
    """Probe for some seconds, and wait for it."""
    with Probe(client, address, port, path=path, rate=rate, seconds=seconds) as running:
        running.wait(seconds + 60)
    return running.seen
