"""A cache of built directories, keyed by what goes into each of them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Log = Callable[[str], None]
HEARTBEAT_SECONDS = 30.0


def cache_dir() -> Path:
    """The project's directory below the user's cache directory."""
    own = os.environ.get("MESHWRIGHT_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "meshwright-k3s-cilium"


def artifacts_dir() -> Path:
    return cache_dir() / "artifacts"


def say(line: str) -> None:
    """The default log: standard error, as standard output may carry JSON."""
    print(line, file=sys.stderr, flush=True)


def key_of(inputs: Sequence[str | Path]) -> str:
    """A short hash: a string counts as itself, a path as the names and contents of what is there."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            _feed(digest, "text", item.encode())
            continue
        if not item.exists():
            raise FileNotFoundError(f"{item}: named as an input of an artifact, but it does not exist")
        for file in _files(item):
            _feed(digest, str(file.relative_to(item)), file.read_bytes())
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _feed(digest: hashlib._Hash, name: str, content: bytes) -> None:
    digest.update(f"{name}\0{len(content)}\0".encode())
    digest.update(content)


def artifact_path(name: str, key_inputs: Sequence[str | Path]) -> Path:
    """Where the artifact is, or will be once it is built."""
    return artifacts_dir() / f"{name}-{key_of(key_inputs)}"


def cached(
    name: str,
    key_inputs: Sequence[str | Path],
    build: Callable[[Path], None],
    log: Log = say,
) -> Path:
    """Return the artifact's directory; build it first if no finished one has this key.

    `build` fills a temporary directory that becomes the artifact by one rename, so a killed build leaves nothing that
    looks finished. A lock per name keeps two processes from building the same thing; the second finds it finished.
    """
    target = artifact_path(name, key_inputs)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / f".{name}.lock", name, log):
        if target.is_dir():
            return target
        scratch = target.parent / f".{target.name}.building"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        with _progress(name, log):
            build(scratch)
        scratch.rename(target)
    return target


@contextlib.contextmanager
def _locked(path: Path, name: str, log: Log) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"[{name}] another process builds it, waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _progress(name: str, log: Log) -> Iterator[None]:
    """Say that the work began, that it goes on, and how long it took."""
    begin = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            log(f"[{name}] building … {time.monotonic() - begin:.0f} s")

    log(f"[{name}] building")
    ticker = threading.Thread(target=beat, daemon=True)
    ticker.start()
    outcome = "failed"
    try:
        yield
        outcome = "built"
    finally:
        done.set()
        ticker.join()
        log(f"[{name}] {outcome} after {time.monotonic() - begin:.0f} s")
