from __future__ import annotations

from collections.abc import Iterator

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import TimedOut, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import wait_until


def test_returns_what_was_wanted() -> None:
    values = iter([1, 2, 3])
    clock = Turned()
    assert wait_until(lambda: next(values), lambda n: n == 3, thing="n", wanted="3", clock=clock) == 3
    assert clock.time == 2


def test_says_what_was_seen_last() -> None:
    clock = Turned()
    with pytest.raises(TimedOut, match=r"the count is 7 of 9, wanted 9 within 5 s: look"):
        wait_until(
            lambda: 7, lambda n: n == 9, thing="the count", wanted="9", describe=lambda n: f"{n} of 9",
            remedy="look", timeout=5, clock=clock,
        )
    assert clock.time <= 5


def test_unreachable_is_tried_again() -> None:
    def looks() -> Iterator[int]:
        yield 0
        yield 1

    values = looks()

    def look() -> int:
        if next(values) == 0:
            raise Unreachable("the API", seen="away")
        return 5

    assert wait_until(look, lambda _n: True, thing="n", wanted="5", clock=Turned()) == 5


def test_unreachable_to_the_end() -> None:
    def look() -> int:
        raise Unreachable("the API", seen="away")

    with pytest.raises(TimedOut, match="the API is away"):
        wait_until(look, lambda _n: True, thing="n", wanted="5", clock=Turned(), timeout=3)
