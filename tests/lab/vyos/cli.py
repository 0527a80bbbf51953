# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of one login: operational mode and configuration mode, a line in, a reply out."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass

from vyos import schema, show
from vyos.device import Device, DeviceError, Session
from vyos.tree import Path

MINUTES = 10  # of a commit-confirm without a number
MODIFIED = "Cannot exit: configuration modified.\nUse 'exit discard' to discard the changes and exit.\n"


@dataclass(frozen=True)
class Reply:
    output: str
    prompt: str
    bye: bool = False


class Cli:
    def __init__(self, device: Device, user: str = "vyos") -> None:
        self.device, self.user = device, user
        self.session: Session | None = None
        self.level: Path = ()
        self.question: tuple[str, t.Callable[[], str]] | None = None

    @property
    def prompt(self) -> str:
        if self.question:
            return self.question[0]
        host = self.device.active.value("system", "host-name") or "vyos"
        if self.session is None:
            return f"{self.user}@{host}:~$ "
        return f"[edit{''.join(f' {part}' for part in self.level)}]\n{self.user}@{host}# "

    def line(self, line: str) -> Reply:
        """What is typed, up to the end of the line."""
        if self.question:
            action, self.question = self.question[1], None
            output = action() if line.strip().lower() in ("", "y", "yes") else "Canceled\n"
            return Reply(output, self.prompt)
        command, *filters = line.split(" | ")
        try:
            words = shlex.split(command)
        except ValueError as error:
            return Reply(f"\n  {error}\n\n", self.prompt)
        if not words:
            return Reply("", self.prompt)
        if self.session is None and words[0] in ("exit", "logout"):
            return Reply("logout\n", "", bye=True)
        try:
            output = self._configuration(words, filters) if self.session else self._operational(words)
        except DeviceError as error:
            output = _indented(str(error))
        except show.InvalidCommand as error:
            output = str(error)
        for part in filters:
            output = _filtered(output, part.split())
        return Reply(output, self.prompt)

    # -- operational mode

    def _operational(self, words: list[str]) -> str:
        if words[0] == "configure":
            self.session, self.level = Session(self.device), ()
            return ""
        if words[0] == "show":
            return show.show(self.device, words[1:])
        if words[:2] == ["set", "terminal"]:
            return ""
        return f"\n  Invalid command: [{' '.join(words)}]\n\n"

    # -- configuration mode

    def _configuration(self, words: list[str], filters: list[str]) -> str:
        assert self.session is not None
        self.session.refresh()
        commands: dict[str, t.Callable[[Session, list[str]], str]] = {
            "set": lambda session, rest: _indented(session.set((*self.level, *rest))),
            "delete": lambda session, rest: _indented(session.delete((*self.level, *rest))),
            "comment": lambda session, rest: session.comment((*self.level, *rest[:-1]), rest[-1]),
            "edit": self._edit, "up": self._up, "top": self._top, "show": self._show, "commit": self._commit,
            "commit-confirm": self._commit_confirm, "confirm": lambda session, rest: self.device.confirm() + "\n",
            "save": self._save, "load": self._load, "rollback": self._rollback,
            "compare": lambda session, rest: session.compare(), "discard": self._discard, "exit": self._exit,
            "run": lambda session, rest: self._operational(rest),
        }
        if words[0] not in commands:
            return f"\n  Invalid command: [{' '.join(words)}]\n\n"
        if words[0] == "show" and filters[:1] == ["commands"]:
            filters.clear()
            return "\n".join(self.session.working.commands()) + "\n"
        return commands[words[0]](self.session, words[1:])

    def _edit(self, session: Session, rest: list[str]) -> str:
        try:
            place = schema.resolve(self.device.spec, (*self.level, *rest))
        except schema.PathError as error:
            return _indented(f"{error}\n")
        if place.kind not in (schema.NODE, schema.TAG_VALUE):
            return '  The "edit" command cannot be issued at the specified level\n'
        self.level = (*self.level, *rest)
        return ""

    def _up(self, session: Session, rest: list[str]) -> str:
        if not self.level:
            return "  Already at the top level\n"
        tag = schema.resolve(self.device.spec, self.level).kind == schema.TAG_VALUE
        self.level = self.level[: -2 if tag else -1]
        return ""

    def _top(self, session: Session, rest: list[str]) -> str:
        self.level = ()
        return ""

    def _show(self, session: Session, rest: list[str]) -> str:
        path = (*self.level, *rest)
        try:
            schema.resolve(self.device.spec, path)
        except schema.PathError:
            return "Specified configuration path is not valid\n"
        if not session.working.exists(path) or session.working.at(path) == {}:
            return "Configuration under specified path is empty\n"
        return "".join(f" {line}\n" for line in session.working.text(path).splitlines())

    def _commit(self, session: Session, rest: list[str]) -> str:
        if not session.changed:
            return "  No configuration changes to commit\n"
        comment = rest[1] if rest[:1] == ["comment"] and len(rest) > 1 else ""
        return self._committed(session, comment)

    def _committed(self, session: Session, comment: str = "") -> str:
        try:
            return self.device.commit(session, self.user, "cli", comment)
        except DeviceError as error:  # commits speak without indentation
            return str(error)

    def _commit_confirm(self, session: Session, rest: list[str]) -> str:
        if not session.changed:
            return "  No configuration changes to commit\n"
        minutes = int(rest[0]) if rest and rest[0].isdigit() else MINUTES
        action = self.device.confirm_action
        unsaved = "\nYou should save previous commits before commit-confirm !\n" if self.device.unsaved else ""

        def go() -> str:
            try:
                said = self.device.arm(minutes)
            except DeviceError as error:
                return f"{error}\n"
            return f"{said}\n{self._committed(session)}"

        said = f"\ncommit-confirm will automatically {action} in {minutes} minutes unless changes\nare confirmed.\n\n"
        self.question = ("Proceed? [confirm][y] " if self.device.version == "1.3" else "Proceed ? [Y/n] ", go)
        return unsaved + said

    def _save(self, session: Session, rest: list[str]) -> str:
        warning = "Warning: you have uncommitted changes that will not be saved.\n\n" if session.changed else ""
        return warning + self.device.save(rest[0] if rest else "/config/config.boot")

    def _load(self, session: Session, rest: list[str]) -> str:
        name = rest[0] if rest else "/config/config.boot"
        session.load(name)
        return f"Loading configuration from '{name}'\nLoad complete. Use 'commit' to make changes effective.\n"

    def _rollback(self, session: Session, rest: list[str]) -> str:
        """The real one reboots into the revision; here it is loaded."""
        number = int(rest[0]) if rest and rest[0].isdigit() else -1
        if not 0 <= number < len(self.device.revisions):
            return f"Invalid revision number {rest[0] if rest else ''}\n"

        def go() -> str:
            revision = self.device.revisions[number]
            path = self.device.state / "config.boot-rollback"
            path.write_text(revision.text)
            self.device.replace(self.device.read(str(path)), "rollback")
            self.device.save()
            session.reset()
            return ""

        self.question = ("Proceed with reboot ? [Y/n] ", go)
        return ""

    def _discard(self, session: Session, rest: list[str]) -> str:
        changed = session.changed
        session.reset()
        return "  Changes have been discarded\n" if changed else "  No changes have been discarded\n"

    def _exit(self, session: Session, rest: list[str]) -> str:
        if self.level and not rest:
            self.level = ()
            return ""
        if session.changed and rest != ["discard"]:
            return MODIFIED
        self.session, self.level = None, ()
        return "exit\n"


def _indented(text: str) -> str:
    """As the shell shows what a command says: moved in, with air below."""
    return "".join(f"  {line}\n" for line in text.splitlines()) + ("\n" if text else "")


def _filtered(output: str, words: list[str]) -> str:
    """What stands behind a `|`: a search, or one of those that only keep the pager away."""
    if not words or words[0] not in ("match", "grep", "no-match"):
        return output
    wanted = words[0] != "no-match"
    kept = [line for line in output.splitlines(keepends=True) if bool(re.search(words[-1], line)) is wanted]
    return "".join(kept)
