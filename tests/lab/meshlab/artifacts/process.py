"""Running the programs that build artifacts."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from meshlab.errors import LabError

TAIL = 4000


def run(
    command: Sequence[str | Path],
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    keep_errors_apart: bool = False,
) -> str:
    """Run it at low priority and return what it printed; its last lines are the message if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            ["nice", *words],
            cwd=directory,
            env={**os.environ, **(environment or {})},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if keep_errors_apart else subprocess.STDOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{words[0]}: cannot be started ({error})") from error
    if done.returncode == 0:
        return done.stdout
    said = (done.stdout + (done.stderr or ""))[-TAIL:].strip()
    where = f" in {directory}" if directory else ""
    raise LabError(f"{shlex.join(words)}{where}: ended with {done.returncode}\n{said}")
