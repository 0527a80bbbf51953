# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is spoken to with its own shell alone: no Python there, and nothing of what is said is shown."""

from __future__ import annotations

import contextlib
import shlex
import typing as t
from dataclasses import dataclass

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


class Shell(t.Protocol):
    """What the router's parts need of it."""

    def run(self, script: str, text: str = "") -> Said: ...


class RawHost:
    """Over the connection of an action's own host, or of the one that it is delegated to."""

    def __init__(self, action: t.Any) -> None:
        self._action = action

    def run(self, script: str, text: str = "") -> Said:
        """A script for sh; `text` is its standard input, the way for secrets. Something is always sent, so that no
        terminal is asked for, which would mix the answers and change their line ends."""
        command = f"/bin/sh -c {shlex.quote(script)}"
        with silent(self._action):
            try:
                answer = self._action._low_level_execute_command(command, in_data=(text or "\n").encode())
            except AnsibleConnectionFailure as error:
                raise Unreachable("the router", seen=f"not reached ({error.message})", wanted="a connection") from error
        return Said(int(answer["rc"]), str(answer["stdout"]), str(answer["stderr"]))


def must(shell: Shell, what: str, script: str, text: str = "", hide: t.Callable[[str], str] = str) -> str:
    """What the script says, or an error with what it complains of."""
    said = shell.run(script, text)
    if said.code:
        told = hide(" ".join((said.err or said.out).split())[-600:])
        raise MeshwrightError(what, seen=f"not done (ended with {said.code}: {told or 'no word'})")
    return said.out


@contextlib.contextmanager
def silent(action: t.Any) -> t.Iterator[None]:
    """The connection prints every answer at -vvv, unless its own context (a copy of the action's) says no_log."""
    contexts = [action._play_context, action._connection._play_context]
    before = [context.no_log for context in contexts]
    for context in contexts:
        context.no_log = True
    try:
        yield
    finally:
        for context, value in zip(contexts, before):
            context.no_log = value
