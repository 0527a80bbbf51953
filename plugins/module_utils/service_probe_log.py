# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probers of all hosts have seen, put together on the controller: a part for each host, then one file."""

from __future__ import annotations

import base64
import contextlib
import gzip
import shutil
import typing as t
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes, service_probe_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import Summary


class Part:
    """What one host has seen, while it is brought."""

    def __init__(self, handle: t.BinaryIO) -> None:
        self._handle = handle

    def add(self, piece: str) -> None:
        """A piece as service_prober reads it."""
        self._handle.write(gzip.decompress(base64.b64decode(piece)))

    def end(self) -> None:
        """Of one prober: whatever it was cut off in, the next one begins a line."""
        self._handle.write(b"\n")


class Parts:
    """A host's part is there as a whole or not at all, so that a run that was killed is simply made again."""

    def __init__(self, log: str) -> None:
        self.log = Path(log).expanduser()
        self._folder = self.log.with_name(f"{self.log.name}.parts")

    def _file(self, host: str) -> Path:
        return self._folder / f"{host.replace('/', '_')}.jsonl"

    def has(self, host: str) -> bool:
        return self._file(host).exists()

    def any(self) -> bool:
        return self._folder.exists()

    @contextlib.contextmanager
    def writing(self, host: str) -> t.Iterator[Part]:
        with _writable(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch = self._file(host).with_suffix(".new")
            scratch.touch(mode=0o600)
            with scratch.open("wb") as handle:
                yield Part(handle)
            scratch.replace(self._file(host))

    def gather(self) -> bool:
        """All parts into the one file. False when there are none: what is there stays."""
        if not self.any():
            return False
        with _writable(self.log):
            scratch = self.log.with_name(f".{self.log.name}.new")
            scratch.touch(mode=0o600)
            with scratch.open("wb") as target:
                for path in sorted(self._folder.glob("*.jsonl")):
                    with path.open("rb") as source:
                        shutil.copyfileobj(source, target)
            scratch.replace(self.log)
            shutil.rmtree(self._folder)
        return True


@contextlib.contextmanager
def _writable(path: Path) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MeshwrightError(
            f"the probes' log {path}", seen=f"not writable ({error.strerror})", remedy="give another path"
        ) from error


def judged(log: Path) -> dict[str, t.Any]:
    """What a task returns of it; `failed` would be the task itself."""
    if not log.exists():
        return {"results": [], "summary": [], "sent": 0, "lost": 0, "longest_gap": 0.0}
    with log.open(encoding="utf-8", errors="replace") as lines:
        probes = run_probes.read(lines)
    end = service_probe_plan.last_word(probes)
    total = service_probe_plan.promised(probes, end)
    return {
        "results": [_told(service_probe_plan.summary(probe.name, [probe], end)) for probe in probes],
        "summary": [str(one) for one in (*service_probe_plan.by_kind(probes, end), total)],
        "sent": total.sent, "lost": total.failed, "longest_gap": round(total.longest_gap, 3),
    }  # fmt: skip


def _told(one: Summary) -> dict[str, t.Any]:
    return {
        "name": one.name, "sent": one.sent, "lost": one.failed, "missing": one.missing,
        "longest_gap": round(one.longest_gap, 3), "slowest": round(one.slowest, 3), "errors": dict(one.errors),
    }  # fmt: skip
