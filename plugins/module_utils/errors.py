# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors that everything below a module's main() raises."""

from __future__ import annotations

import typing as t


class MeshwrightError(Exception):
    """What is wrong, where, and what to do about it; renders to one line.

    >>> str(MeshwrightError("k3s_version", host="server1", seen="1.34", wanted="vX.Y.Z+k3sN",
    ...                     remedy="write the release's full name"))
    'server1: k3s_version is 1.34, wanted vX.Y.Z+k3sN: write the release\\'s full name'
    """

    def __init__(self, thing: str, *, host: str = "", seen: str = "", wanted: str = "", remedy: str = "") -> None:
        self.thing = thing
        self.host = host
        self.seen = seen
        self.wanted = wanted
        self.remedy = remedy
        super().__init__(sentence(thing, host=host, seen=seen, wanted=wanted, remedy=remedy))

    def with_host(self, host: str) -> MeshwrightError:
        """The same error, told by somebody who knows on which host it happened."""
        if self.host:
            return self
        return type(self)(self.thing, host=host, seen=self.seen, wanted=self.wanted, remedy=self.remedy)

    def as_dict(self) -> dict[str, str]:
        return {
            "host": self.host,
            "thing": self.thing,
            "seen": self.seen,
            "wanted": self.wanted,
            "remedy": self.remedy,
        }

    def fail_args(self) -> dict[str, t.Any]:
        """Keyword arguments for fail_json, so that tests and callbacks read fields, not text."""
        return {"msg": str(self), "error": self.as_dict()}


class Unreachable(MeshwrightError):
    """The other side does not answer (yet): a wait may try again."""


class TimedOut(MeshwrightError):
    """A wait ended before what it waited for was seen; `seen` says what was there instead."""


def sentence(thing: str, *, host: str = "", seen: str = "", wanted: str = "", remedy: str = "") -> str:
    text = f"{host}: {thing}" if host else thing
    if seen:
        text += f" is {seen}"
    if wanted:
        text += f", wanted {wanted}"
    if remedy:
        text += f": {remedy}"
    # One line each, whatever was quoted from elsewhere.
    return " ".join(text.split())


def sentences(errors: t.Iterable[MeshwrightError]) -> str:
    """All of them at once, one line each: a user mends everything in one go."""
    return "\n".join(str(error) for error in errors)
