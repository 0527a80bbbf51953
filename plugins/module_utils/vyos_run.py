# SPDX-License-Identifier: GPL-3.0-or-later
"""What vyos_bgp does, whatever the router is spoken to through: observe, plan, apply."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_vyos, vyos_paths
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import vyos_plan as planning
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, Router
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_vyos import (
    VERSIONS,
    Path,
    commands,
    root,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

# Not deeper: below a tag node, as `protocols bgp` is one on 1.3, showConfig repeats its name.
HEADS: tuple[Path, ...] = (("protocols",), ("policy",))
# How long a commit that nobody answered for may still be under way.
SETTLING = 60.0


@dataclass(frozen=True)
class Outcome:
    changed: bool
    diff: t.Mapping[str, str] = field(default_factory=dict)
    former: tuple[Path, ...] = ()
    pending: bool = False
    warnings: tuple[str, ...] = ()


class Failed(MeshwrightError):
    """It went wrong after something was sent. `former` is what there was before it."""

    former: tuple[Path, ...] = ()

    @classmethod
    def after(cls, error: MeshwrightError, former: tuple[Path, ...]) -> Failed:
        failed = cls(error.thing, host=error.host, seen=error.seen, wanted=error.wanted, remedy=error.remedy)
        failed.former = former
        return failed


@dataclass(frozen=True)
class Run:
    """One router and what it is to have."""

    device: client_vyos.Device
    bgp: Bgp
    router: Router
    check: bool = False
    clock: Clock = CLOCK

    @property
    def ours(self) -> planning.Ours:
        return planning.Ours(self.bgp.cluster, self.router.version, self.router.name, root(self.router))

    @property
    def want(self) -> tuple[Path, ...]:
        return wanted(self.bgp, self.router)

    def read(self) -> set[Path]:
        found = (path for head in HEADS for path in self.device.read(head))
        return {path for path in found if path[0] == "policy" or path[1:2] == ("bgp",)}


def wanted(bgp: Bgp, router: Router) -> tuple[Path, ...]:
    """Rendered, and checked against what this version knows."""
    paths = commands(bgp, router)
    wrong = vyos_paths.check(paths, router.version, router.name)
    if wrong:
        raise wrong[0]
    return paths


def bring(run: Run, state: str, given: t.Mapping[str, t.Any]) -> Outcome:
    if state == "absent":
        return absent(run)
    if state == "restored":
        return restored(run, [tuple(path) for path in (given.get("former") or {}).get("paths", [])])
    if state == "confirmed":
        return confirmed(run, bool(given.get("unsaved", True)))
    return present(run, int(given.get("confirm_minutes", 0)))


def present(run: Run, minutes: int) -> Outcome:
    """As wanted, taking itself back after `minutes` where the router can, and unsaved until it is confirmed."""
    want = run.want
    _same_release(run)
    have = run.read()
    plan = planning.plan(run.ours, have, want)
    warnings = _warnings(run, minutes) if plan.ops else ()
    former = planning.former(run.ours, have)
    if not run.check:
        try:
            _commit(run, plan, minutes, lambda now: not planning.plan(run.ours, now, want).ops)
        except MeshwrightError as error:
            raise Failed.after(error, former) from error
    # A run that was killed before it confirmed looks as if nothing were to be done; only confirming tells.
    confirms = bool(minutes) and run.device.with_confirm
    pending = (bool(plan.ops) or confirms) and not run.check
    return Outcome(bool(plan.ops), plan.diff, former, pending, warnings)


def absent(run: Run) -> Outcome:
    have = run.read()
    plan = planning.absent(run.ours, have, commands(run.bgp, run.router))
    return _for_good(run, have, plan)


def restored(run: Run, before: t.Iterable[Path]) -> Outcome:
    """Back to what `present` found. The commit's clock, if it still runs, would do the same; it is stopped."""
    have = run.read()
    plan = planning.restore(run.ours, have, commands(run.bgp, run.router), before)
    outcome = _for_good(run, have, plan)
    if not run.check and run.device.confirm():
        run.device.save()
    return outcome


