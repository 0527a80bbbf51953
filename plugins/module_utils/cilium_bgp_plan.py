# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to become of our objects in the cluster: compared, put in order, and shown without secrets. Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import OWNER, OWNER_LABEL, Bgp
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import KINDS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

Object = dict[str, t.Any]
Settings = t.Mapping[str, str]

CREATE, CHANGE, DELETE = "create", "change", "delete"
_SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")
_MASK = "(masked)"


@dataclass(frozen=True)
class Candidate:
    """A wanted object, as it is in the cluster, and as the server says that it would be."""

    wanted: Object
    live: Object | None
    would: Object


@dataclass(frozen=True)
class Step:
    action: str
    kind: str
    name: str
    namespace: str
    api_version: str
    before: Object | None = None
    after: Object | None = None
    wanted: Object | None = None

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}"


def plan(candidates: t.Sequence[Candidate], ours: t.Sequence[Object], prune: bool = True) -> tuple[Step, ...]:
    """Everything new or changed first, in the order of the kinds; only then, the other way round, what goes.

    So whatever announced an address before keeps doing so until its successor is there.
    """
    steps = [step for item in sorted(candidates, key=lambda item: _rank(item.wanted)) for step in _applied(item)]
    if prune:
        wanted = {key(item.wanted) for item in candidates}
        gone = [item for item in ours if owned(item) and key(item) not in wanted]
        steps += [_step(DELETE, item, before=item) for item in sorted(gone, key=_rank, reverse=True)]
    return tuple(steps)


def key(item: Object) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def owned(item: Object) -> bool:
    return (item["metadata"].get("labels") or {}).get(OWNER_LABEL) == OWNER


def essence(item: Object) -> Object:
    """An object without what the server keeps of it for itself."""
    meta = {name: value for name, value in item["metadata"].items() if name not in _SERVERS_OWN}
    return {**{name: value for name, value in item.items() if name != "status"}, "metadata": meta}


def foreign(candidates: t.Iterable[Candidate]) -> list[MeshwrightError]:
    """Objects of somebody else under a name that we need."""
    return [
        MeshwrightError(
            f"{item.wanted['kind']} {item.wanted['metadata']['name']}", seen="somebody else's",
            wanted=f"the label {OWNER_LABEL}={OWNER}, or no such object",
            remedy="delete it, or label it so that it is taken over",
        )
        for item in candidates
        if item.live is not None and not owned(item.live)
    ]  # fmt: skip


def judge_settings(bgp: Bgp, settings: Settings | None) -> list[MeshwrightError]:
    """Cilium ignores objects of what is not switched on, and does not say so."""
    if settings is None:
        return [_off("cilium-config in kube-system", "missing", "Cilium installed", "run the Cilium part first")]
    found = []
    if bgp.routers and settings.get("enable-bgp-control-plane") != "true":
        found.append(_off("Cilium's BGP control plane", "off", "on", "set bgpControlPlane.enabled=true in its values"))
    if bgp.l2_policies and settings.get("enable-l2-announcements") != "true":
        found.append(_off("Cilium's L2 announcements", "off", "on", "set l2announcements.enabled=true in its values"))
    place = settings.get("bgp-secrets-namespace", bgp.secrets_namespace)
    if any(router.password for router in bgp.routers) and place != bgp.secrets_namespace:
        # Cilium would find no secret there, and hold sessions without a password.
        found.append(_off("the namespace of BGP passwords", place, bgp.secrets_namespace, "set both to the same"))
    return found


def diff(steps: t.Iterable[Step]) -> list[dict[str, str]]:
    return [
        {
            "before_header": f"{step.kind} {step.name}", "before": _text(step.before),
            "after_header": f"{step.kind} {step.name}", "after": _text(step.after, step.before),
        }
        for step in steps
    ]  # fmt: skip


def masked(item: Object, former: Object | None = None) -> Object:
    """A Secret's values are hidden; that one differs from the former is still told."""
    if item["kind"] != "Secret":
        return item
    old = (former or {}).get("data") or {}
    data = {
        name: f"{_MASK}, another one" if name in old and old[name] != value else _MASK
        for name, value in (item.get("data") or {}).items()
    }
    return {**item, "data": data}


def _applied(item: Candidate) -> list[Step]:
    if item.live is None:
        return [_step(CREATE, item.wanted, after=item.would, wanted=item.wanted)]
    if essence(item.live) == essence(item.would):
        return []
    return [_step(CHANGE, item.wanted, before=item.live, after=item.would, wanted=item.wanted)]


def _step(action: str, item: Object, **rest: Object) -> Step:
    kind, namespace, name = key(item)
    return Step(action, kind, name, namespace, item["apiVersion"], **rest)


def _rank(item: Object) -> tuple[int, str]:
    return KINDS.index(item["kind"]), item["metadata"]["name"]


def _off(thing: str, seen: str, wanted: str, remedy: str) -> MeshwrightError:
    return MeshwrightError(thing, seen=seen, wanted=wanted, remedy=remedy)


def _text(item: Object | None, former: Object | None = None) -> str:
    return "" if item is None else json.dumps(masked(essence(item), former), indent=2, sort_keys=True) + "\n"
