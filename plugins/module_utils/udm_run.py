# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of udm_bgp, from its arguments to its result: observe, plan, apply. Runs on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    bgp_render_frr,
    frr_check,
    udm_apply,
    udm_plan,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, Router, from_dict
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Https
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_unifi import Credentials, Stored, Unifi
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

Result = dict[str, t.Any]


class Failed(MeshwrightError):
    """It went wrong after something was sent. `former` is what there was before it."""

    former: t.Mapping[str, t.Any]

    @classmethod
    def after(cls, error: MeshwrightError, former: t.Mapping[str, t.Any]) -> Failed:
        failed = cls(error.thing, host=error.host, seen=error.seen, wanted=error.wanted, remedy=error.remedy)
        failed.former = former
        return failed


def run(given: t.Mapping[str, t.Any], check: bool = False, clock: Clock = CLOCK) -> Result:
    """The result without what only Ansible knows. Raises MeshwrightError, after the first write Failed."""
    bgp = from_dict(given["description"])
    router = bgp.router(given["router"])
    if router is None:
        raise MeshwrightError(
            "the router", seen=f"{given['router']!r}, which the description does not know",
            wanted=", ".join(item.name for item in bgp.routers) or "one of group routers",
            remedy="give the name that the inventory has",
        )
    result: Result = {"changed": False, "pending": False}
    if given["state"] == "confirmed":  # what was stored stays stored: there is nothing to confirm
        return result
    text = bgp_render_frr.config(bgp, router) if given["state"] in ("rendered", "present") else ""
    if given["state"] == "rendered":
        return {**result, "rendered": text}
    return {**result, **_bring(given, bgp, router, text, check, clock)}


def _bring(given: t.Mapping[str, t.Any], bgp: Bgp, router: Router, text: str, check: bool, clock: Clock) -> Result:
    unifi = _client(given, bgp, router, clock)
    have = unifi.bgp()
    step = _plan(given, bgp, router, text, have)
    warnings = []
    if given["state"] == "present":
        missing = udm_plan.pools_without_network(bgp, router, unifi.networks())
        warnings += [udm_plan.warning(router, missing)] if missing else []
    former = udm_plan.as_former(have)
    if not check:
        try:
            udm_apply.apply(unifi, have, step, router.name, clock)
        except MeshwrightError as error:
            raise Failed.after(error, former) from error
    return {
        "changed": step.changes, "why": list(step.why), "former": former, "warnings": [*warnings, *unifi.notes],
        "diff": udm_plan.diff(have, step),
    }


def _plan(given: t.Mapping[str, t.Any], bgp: Bgp, router: Router, text: str, have: Stored | None) -> udm_plan.Step:
    if given["state"] == "absent":
        return udm_plan.absent(have, bgp)
    if given["state"] == "restored":
        return udm_plan.restored(have, udm_plan.from_former(given.get("former") or {}, router.name))
    frr_check.refuse(text)  # the application stores what it gets, unread
    return udm_plan.present(have, text, bgp, router, bool(given.get("replace_foreign")))


def _client(given: t.Mapping[str, t.Any], bgp: Bgp, router: Router, clock: Clock) -> Unifi:
    who = Credentials(given.get("api_key") or "", given.get("username") or "", given.get("password") or "")
    https = Https(
        given["url"], host=router.name, name="the UniFi application", ca_path=given.get("ca_path") or "",
        fingerprint=given.get("fingerprint") or "", timeout=float(given.get("timeout") or 30),
        secrets=(*who.secrets, *(item.password for item in bgp.routers)),
    )
    return Unifi(https, given.get("site") or "default", who, clock)
