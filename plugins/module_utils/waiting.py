# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a thing to be seen, with a clock that tests can turn."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import TimedOut, Unreachable

T = t.TypeVar("T")


class Clock:
    """The real one; a test hands in another with the same two methods."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


CLOCK = Clock()


def wait_until(
    look: t.Callable[[], T],
    done: t.Callable[[T], bool],
    *,
    thing: str,
    wanted: str,
    describe: t.Callable[[T], str] = str,
    remedy: str = "",
    timeout: float = 60.0,
    interval: float = 1.0,
    clock: Clock = CLOCK,
) -> T:
    """Look until it is as wanted; what was seen last is in the error. A look that meets Unreachable is repeated."""
    end = clock.now() + timeout
    while True:
        try:
            seen = look()
        except Unreachable as error:
            last = f"not to be seen ({error})"
        else:
            if done(seen):
                return seen
            last = describe(seen)
        if clock.now() + interval > end:
            raise TimedOut(thing, seen=last, wanted=f"{wanted} within {timeout:.0f} s", remedy=remedy)
        clock.sleep(interval)