def confirmed(run: Run, unsaved: bool) -> Outcome:
    """It stays. Raises when the router has gone back by itself meanwhile."""
    want = run.want
    _still_there(run, want)
    if run.check:
        return Outcome(False)
    stopped = run.device.confirm()
    if not stopped:  # it may have gone back between reading and confirming
        _still_there(run, want)
    if stopped or unsaved:
        run.device.save()
    return Outcome(stopped)


def _for_good(run: Run, have: set[Path], plan: planning.Plan) -> Outcome:
    if plan.ops and not run.check:
        after = set(plan.after)
        _commit(run, plan, 0, lambda now: set(planning.former(run.ours, now)) == after)
        run.device.save()
    return Outcome(bool(plan.ops), plan.diff, planning.former(run.ours, have))


def _commit(run: Run, plan: planning.Plan, minutes: int, done: t.Callable[[set[Path]], bool]) -> None:
    """A commit that failed is cleaned up after: one part of it may have landed without the other."""
    if not plan.ops:
        return
    try:
        run.device.commit(plan.ops, minutes)
    except Unanswered as error:
        _reconcile(run, error, done)
    except client_vyos.Refused as error:
        raise _put_back(run, plan, error) from error
    if not done(run.read()):
        raise MeshwrightError(
            "the configuration after the commit", host=run.router.name, seen="not what was committed",
            wanted="the same", remedy="somebody else may have changed it at this moment; run again",
        )


def _reconcile(run: Run, error: Unanswered, done: t.Callable[[set[Path]], bool]) -> None:
    """No answer: what became of it is read, twice alike, since the API shows what is only being committed too."""
    seen: list[bool] = []

    def look() -> bool:
        seen.append(done(run.read()))
        return seen[-2:] == [True, True]

    wait_until(
        look, bool, thing="the commit", wanted="made", timeout=SETTLING, interval=2.0, clock=run.clock,
        describe=lambda _seen: f"not made ({error.seen})", remedy="nothing was repeated; run again",
    )


def _put_back(run: Run, plan: planning.Plan, error: client_vyos.Refused) -> MeshwrightError:
    try:
        now = run.read()
    except MeshwrightError:  # it refuses everything, and says why in the first answer
        return error
    if isinstance(error, client_vyos.Pending) or set(planning.former(run.ours, now)) == set(plan.before):
        return error
    back = planning.exactly(run.ours, now, plan.before)
    try:
        run.device.commit(back.ops, 0)
        what = "a part had landed and was taken back"
    except MeshwrightError as other:
        what = f"a part has landed, and taking it back failed too: {other}"
    return MeshwrightError(error.thing, host=error.host, seen=f"{error.seen} ({what})", remedy=error.remedy)


def _still_there(run: Run, want: tuple[Path, ...]) -> None:
    plan = planning.plan(run.ours, run.read(), want)
    if plan.ops:
        raise MeshwrightError(
            "the configuration to be confirmed", host=run.router.name,
            seen=f"not there any more ({len(plan.ops)} differences)", wanted="as it was committed",
            remedy="the time to confirm was over and the router went back, or somebody changed it; run again",
        )


def _same_release(run: Run) -> None:
    seen = client_vyos.release(run.device)
    if seen in VERSIONS and seen != run.router.version:
        raise MeshwrightError(
            "bgp_vyos_version", host=run.router.name, seen=run.router.version, wanted=f"{seen}, as the router says",
            remedy="correct it: the versions differ in their paths",
        )


def _warnings(run: Run, minutes: int) -> tuple[str, ...]:
    name = run.router.name
    if minutes and not run.device.with_confirm:
        return (f"{name}: this way to this router has no commit that takes itself back without a reboot; what is "
                "committed stays until it is restored or the router is rebooted, since it is saved at the end only",)
    if minutes and not client_vyos.reloads(run.device.read(client_vyos.CONFIRM_ACTION[:2])):
        return (f"{name}: if this run is cut off, the router goes back by a reboot; with `set system config-management "
                "commit-confirm action reload` (and commit-revisions) it would reload only",)
    return ()
