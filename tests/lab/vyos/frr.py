# SPDX-License-Identifier: GPL-3.0-or-later
"""The real FRR of the host, behind a small interface so that tests can do without."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

CONFIG = Path("/etc/frr/frr.conf")
RELOAD = "/usr/lib/frr/frr-reload.py"
READY_SECONDS = 60.0
# frr-reload.py 8.4 enters what it adds a second time, and this is what bgpd says to settings that are there already.
TWICE = "% The Graceful Restart command used is not valid at this moment."


class FrrError(Exception):
    """FRR did not take a configuration."""


class Sink(t.Protocol):
    def apply(self, text: str) -> None: ...

    def show(self, words: t.Sequence[str]) -> str: ...


class Frr:
    def __init__(self, config: Path = CONFIG) -> None:
        self.config = config
        self._whole = True  # whether FRR has all of what the file says

    def wait(self) -> None:
        """Until the daemons answer; they start beside this program."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            asked = subprocess.run(["vtysh", "-c", "show bgp summary"], capture_output=True, text=True, check=False)
            if asked.returncode == 0 and "not running" not in asked.stdout + asked.stderr:
                return
            time.sleep(0.5)
        raise FrrError(f"FRR did not answer within {READY_SECONDS:.0f} s")

    def apply(self, text: str) -> None:
        """Only what differs reaches the daemons, so that sessions which it does not concern stay."""
        if self._whole and self.config.exists() and self.config.read_text() == text:
            return
        self._whole = False
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o640)
        if self.config.exists():
            owner = self.config.stat()
            os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.replace(self.config)
        command = ["python3", RELOAD, "--reload", "--stdout", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        said = done.stdout.splitlines() + done.stderr.splitlines()
        refused = [line for line in said if "ERROR" in line or line.startswith("% ")]
        wrong = list(dict.fromkeys(line for line in refused if line != TWICE))
        if wrong or (done.returncode and not refused):
            raise FrrError("\n".join(wrong) or done.stderr.strip() or f"frr-reload.py ended with {done.returncode}")
        self._whole = True

    def show(self, words: t.Sequence[str]) -> str:
        asked = subprocess.run(["vtysh", "-c", " ".join(["show", *words])], capture_output=True, text=True, timeout=60,
                               check=False)
        return asked.stdout if asked.returncode == 0 else asked.stdout + asked.stderr
