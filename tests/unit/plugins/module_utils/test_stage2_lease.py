"""One controller at a time: several of them, killed ones too, against one API server's Lease."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_lease import (
    DURATION,
    REFUSE,
    RENEW,
    TAKE,
    TAKE_OVER,
    WAIT,
    Holder,
    Seen,
    Watched,
    judge,
    read,
    written,
)


class Conflict(Exception):
    status = 409


class Api(Turned):
    """A server with a Lease, and the time. `meanwhile` is called whenever somebody sleeps."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version, self.away = 0, 0
        self.meanwhile = lambda: None
        self.before_write = lambda: None

    def turn(self) -> None:
        self.meanwhile()

    def get(self, *_args: Any) -> Any:
        if self.away:
            self.away -= 1
            raise Unreachable("the Kubernetes API", seen="not answering")
        return self.lease

    def create(self, wanted: Any) -> Any:
        self.before_write()
        if self.lease is not None:
            raise _conflict()
        return self._stored(wanted["spec"])

    def merge(self, _kind: str, _name: str, patch: Any, *_place: str) -> Any:
        self.before_write()
        assert self.lease is not None
        if patch["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise _conflict()
        merged = {**self.lease["spec"], **patch["spec"]}
        return self._stored({key: value for key, value in merged.items() if value is not None})

    def _stored(self, spec: Any) -> Any:
        self.version += 1
        self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        return self.lease

    def holder(self, me: str) -> Holder:
        return Holder(self, me, lambda: 1_800_000_000 + self.time, self)  # type: ignore[arg-type]


def _conflict() -> MeshwrightError:
    error = MeshwrightError("the answer", seen="409 Conflict")
    error.__cause__ = Conflict()
    return error


@pytest.mark.parametrize(
    ("seen", "waited", "verdict"),
    [
        (Seen(), 0, TAKE), (Seen("", "5", there=True), 0, TAKE), (Seen("me", "5", there=True), 0, RENEW),
        (Seen("other", "4", 30, there=True), 0, WAIT), (Seen("other", "4", 30, there=True), 30, WAIT),
        (Seen("other", "4", 30, there=True), 31, TAKE_OVER), (Seen("other", "5", 30, there=True), 31, REFUSE),
    ],
)  # fmt: skip
def test_what_may_be_done(seen: Seen, waited: float, verdict: str) -> None:
    first = Watched(Seen("other", "4", 30, there=True), 100.0)
    assert judge(first, seen, "me", 100.0 + waited) == verdict


def test_the_first_one_takes_it_and_gives_it_up() -> None:
    api = Api()
    assert api.holder("one").take() == TAKE
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", read(api.lease).renewed)
    assert api.holder("one").take() == RENEW, "another task of the same run"
    assert not api.holder("two").give_up() and api.holder("one").give_up()
    assert api.holder("two").take() == TAKE and read(api.lease).transitions == 1 and api.time == 0


def test_one_at_work_is_not_disturbed() -> None:
    api = Api()
    api.holder("one").take()
    api.meanwhile = lambda: api.holder("one").renew()
    with pytest.raises(MeshwrightError, match=r"held by one, which is at work .*wanted nobody else"):
        api.holder("two").take()
    assert read(api.lease).holder == "one" and api.time < DURATION


def test_a_dead_one_is_followed() -> None:
    api = Api()
    api.holder("one").take()
    assert api.holder("two").take() == TAKE_OVER
    assert DURATION < api.time < DURATION + 5 and read(api.lease).transitions == 1
    with pytest.raises(MeshwrightError, match="held by two, wanted one: another run took over"):
        api.holder("one").renew()


def test_of_two_that_are_equally_quick_one_gets_it() -> None:
    api = Api()

    def quicker() -> None:
        api.before_write = lambda: None
        api.holder("two").take()

    api.before_write = quicker
    with pytest.raises(MeshwrightError, match="held by two"):
        api.holder("one").take()


def test_kept_while_the_run_lives() -> None:
    api, lives = Api(), [True] * 9 + [False]
    api.holder("one").take()
    assert api.holder("one").keep(lambda: lives.pop(0)) == ""
    assert api.time == 9 * DURATION / 3 and read(api.lease).holder == "one", "left to end by itself"


def test_an_api_server_that_is_away() -> None:
    api = Api()
    api.holder("one").take()
    api.away, lives = 2, [True] * 5 + [False]
    assert api.holder("one").keep(lambda: lives.pop(0)) == ""
    api.away = 100
    assert "not renewed for 30 s" in api.holder("one").keep(lambda: True)


def test_a_lease_that_was_lost_ends_the_keeping() -> None:
    api = Api()
    api.holder("one").take()
    api.meanwhile = lambda: api._stored({**(api.lease or {})["spec"], "holderIdentity": "two"})
    assert "another run took over" in api.holder("one").keep(lambda: True)


def test_what_is_written_names_the_version_that_it_replaces() -> None:
    patch = written(Seen("other", "7", there=True, transitions=2), TAKE_OVER, "me", 0.0)
    assert patch["metadata"] == {"resourceVersion": "7"} and patch["spec"]["leaseTransitions"] == 3
    assert written(Seen("me", "8", there=True), RENEW, "me", 0.0)["spec"].keys() == {"renewTime"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["take", "renew", "give_up", "sleep"])), max_size=25))
def test_never_two(actions: list[tuple[str, str]]) -> None:
    """Whoever renews or takes successfully is the only one who could, until the Lease is given up or ran out."""
    api, holds, renewed = Api(), "", 0.0
    for who, action in actions:
        if action == "sleep":
            api.sleep(DURATION / 2)
            continue
        began = api.time
        try:
            done = getattr(api.holder(who), action)()
        except MeshwrightError:
            assert action != "give_up" and holds != who
            continue
        if action == "give_up":
            assert done is (holds == who)
            holds = "" if done else holds
            continue
        assert holds in ("", who) or (api.time - renewed >= DURATION and api.time > began)
        holds, renewed = who, api.time
