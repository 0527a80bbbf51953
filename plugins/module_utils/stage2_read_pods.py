# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods as a drain and a restarted agent find them, with who makes them and what they would lose. Pure."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import MIRROR, is_done, ref_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Pod

_HOSTNAME = "kubernetes.io/hostname"
_CILIUM = ("app.kubernetes.io/part-of", "cilium")


@dataclass(frozen=True)
class Makers:
    """How many pods the controllers keep, by their UID."""

    replicas: t.Mapping[str, int]

    @classmethod
    def of(cls, *lists: Objects) -> Makers:
        every = (item for objects in lists for item in objects)
        return cls({item["metadata"]["uid"]: int((item.get("spec") or {}).get("replicas", 1)) for item in every})


@dataclass(frozen=True)
class Volumes:
    """The claims whose volume is on one node, by namespace and name."""

    local: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, claims: Objects, volumes: Objects) -> Volumes:
        bound = {item["metadata"]["name"] for item in volumes if _is_local(item.get("spec") or {})}
        return cls(frozenset(
            (item["metadata"]["namespace"], item["metadata"]["name"])
            for item in claims
            if (item.get("spec") or {}).get("volumeName") in bound
        ))  # fmt: skip


def _is_local(spec: Object) -> bool:
    """On a node's disk, or tied to a node by its name."""
    if "local" in spec or "hostPath" in spec:
        return True
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or []
    return any(
        expression.get("key") == _HOSTNAME for term in terms for expression in term.get("matchExpressions") or []
    )


def read_pods(pods: Objects, makers: Makers, volumes: Volumes) -> tuple[Pod, ...]:
    """One node's, without Cilium's own: those are the rollout's business."""
    key, value = _CILIUM
    return tuple(
        _pod(pod, makers, volumes)
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(key) != value or _moves(pod)
    )


def _moves(pod: Object) -> bool:
    return not any(owner.get("kind") == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or [])


def _pod(pod: Object, makers: Makers, volumes: Volumes) -> Pod:
    meta, spec = pod["metadata"], pod["spec"]
    owners = meta.get("ownerReferences") or []
    owner: Object = next((item for item in owners if item.get("controller")), {})
    listed = spec.get("volumes") or []
    claims = [item["persistentVolumeClaim"]["claimName"] for item in listed if "persistentVolumeClaim" in item]
    return Pod(
        ref_of(pod), str(owner.get("kind", "")), str(owner.get("name", "")),
        makers.replicas.get(str(owner.get("uid", "")), 0), static=MIRROR in (meta.get("annotations") or {}),
        host_network=bool(spec.get("hostNetwork")), done=is_done(pod),
        emptydirs=tuple(item["name"] for item in listed if "emptyDir" in item),
        local_volumes=tuple(name for name in claims if (meta["namespace"], name) in volumes.local),
        started=started(pod),
    )  # fmt: skip


def started(pod: Object) -> float:
    return seconds((pod.get("status") or {}).get("startTime"))


def seconds(text: str | None) -> float:
    """Since the epoch; 0 for never."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0
