# SPDX-License-Identifier: GPL-3.0-or-later
"""One controller at a time: a Lease on the cluster, renewed while it is held, taken over when its holder is gone.

Whether a holder is gone is judged without comparing clocks: it is when its Lease did not change for as long as it
lasts, measured here. So a controller that was killed is followed by the next one after that time at most, and two that
run meet at the first renewal. Each write names the version that it replaces, so that of two only one succeeds.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

NAME, NAMESPACE, API = "meshwright-stage", "kube-system", "coordination.k8s.io/v1"
DURATION = 30  # seconds
_LOOK = 2.0
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"

TAKE, RENEW, TAKE_OVER, WAIT, REFUSE = "take", "renew", "take over", "wait", "refuse"


@dataclass(frozen=True)
class Seen:
    """The Lease as it is; the default is one that is not there."""

    holder: str = ""
    version: str = ""
    duration: float = DURATION
    transitions: int = 0
    renewed: str = ""
    there: bool = False


@dataclass(frozen=True)
class Watched:
    """What was there when this controller first looked, and when that was."""

    seen: Seen
    since: float


def read(lease: Object | None) -> Seen:
    if lease is None:
        return Seen()
    spec = lease.get("spec") or {}
    return Seen(
        str(spec.get("holderIdentity") or ""), str(lease["metadata"].get("resourceVersion", "")),
        float(spec.get("leaseDurationSeconds") or DURATION), int(spec.get("leaseTransitions") or 0),
        str(spec.get("renewTime") or ""), True,
    )  # fmt: skip


def judge(first: Watched, seen: Seen, me: str, now: float) -> str:
    """What this controller may do about the Lease as it is now."""
    if not seen.holder:
        return TAKE
    if seen.holder == me:
        return RENEW
    if seen != first.seen:
        # Somebody renewed it, or was quicker: there is a controller at work.
        return REFUSE
    return TAKE_OVER if now - first.since > seen.duration else WAIT


def is_over(seen: Seen, wall: float) -> bool:
    """By its own times, which is good enough for a look: whoever takes it watches it first."""
    try:
        at = datetime.datetime.strptime(seen.renewed, _FORMAT).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return False
    return wall - at.timestamp() > 2 * seen.duration


def written(seen: Seen, verdict: str, me: str, wall: float) -> Object:
    """The object to create, or the patch of the one that is there."""
    at = _time(wall)
    spec: dict[str, t.Any] = {"renewTime": at}
    if verdict != RENEW:
        spec = {
            "holderIdentity": me, "leaseDurationSeconds": DURATION, "acquireTime": at, "renewTime": at,
            "leaseTransitions": seen.transitions + (1 if seen.there else 0),
        }  # fmt: skip
    if not seen.there:
        return {"apiVersion": API, "kind": "Lease", "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": spec}
    return {"metadata": {"resourceVersion": seen.version}, "spec": spec}


def given_up(seen: Seen) -> Object:
    return {"metadata": {"resourceVersion": seen.version}, "spec": {"holderIdentity": None, "renewTime": None}}


def refusal(seen: Seen) -> MeshwrightError:
    return MeshwrightError(
        f"the Lease {NAMESPACE}/{NAME}", seen=f"held by {seen.holder}, which is at work (renewed {seen.renewed})",
        wanted="nobody else between the stages",
        remedy=f"let that run end; if it is dead, its Lease ends by itself after {seen.duration:.0f} s",
    )


def _time(wall: float) -> str:
    moment = datetime.datetime.fromtimestamp(wall, datetime.timezone.utc)
    return moment.strftime(_FORMAT)


# -- by way of the API


class Holder:
    """One controller's hold on the Lease. `me` is the same for all tasks of one run, and for nobody else."""

    def __init__(
        self, kube: Kube, me: str, wall: t.Callable[[], float], clock: Clock = CLOCK,
        say: t.Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self._kube, self.me, self._wall, self._clock, self._say = kube, me, wall, clock, say

    def take(self) -> str:
        """Take it, at once or when the one before proves dead. Raises what refusal() says."""
        first = Watched(self.look(), self._clock.now())
        seen, told = first.seen, False
        while True:
            verdict = judge(first, seen, self.me, self._clock.now())
            if verdict == REFUSE:
                raise refusal(seen)
            if verdict != WAIT and self._write(seen, verdict):
                return verdict
            if verdict == WAIT and not told and self._say is not None:
                self._say(f"{seen.holder} holds the Lease; it is dead unless it renews within {seen.duration:.0f} s")
                told = True
            self._clock.sleep(_LOOK)
            seen = self.look()

    def renew(self) -> None:
        """Raises when the Lease is not this controller's any more: then it must not change anything either."""
        for _try in range(3):
            seen = self.look()
            if seen.holder != self.me:
                raise MeshwrightError(
                    f"the Lease {NAMESPACE}/{NAME}", seen=f"held by {seen.holder or 'nobody'}", wanted=self.me,
                    remedy="another run took over: let it end, then run again",
                )
            if self._write(seen, RENEW):
                return
        raise Unreachable(f"the Lease {NAMESPACE}/{NAME}", seen="changed by somebody else at each try")

    def keep(self, alive: t.Callable[[], bool]) -> str:
        """Renew it while the run lives; how it ended. For a process beside the run, which dies soon after it."""
        renewed = self._clock.now()
        while alive():
            try:
                self.renew()
                renewed = self._clock.now()
            except Unreachable:
                pass  # an API server may be just moving: the Lease lasts a while
            except MeshwrightError as error:
                return str(error)
            if self._clock.now() - renewed > DURATION:
                return f"not renewed for {DURATION} s: the Kubernetes API did not answer"
            self._clock.sleep(DURATION / 3)
        return ""

    def give_up(self) -> bool:
        """False when it was not this controller's."""
        seen = self.look()
        if seen.holder != self.me:
            return False
        return self._patched(given_up(seen))

    def is_over(self, seen: Seen) -> bool:
        return is_over(seen, self._wall())

    def look(self) -> Seen:
        return read(self._kube.get("Lease", NAME, NAMESPACE, API))

    def _write(self, seen: Seen, verdict: str) -> bool:
        """False when somebody was quicker."""
        body = written(seen, verdict, self.me, self._wall())
        if seen.there:
            return self._patched(body)
        return self._tried(lambda: self._kube.create(body))

    def _patched(self, body: Object) -> bool:
        return self._tried(lambda: self._kube.merge("Lease", NAME, body, NAMESPACE, API))

    def _tried(self, write: t.Callable[[], Object]) -> bool:
        try:
            write()
        except MeshwrightError as error:
            if getattr(error.__cause__, "status", 0) != 409:
                raise
            return False
        return True
