# SPDX-License-Identifier: GPL-3.0-or-later
"""The router: its running and saved configuration, commits, revisions, and the commit that must be confirmed."""

from __future__ import annotations

import json
import os
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from vyos import render, schema, tree, verify
from vyos.faults import Faults
from vyos.frr import FrrError, Sink
from vyos.tree import Config

RELEASES = {"1.3": ("1.3.8", "equuleus"), "1.4": ("1.4.2", "sagitta"), "1.5": ("1.5-rolling-202509010000", "current")}
REVISIONS = 20


class DeviceError(Exception):
    """An operation failed; the text is the device's."""


@dataclass(frozen=True)
class Revision:
    at: float
    user: str
    via: str
    comment: str
    text: str


class Device:
    """One lock for all that changes it, as the real one's API has."""

    def __init__(self, version: str, state: Path, sink: Sink, clock: t.Callable[[], float] = time.time) -> None:
        self.version, self.state, self.sink, self.clock = version, state, sink, clock
        self.spec = schema.root(version)
        self.faults = Faults(state / "faults.json")
        self.lock = threading.RLock()
        self.active = Config(self.spec)
        self.revisions: list[Revision] = []
        self._timer: threading.Timer | None = None
        state.mkdir(parents=True, exist_ok=True)

    # -- files

    @property
    def boot_file(self) -> Path:
        return self.state / "config.boot"

    def file(self, name: str) -> Path:
        """Files of /config are kept with the state."""
        return self.state / Path(name).name if name.startswith("/config/") else Path(name)

    def _write(self, path: Path, text: str) -> None:
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(path)

    def boot_text(self, config: Config) -> str:
        release = RELEASES[self.version][0]
        foot = ("Warning: Do not remove the following line.", 'vyos-config-version: "bgp@5:policy@8"',
                f"Release version: {release}")
        return config.text() + "\n" + "".join(f"// {line}\n" for line in foot)

    def start(self, initial: t.Callable[[], Config], booted: bool) -> None:
        """A boot begins with what was saved; after a restart of this program the running configuration goes on."""
        with self.lock:
            if not self.boot_file.exists():
                self._write(self.boot_file, self.boot_text(initial()))
            running = self.state / "active.boot"
            source = self.boot_file if booted or not running.exists() else running
            self.active = tree.parse(self.spec, source.read_text())
            if booted:
                self._pending_file.unlink(missing_ok=True)
            self._enact()
            self._record("root", "init" if booted else "restart", "")
            self._rearm()

    def _enact(self) -> None:
        self._write(self.state / "active.boot", self.boot_text(self.active))
        self.sink.apply(render.frr(self.active, self.version))

    # -- commits

    def commit(self, session: Session, user: str = "vyos", via: str = "cli", comment: str = "",
               log: bool = True) -> str:
        """The text of warnings. A component that refuses does not keep the others from landing."""
        with self.lock:
            refused = self.faults.get("refuse_commit")
            if refused:
                raise DeviceError(f"[ protocols bgp ]\n{refused}\n\n[[protocols bgp]] failed\nCommit failed\n")
            wanted = tree.rebase(self.active, session.base, session.working)
            landed, output, failed = self._components(wanted)
            if landed != self.active:
                self.active = landed
                try:
                    self._enact()
                except FrrError as error:
                    output += self._failure(("protocols", "bgp"), str(error))
                    failed = True
                if log:
                    self._record(user, via, comment)
            if failed:
                session.base = self.active.copy()
                session.working = wanted
                raise DeviceError(output + "Commit failed\n")
            session.reset()
            if self.faults.once("die_after_commit"):
                os._exit(1)
            return output

    def _components(self, wanted: Config) -> tuple[Config, str, bool]:
        landed, output, failed = wanted.copy(), "", False
        for component in verify.components():
            if _part(wanted, component.path) == _part(self.active, component.path):
                continue
            try:
                if self.faults.get("fail_component") == component.path[-1]:
                    raise verify.CommitError("An unexpected error occurred")
                for warning in component.verify(wanted, self.version):
                    output += f"[ {self._label(component.path)} ]\n\nWARNING: {warning}\n\n"
            except verify.CommitError as error:
                output += self._failure(component.path, str(error))
                landed.graft(component.path, self.active)
                failed = True
        return landed, output, failed

    def _label(self, path: tree.Path) -> str:
        at = verify.instance(self.active)[1] if path == ("protocols", "bgp") else path
        return " ".join(at)

    def _failure(self, path: tree.Path, text: str) -> str:
        return f"[ {self._label(path)} ]\n{text}\n\n[[{self._label(path)}]] failed\n"

    def _record(self, user: str, via: str, comment: str) -> None:
        self.revisions.insert(0, Revision(self.clock(), user, via, comment, self.boot_text(self.active)))
        del self.revisions[REVISIONS:]

    def save(self, name: str = "/config/config.boot") -> str:
        with self.lock:
            self._write(self.file(name), self.boot_text(self.active))
        return f"Saving configuration to '{name}'...\nDone\n"

    def read(self, name: str) -> Config:
        try:
            return tree.parse(self.spec, self.file(name).read_text())
        except OSError:
            raise DeviceError(f"Cannot open configuration file {name}\n") from None
        except schema.PathError as error:
            raise DeviceError(f"{error}\nFailed to parse specified config file\n") from None

    def replace(self, config: Config, via: str) -> None:
        """Without questions, as a boot does."""
        with self.lock:
            self.active = config.copy()
            self._enact()
            self._record("root", via, "")

    # -- a commit that must be confirmed

    @property
    def _pending_file(self) -> Path:
        return self.state / "commit-confirm.json"

    @property
    def pending(self) -> bool:
        return self._pending_file.exists()

    @property
    def confirm_action(self) -> str:
        """What happens when nobody confirms: `reload` puts the last configuration back, `reboot` the saved one."""
        return self.active.value("system", "config-management", "commit-confirm", "action") or "reboot"

    @property
    def unsaved(self) -> bool:
        return self.boot_file.read_text() != self.boot_text(self.active)

    def arm(self, minutes: float) -> str:
        """Start the clock. It runs from before the commit on, and whether or not that succeeds."""
        with self.lock:
            if self.pending:
                raise DeviceError("Another confirm is pending")
            action = self.confirm_action
            record = {"deadline": self.clock() + minutes * 60, "action": action, "former": self.boot_text(self.active)}
            self._write(self._pending_file, json.dumps(record))
            self._rearm()
            return f"Initialized commit-confirm; {minutes:g} minutes to confirm before {action}"

    def confirm(self) -> str:
        with self.lock:
            if not self.pending:
                return "No confirm pending"
            action = json.loads(self._pending_file.read_text())["action"]
            self._stop_timer()
            self._record("vyos", "commit-confirm", "")
            return "Reboot timer stopped" if action == "reboot" else "Reload timer stopped"

    def _stop_timer(self) -> None:
        self._pending_file.unlink(missing_ok=True)
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _rearm(self) -> None:
        """The deadline is on disk: it holds across a restart of this program."""
        if self.pending:
            left = json.loads(self._pending_file.read_text())["deadline"] - self.clock()
            self._timer = threading.Timer(max(0.0, left), self.revert)
            self._timer.daemon = True
            self._timer.start()

    def revert(self) -> None:
        """Nobody confirmed. The real one reboots for `reboot`; here the saved configuration is loaded."""
        with self.lock:
            if not self.pending:
                return
            record = json.loads(self._pending_file.read_text())
            text = record["former"] if record["action"] == "reload" else self.boot_file.read_text()
            self._stop_timer()
            self.replace(tree.parse(self.spec, text), "commit-confirm")

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()


