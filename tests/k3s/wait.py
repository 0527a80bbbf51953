"""Waiting for something to be seen, never for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Unavailable(Exception):
    """A question got no answer; while waiting this counts as something seen."""


def until(what: str, look: Callable[[], T], enough: Callable[[T], object], timeout: float, interval: float = 0.5) -> T:
    """Look until it is enough; after `timeout` seconds fail, saying what was last seen."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = look()
            if enough(value):
                return value
            seen = repr(value)
        except Unavailable as error:
            seen = str(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout:.0f} s; last seen: {seen}")
        time.sleep(interval)


def throughout(what: str, look: Callable[[], T], right: Callable[[T], object], seconds: float) -> None:
    """Look for some seconds, and fail at the first look that is not right."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = look()
        assert right(value), f"{what}: not right; seen: {value!r}"
        time.sleep(1)
