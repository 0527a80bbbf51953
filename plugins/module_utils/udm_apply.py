# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the BGP file of a UniFi site to what was planned, and looks whether it got there."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_unifi import Stored
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.udm_plan import Step, differences
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

# How long a request whose answer was lost may still be at work.
SETTLE = 15.0
INTERVAL = 1.0


class Application(t.Protocol):
    """What is needed of the client."""

    def bgp(self) -> Stored | None: ...

    def write(self, wanted: Stored) -> None: ...

    def remove(self) -> None: ...


def apply(unifi: Application, have: Stored | None, step: Step, host: str, clock: Clock = CLOCK) -> None:
    """Nothing is sent twice: where the answer was lost, what is stored says whether the request was carried out."""
    if not step.changes:
        return
    try:
        if step.wanted is None:
            unifi.remove()
        else:
            unifi.write(step.wanted)
    except Unanswered as error:
        _reconcile(unifi, have, step, error, clock)
        return
    left = differences(unifi.bgp(), step.wanted)
    if left:
        raise MeshwrightError(
            "the gateway's BGP file after writing", host=host, seen=f"not as sent: {', '.join(left)}",
            wanted="what was sent", remedy="see whether somebody else changes it at the same time, then run again",
        )


def _reconcile(unifi: Application, have: Stored | None, step: Step, error: Unanswered, clock: Clock) -> None:
    def describe(now: Stored | None) -> str:
        left = differences(now, step.wanted)
        return f"neither as before nor as sent ({', '.join(left)})" if differences(now, have) else "as it was before"

    try:
        wait_until(
            unifi.bgp, lambda now: not differences(now, step.wanted), thing=error.thing, wanted="the file as sent",
            timeout=SETTLE, interval=INTERVAL, clock=clock, describe=describe,
        )
    except TimedOut as after:
        seen = f"{error.seen}; the file, read for {SETTLE:.0f} s after it, is {after.seen}"
        raise Unanswered(error.thing, host=error.host, seen=seen, wanted=error.wanted, remedy=error.remedy) from error
