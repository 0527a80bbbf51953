# SPDX-License-Identifier: GPL-3.0-or-later
"""The host itself: its files and its systemd. Runs on the hosts with what Python 3.9 brings along."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

_SHOWN = (
    "LoadState", "ActiveState", "SubState", "MainPID", "NRestarts", "FragmentPath", "NeedDaemonReload",
    "UnitFileState", "Result", "InvocationID",
)  # fmt: skip


def text_of(path: str) -> str | None:
    """A file's text, or None if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None


def sha256_of(path: str) -> str:
    """The sum of a file, empty if there is none."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as handle:
            for block in iter(lambda: handle.read(1 << 20), b""):
                digest.update(block)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return digest.hexdigest()


def stamp_of(path: str) -> str:
    """Inode, time and size: a file that was replaced has another. As `stat -L -c '%i %Y %s'` prints it."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_ino} {int(found.st_mtime)} {found.st_size}"


def write_file(path: str, text: str, mode: int = 0o600) -> None:
    """All of the file or nothing of it: written beside its place, flushed to the disk, then renamed."""
    target = Path(path)
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=str(target.parent), prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                os.fchmod(handle, mode)
                file.write(text)
                file.flush()
                os.fsync(handle)
            Path(scratch).replace(target)
        except BaseException:
            Path(scratch).unlink()
            raise
    except OSError as error:
        raise MeshwrightError(
            f"the file {path}", seen=f"not written ({error.strerror})", wanted="room and the right to write",
            remedy=f"free some space below {target.parent}, then run again; the old file is untouched",
        ) from error


def remove_file(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def run(*argv: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)


def unit(name: str) -> dict[str, str]:
    """What systemd says of a unit; LoadState is not-found for one that is not there."""
    shown = run("systemctl", "show", name, *(f"--property={prop}" for prop in _SHOWN)).stdout
    pairs = (line.partition("=") for line in shown.splitlines())
    return {**dict.fromkeys(_SHOWN, ""), **{key: value for key, _sign, value in pairs}}


def systemctl(*arguments: str) -> None:
    done = run("systemctl", *arguments)
    if done.returncode != 0:
        raise MeshwrightError(
            f"`systemctl {' '.join(arguments)}`", seen=f"failed ({(done.stderr or done.stdout).strip()[-300:]})",
            wanted="done", remedy="see `journalctl -xe` on the host",
        )


def journal_cursor(name: str) -> str:
    """Where the journal of a unit ends now; what comes later is asked for with it."""
    shown = run("journalctl", "--unit", name, "--lines=1", "--show-cursor", "--no-pager", "--quiet", "--output=cat")
    return next((line[11:] for line in shown.stdout.splitlines() if line.startswith("-- cursor: ")), "")


def journal(name: str, cursor: str, lines: int = 400) -> list[str]:
    """The last lines that a unit wrote after a cursor."""
    since = (f"--after-cursor={cursor}",) if cursor else ()
    shown = run("journalctl", "--unit", name, *since, f"--lines={lines}", "--no-pager", "--quiet", "--output=cat")
    return shown.stdout.splitlines()


def addresses() -> list[str]:
    """The host's own addresses, those of loopback and of pods' links left out."""
    found = []
    for line in run("ip", "-o", "address", "show", "scope", "global").stdout.splitlines():
        words: t.Sequence[str] = line.split()
        if len(words) > 3 and not words[1].startswith(("cilium", "lxc", "cni", "flannel", "kube-")):
            found.append(words[3].split("/")[0])
    return found
