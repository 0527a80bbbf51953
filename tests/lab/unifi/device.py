"""The gateway behind the application: what is stored goes into its FRR, unread, some time after the answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

# In one go; but it only adds, so it is for an FRR that has no BGP yet.
LOAD = ["vtysh", "-b"]
RELOAD = ["/usr/lib/frr/frr-reload.py", "--reload"]
RESTART = ["systemctl", "restart", "frr"]


class Device:
    """`base` is what FRR has without BGP. `how` is reload or restart; a reload that fails becomes a restart."""

    def __init__(self, base: Path, target: Path, how: str = "reload") -> None:
        self._base, self._target, self._how = base, target, how
        self._wanted: dict[str, Any] | None = None
        self._due = threading.Event()

    def provision(self, stored: dict[str, Any] | None) -> None:
        """Returns at once. Of several, the last one counts."""
        self._wanted = stored
        self._due.set()

    def start(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def text(self, stored: dict[str, Any] | None) -> str:
        base = _text_of(self._base)
        if stored is None or not stored["enabled"]:
            return base
        text = str(stored["frr_bgpd_config"])
        return base + text + ("" if text.endswith("\n") else "\n")

    def _work(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            try:
                self._put(self.text(self._wanted))
            except OSError as error:
                print(f"the file was not put into FRR: {error}", file=sys.stderr, flush=True)

    def has(self, stored: dict[str, Any] | None) -> bool:
        return _text_of(self._target) == self.text(stored)

    def _put(self, text: str) -> None:
        nothing_yet = _text_of(self._target) == _text_of(self._base)
        scratch = self._target.with_name(f".{self._target.name}")
        scratch.touch(mode=0o640)
        scratch.write_text(text)
        if os.geteuid() == 0:
            shutil.chown(scratch, "frr", "frr")
        scratch.replace(self._target)
        if self._how == "restart" or not _ran(LOAD if nothing_yet else [*RELOAD, str(self._target)]):
            _ran(RESTART)


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _ran(command: list[str]) -> bool:
    """What it says goes to the journal, which a person looks at; there are passwords in it, as on a real gateway."""
    rc = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    print(f"{command[0]}: {rc}", file=sys.stderr, flush=True)
    return rc == 0
