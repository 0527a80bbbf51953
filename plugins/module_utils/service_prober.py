# SPDX-License-Identifier: GPL-3.0-or-later
"""Probers on a host: programs that go on when the task that started them has ended. Runs on the hosts, Python 3.9.

Each has its place: the host's own network, or that of a pod on it. What they saw is a file each, which is read in
pieces and removed afterwards. A prober that was killed, or lost its host, leaves a file without an end, and so tells.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

PIECE = 16 << 20  # bytes of a log that are read at once
_PROC = Path("/proc")
_START, _END = 20.0, 15.0  # seconds that a prober has to begin, beside its targets' own, and to end


@dataclass(frozen=True)
class Part:
    """One prober: `pod` is the UID of the pod from whose network it asks; empty: the host's."""

    name: str
    pod: str
    spec: t.Mapping[str, t.Any]

    @property
    def text(self) -> str:
        return json.dumps({**self.spec, "pod": self.pod}, sort_keys=True)

    @property
    def probes(self) -> tuple[str, ...]:
        return tuple(str(probe["name"]) for probe in self.spec["probes"])

    @property
    def settle(self) -> float:
        return max((float(probe.get("settle") or 0) + float(probe.get("timeout") or 3) for probe in
                    self.spec["probes"]), default=0.0)  # fmt: skip


