# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on the cluster about stage 1, so that another controller finds the way back. Pure.

A Secret, as a release's values may hold some. Helm's own records are no substitute: it keeps the last few only.
"""

from __future__ import annotations

import base64
import json
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import RECORD_NAME, Record

NAMESPACE = "kube-system"
_KEY = "stage-1.json"


def snapshot_name(revision: int) -> str:
    """The same for the same release: a run that was killed behind the snapshot does not take another one."""
    return f"meshwright-stage-1-revision-{revision}"


def to_object(release: Release, snapshot: str) -> Object:
    told = {
        "revision": release.revision, "chart_version": release.chart_version, "snapshot": snapshot,
        "values": dict(release.values),
    }  # fmt: skip
    text = json.dumps(told, sort_keys=True)
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": RECORD_NAME, "namespace": NAMESPACE},
        "type": "Opaque", "data": {_KEY: base64.b64encode(text.encode()).decode()},
    }  # fmt: skip


def from_object(secret: Object | None) -> tuple[Record, t.Mapping[str, t.Any]] | None:
    """The record, and the values of then."""
    if secret is None:
        return None
    try:
        told = json.loads(base64.b64decode((secret.get("data") or {})[_KEY]))
        record = Record(int(told["revision"]), str(told["chart_version"]), str(told["snapshot"]))
        return record, dict(told["values"])
    except (KeyError, TypeError, ValueError) as error:
        raise MeshwrightError(
            f"the Secret {NAMESPACE}/{RECORD_NAME}", seen=f"not readable ({type(error).__name__})",
            wanted="the record of stage 1", remedy="delete it: the inventory's own values are taken for stage 1 then",
        ) from error
