"""A commit that nobody confirms is undone, whoever is left to see it. vyos-1x, python/vyos/config_mgmt.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from vyos.testing import Make, Router

CHANGE = "set BGP neighbor 192.0.2.9 remote-as 65000"


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_confirmed_stays(new: Router) -> None:
    said = new.done(CHANGE, confirm_time=1)
    assert said.startswith("Initialized commit-confirm; 1 minutes to confirm before reboot")
    assert new.post("/configure", {"op": "confirm", "path": []})[1]["data"] == "Reboot timer stopped"
    new.device.revert()
    assert new.exists("BGP", "neighbor", "192.0.2.9")


def test_what_is_not_confirmed_goes_by_itself(new: Router) -> None:
    new.done("delete BGP neighbor 198.51.100.20", confirm_time=1)
    assert "neighbor 198.51.100.20 remote-as 64999" not in new.frr.lines
    new.device.stop()
    new.clock.now += 61
    new.device._rearm()
    # FRR hears of it last.
    eventually(lambda: "neighbor 198.51.100.20 remote-as 64999" in new.frr.lines)
    assert new.exists("BGP", "neighbor", "198.51.100.20") and not new.device.pending


def test_a_reboot_takes_what_was_never_saved_too(new: Router) -> None:
    new.done("set system domain-name example.org")
    new.done(CHANGE, confirm_time=1)
    new.device.revert()
    assert not new.exists("system", "domain-name")


def test_a_reload_takes_only_the_commit_itself(new: Router) -> None:
    new.done("set system config-management commit-confirm action reload", "set system domain-name example.org")
    assert "before reload" in new.done(CHANGE, confirm_time=1)
    new.device.revert()
    assert new.exists("system", "domain-name")
    assert not new.exists("BGP", "neighbor", "192.0.2.9")


def test_the_clock_runs_on_over_a_restart_of_the_program(new: Router) -> None:
    new.done(CHANGE, confirm_time=1)
    new.device.stop()
    new.begin(booted=False)
    assert new.device.pending
    assert new.exists("BGP", "neighbor", "192.0.2.9")
    new.device.stop()
    new.clock.now += 61
    new.begin(booted=False)
    eventually(lambda: not new.device.pending)
    assert not new.exists("BGP", "neighbor", "192.0.2.9")


def test_a_boot_begins_with_what_was_saved(router: Router) -> None:
    router.done("set system domain-name example.org")
    router.begin(booted=False)
    assert router.exists("system", "domain-name")
    router.begin(booted=True)
    assert not router.exists("system", "domain-name")


def test_the_clock_runs_although_the_commit_failed(new: Router) -> None:
    new.refused("set BGP neighbor 192.0.2.9 description x", confirm_time=1)
    assert new.device.pending
    assert new.refused(CHANGE, confirm_time=1) == "Another confirm is pending"


def test_a_clock_that_ran_out_while_the_router_was_off_is_no_more(make: Make) -> None:
    router = make("1.5")
    router.done(CHANGE, confirm_time=1)
    router.device.stop()
    router.begin(booted=True)
    assert not router.device.pending
    assert not router.exists("BGP", "neighbor", "192.0.2.9")