class Probers:
    """Those of one name on this host."""

    def __init__(self, name: str, clock: Clock = CLOCK, proc: Path = _PROC) -> None:
        self.folder = _home() / name
        self._clock, self._proc = clock, proc

    def _file(self, part: str, kind: str) -> Path:
        return self.folder / f"{part}.{kind}"

    # -- starting

    def start(self, parts: t.Sequence[Part], program: str, check: bool = False) -> tuple[bool, list[dict[str, str]]]:
        """Whether any had to be started, and the ways that do not work. It returns when all of them have begun."""
        due = [part for part in parts if not self._runs_so(part)]
        if check or not due:
            return bool(due), []
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        (self.folder / "probe_service.py").write_text(program, encoding="utf-8")
        since = {part.name: self._spawn(part) for part in due}
        bad: list[dict[str, str]] = []
        for part in due:
            bad += self._begun(part, since[part.name])
        return True, bad

    def _runs_so(self, part: Part) -> bool:
        return self.pid(part.name) is not None and _text(self._file(part.name, "json")) == part.text

    def _spawn(self, part: Part) -> int:
        """Start it, and say where in its log it begins."""
        self._end([part.name])
        log, spec = self._file(part.name, "jsonl"), self._file(part.name, "json")
        if not self._goes_on(part):
            log.unlink(missing_ok=True)
        log.touch(mode=0o600)
        size = log.stat().st_size
        if size:  # whoever wrote it may have been cut off in the middle of a line
            with log.open("a", encoding="utf-8") as handle:
                handle.write("\n")
        spec.write_text(part.text, encoding="utf-8")
        command = [*self._enter(part), sys.executable, str(self.folder / "probe_service.py"), f"@{spec}", str(log)]
        with self._file(part.name, "err").open("wb") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        self._file(part.name, "pid").write_text(str(process.pid), encoding="utf-8")
        end = self._clock.now() + _START
        # The kernel has no command line yet of a program that begins just now.
        while self.pid(part.name) is None and process.poll() is None and self._clock.now() < end:
            self._clock.sleep(0.01)
        return size

    def _goes_on(self, part: Part) -> bool:
        """The same was asked before, not long ago: what is missing in between was not answered, so it counts."""
        log = self._file(part.name, "jsonl")
        if not log.exists() or _text(self._file(part.name, "json")) != part.text:
            return False
        return time.time() - log.stat().st_mtime < float(part.spec.get("seconds", 0))

    def _enter(self, part: Part) -> list[str]:
        if not part.pod:
            return []
        return ["nsenter", f"--net={network_of(part.pod, self._proc)}", "--"]

    def _begun(self, part: Part, since: int) -> list[dict[str, str]]:
        found: dict[str, dict[str, t.Any]] = {}

        def look() -> set[str]:
            for line in self._lines(part.name, since):
                event = _event(line)
                if event.get("event") in ("probe", "unsettled"):
                    found.setdefault(str(event.get("probe")), {}).update(event)
            begun = {name for name, event in found.items() if event.get("event") == "probe"}
            if begun < set(part.probes) and self.pid(part.name) is None:
                said = _text(self._file(part.name, "err")) or "not a word"
                raise MeshwrightError(f"the prober ({part.name})", seen=f"ended ({said[-300:]})", wanted="at work")
            return begun

        wait_until(
            look, lambda begun: begun >= set(part.probes), thing=f"the prober ({part.name})", wanted="begun everywhere",
            describe=lambda begun: f"without {', '.join(sorted(set(part.probes) - begun))}",
            timeout=part.settle + _START, interval=0.2, clock=self._clock,
        )  # fmt: skip
        return [
            {"probe": name, "error": str(event["error"])} for name, event in sorted(found.items()) if "error" in event
        ]

    def _lines(self, part: str, since: int = 0) -> t.Iterator[str]:
        try:
            with self._file(part, "jsonl").open(encoding="utf-8", errors="replace") as handle:
                handle.seek(since)
                yield from handle
        except FileNotFoundError:
            return

    # -- ending

    def stop(self, check: bool = False) -> tuple[bool, dict[str, int]]:
        """Whether any was at work, and the size of each one's log."""
        names = [path.stem for path in sorted(self.folder.glob("*.json"))]
        running = [name for name in names if self.pid(name) is not None]
        if not check:
            self._end(names)
            for name in names:
                self._own_up(name)
        sizes = {name: self._file(name, "jsonl") for name in names}
        return bool(running), {name: log.stat().st_size for name, log in sizes.items() if log.exists()}

    def _end(self, names: t.Sequence[str]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            living = [pid for pid in map(self.pid, names) if pid is not None]
            for pid in living:
                _kill(pid, number)
            end = self._clock.now() + _END
            while any(self.pid(name) is not None for name in names) and self._clock.now() < end:
                self._clock.sleep(0.1)

    def _own_up(self, name: str) -> None:
        """Ways that were to be tried and of which not a word was written: none of their requests was answered."""
        spec = _event(_text(self._file(name, "json")))
        heard = {str(_event(line).get("probe")) for line in self._lines(name) if '"event": "probe"' in line}
        begun = self._file(name, "json").stat().st_mtime
        with self._file(name, "jsonl").open("a", encoding="utf-8") as handle:
            for probe in spec.get("probes") or []:
                if probe["name"] not in heard:
                    told = {"event": "probe", "time": begun, "probe": probe["name"], "kind": probe["kind"]}
                    handle.write("\n" + json.dumps({**told, "interval": 1 / float(probe["rate"])}) + "\n")

    def read(self, part: str, offset: int) -> tuple[str, int]:
        """A piece of a log from there on, packed, and where the next one begins."""
        with self._file(part, "jsonl").open("rb") as handle:
            handle.seek(offset)
            piece = handle.read(PIECE)
        return base64.b64encode(gzip.compress(piece, 6)).decode(), offset + len(piece)

    def remove(self, check: bool = False) -> bool:
        if not self.folder.exists():
            return False
        if not check:
            self._end([path.stem for path in self.folder.glob("*.json")])
            shutil.rmtree(self.folder)
            with contextlib.suppress(OSError):  # others of another name are there
                self.folder.parent.rmdir()
        return True

    def pid(self, part: str) -> int | None:
        """Of the prober that is at work: another process may have its number by now."""
        number = _text(self._file(part, "pid"))
        if not number.isdigit():
            return None
        try:
            words = (self._proc / number / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return int(number) if f"@{self._file(part, 'json')}".encode() in words else None


def network_of(uid: str, proc: Path = _PROC) -> str:
    """The network of a pod: that of any of its processes, which are known by the groups that the kubelet put them in.

    The kubelet names a pod's group by its UID, with hyphens or, for systemd's driver, with underscores (Kubernetes:
    pkg/kubelet/cm/cgroup_manager_linux.go).
    """
    own = _network(proc, "self")
    for folder in sorted(proc.glob("[0-9]*")):
        groups = _text(folder / "cgroup").replace("_", "-")
        if f"pod{uid}" in groups and _network(proc, folder.name) not in ("", own):
            return str(folder / "ns" / "net")
    raise MeshwrightError(
        f"the pod with UID {uid}", seen="without a process in a network of its own on this host",
        wanted="the pod to ask from", remedy="see that the node's name and addresses are this host's",
    )


def _network(proc: Path, process: str) -> str:
    try:
        return str((proc / process / "ns" / "net").readlink())
    except OSError:
        return ""


def _home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/meshwright-probe")
    return Path("~/.cache/meshwright-probe").expanduser()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _event(line: str) -> dict[str, t.Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
