# SPDX-License-Identifier: GPL-3.0-or-later
"""What Helm has recorded of a release, read from where Helm keeps it: Secrets in the release's namespace."""

from __future__ import annotations

import base64
import gzip
import json
import tarfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

NAME = "cilium"
NAMESPACE = "kube-system"
# A record in one of these states is of a Helm that is at work, or was killed.
_BUSY = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


@dataclass(frozen=True)
class Release:
    revision: int
    status: str
    chart_version: str
    values: t.Mapping[str, t.Any]  # what the user gave, without the chart's own
    manifest: str
    record: str  # the Secret's name

    @property
    def unfinished(self) -> bool:
        return self.status in _BUSY

    @property
    def stage(self) -> int | None:
        """What the release makes of kube-proxy's place; None when it does not say."""
        asked = dig(self.values, "kubeProxyReplacement")
        return None if asked is None else 2 if str(asked).lower() in ("true", "strict") else 1


def newest(kube: Kube, name: str = NAME, namespace: str = NAMESPACE) -> Release | None:
    """The release's last record, or None."""
    records = _records(kube, name, namespace)
    return decode(records[-1]) if records else None


def deployed(kube: Kube, name: str = NAME, namespace: str = NAMESPACE) -> Release | None:
    """The last record of a Helm that came to its end, or None."""
    records = _records(kube, name, namespace)
    found = [record for record in records if record["metadata"]["labels"].get("status") == "deployed"]
    return decode(found[-1]) if found else None


def _records(kube: Kube, name: str, namespace: str) -> Objects:
    records = kube.list("Secret", namespace, labels=f"owner=helm,name={name}")
    return sorted(records, key=lambda record: int(record["metadata"]["labels"]["version"]))


def decode(record: Object) -> Release:
    """Helm writes JSON, gzipped, in base64; the API adds its own base64."""
    told = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(record["data"]["release"]))))
    return Release(
        revision=int(told["version"]),
        status=told["info"]["status"],
        chart_version=str(told["chart"]["metadata"]["version"]),
        values=told.get("config") or {},
        manifest=told.get("manifest", ""),
        record=record["metadata"]["name"],
    )


def settled(kube: Kube, timeout: float = 20.0, clock: Clock = CLOCK) -> Release | None:
    """The last record once no Helm writes it any more. A record that stays unfinished is of a Helm that was killed."""
    seen = newest(kube)
    if seen is None or not seen.unfinished:
        return seen
    try:
        return wait_until(
            lambda: newest(kube), lambda now: now is None or not now.unfinished, clock=clock,
            thing="Helm's record of the release", wanted="finished", timeout=timeout,
        )
    except MeshwrightError:
        return newest(kube)


def chart_version(chart: str, wanted: str) -> str:
    """The version that will be installed: a local chart says it itself, anything else is asked for by version."""
    path = Path(chart).expanduser()
    if not path.exists():
        return wanted
    found = str(_metadata(path).get("version", ""))
    if found != wanted:
        raise MeshwrightError(
            "cilium_chart", host="localhost", seen=f"version {found or 'unknown'} at {path}",
            wanted=f"{wanted}, as cilium_version says",
            remedy="give the chart of that version, or change cilium_version",
        )
    return found


def _metadata(path: Path) -> dict[str, t.Any]:
    try:
        if path.is_dir():
            return yaml_load((path / "Chart.yaml").read_text(encoding="utf-8")) or {}
        with tarfile.open(path) as archive:
            # The chart's own file stands first and highest; charts that it carries have theirs deeper.
            member = min((name for name in archive.getnames() if name.endswith("/Chart.yaml")), key=len)
            file = archive.extractfile(member)
            return (yaml_load(file.read()) if file else None) or {}
    except (OSError, tarfile.TarError, ValueError) as error:
        raise MeshwrightError(
            "cilium_chart", host="localhost", seen=f"not readable at {path} ({error})",
            wanted="a chart's directory or .tgz", remedy="see `helm show chart` of it",
        ) from error
