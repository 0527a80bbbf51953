# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings our objects into the cluster: looks, has the plan made, applies it. Runs on the controller."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import OWNER, OWNER_LABEL, Bgp, from_dict
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import (
    KINDS,
    PASSWORD_KEY,
    objects,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_plan import (
    DELETE,
    Candidate,
    Step,
    foreign,
    judge_settings,
    plan,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentences
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.versions import api_version, parse_plain
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_NAMESPACE = "kube-system"
_PATIENCE = 60.0  # seconds


def description(module: t.Any) -> Bgp:
    """The module's argument of that name, of which only the passwords are secret.

    Marked no_log, so that nothing logs the argument; but then every word of it, the names of routers and nodes too,
    would be struck out of the answer.
    """
    bgp = from_dict(module.params["description"])
    passwords = {router.password for router in bgp.routers if router.password}
    coded = {base64.b64encode(password.encode()).decode() for password in passwords}
    module.no_log_values = passwords | coded
    return bgp


def run(
    kube: Kube, bgp: Bgp, *, present: bool = True, prune: bool = True, check: bool = False, clock: Clock = CLOCK
) -> tuple[Step, ...]:
    """The steps that were taken, or would be."""
    # A name without anything in it: what is ours goes, and the API versions stay those of the description.
    wanted = objects(bgp if present else replace(bgp, routers=(), pools=(), l2_policies=()))
    # An API server that has just learnt of the kinds answers 429 for some seconds.
    steps = wait_until(
        lambda: _planned(kube, bgp, wanted, present=present, prune=prune, check=check), lambda _steps: True,
        thing="BGP in the cluster", wanted="to be read", timeout=_PATIENCE, clock=clock,
    )  # fmt: skip
    if not check:
        for step in steps:
            _take(kube, step)
        _see_passwords(kube, wanted)
    return steps


def _planned(
    kube: Kube, bgp: Bgp, wanted: t.Sequence[Object], *, present: bool, prune: bool, check: bool
) -> tuple[Step, ...]:
    settings = (kube.get("ConfigMap", "cilium-config", _NAMESPACE) or {}).get("data")
    problems = judge_settings(bgp, settings) if present and not check else []
    candidates = [_candidate(kube, item, check) for item in wanted] if not problems else []
    problems += foreign(candidates)
    if problems:
        raise problems[0] if len(problems) == 1 else MeshwrightError(sentences(problems))
    return plan(candidates, owned_objects(kube, bgp), prune)


def owned_objects(kube: Kube, bgp: Bgp) -> list[Object]:
    label = f"{OWNER_LABEL}={OWNER}"
    return [item for kind in KINDS for item in kube.list(kind, "", _version(bgp, kind), labels=label)]


def _version(bgp: Bgp, kind: str) -> str:
    return "v1" if kind == "Secret" else api_version(kind, parse_plain(bgp.cilium_version, "cilium_version").line)


def _candidate(kube: Kube, wanted: Object, check: bool) -> Candidate:
    """The server itself says what would become of the object: its defaults, its refusals."""
    meta, kind, version = wanted["metadata"], wanted["kind"], wanted["apiVersion"]
    if kube.resource(version, kind) is None:
        if check:  # the Cilium of this run would bring it
            return Candidate(wanted, None, wanted)
        raise MeshwrightError(
            f"the kind {kind}", seen=f"not served as {version}", wanted=f"Cilium's CRDs of {version}",
            remedy="set bgpControlPlane.enabled=true in Cilium's values, and cilium_version to what is installed",
        )  # fmt: skip
    live = kube.get(kind, meta["name"], meta.get("namespace", ""), version)
    return Candidate(wanted, live, kube.apply(wanted, dry_run=True))


def _take(kube: Kube, step: Step) -> None:
    if step.action == DELETE:
        kube.delete(step.kind, step.name, step.namespace, step.api_version)
    elif step.wanted is not None:
        kube.apply(step.wanted)


def _see_passwords(kube: Kube, wanted: t.Iterable[Object]) -> None:
    """Cilium takes a missing secret or key for an empty password, with one line in its log: so it is looked at."""
    for item in wanted:
        if item["kind"] != "Secret":
            continue
        meta = item["metadata"]
        there = (kube.get("Secret", meta["name"], meta["namespace"]) or {}).get("data") or {}
        if there.get(PASSWORD_KEY) != item["data"][PASSWORD_KEY]:
            raise MeshwrightError(
                f"the password in Secret {meta['namespace']}/{meta['name']}",
                seen="another one" if there.get(PASSWORD_KEY) else "missing", wanted="the router's",
                remedy="see who else writes this Secret; without it Cilium opens sessions without a password",
            )  # fmt: skip