class Session:
    """What one client is about to change."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.reset()

    def reset(self) -> None:
        self.base = self.device.active.copy()
        self.working = self.device.active.copy()

    def refresh(self) -> None:
        """A session without changes sees what others committed."""
        if not self.changed:
            self.reset()

    @property
    def changed(self) -> bool:
        return self.base != self.working

    def set(self, path: t.Sequence[str]) -> str:
        try:
            if self.working.set(path):
                return ""
        except schema.PathError as error:
            raise DeviceError(f"{error}\nSet failed\n") from None
        return f"Configuration path: [{' '.join(path)}] already exists\n"

    def delete(self, path: t.Sequence[str]) -> str:
        try:
            kind = schema.resolve(self.device.spec, path).kind
            if self.working.delete(path):
                return ""
        except schema.PathError as error:
            raise DeviceError(f"{error}\nDelete failed\n") from None
        return f"Nothing to delete (the specified {'value' if kind == schema.VALUE else 'node'} does not exist)\n"

    def comment(self, path: t.Sequence[str], text: str) -> str:
        try:
            self.working.comment(path, text)
        except schema.PathError as error:
            raise DeviceError(f"{error}\nComment failed\n") from None
        return ""

    def load(self, name: str) -> None:
        self.working = self.device.read(name)

    def compare(self) -> str:
        text = tree.difference(self.base, self.working)
        return text or "No changes between working and active configurations.\n"


def _part(config: Config, path: tree.Path) -> tuple[t.Any, dict[tree.Path, str]]:
    size = len(path)
    comments = {key: text for key, text in config.comments.items() if key[:size] == path}
    return (config.at(path) if config.exists(path) else None), comments
