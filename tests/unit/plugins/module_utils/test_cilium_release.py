from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def record(version: int, status: str = "deployed", values: Any = None, chart: str = "1.20.2") -> dict[str, Any]:
    told = {
        "version": version,
        "info": {"status": status},
        "chart": {"metadata": {"version": chart}},
        "config": values,
        "manifest": "---\n",
    }
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(told).encode()))).decode()
    labels = {"owner": "helm", "name": "cilium", "version": str(version), "status": status}
    return {
        "metadata": {"name": f"sh.helm.release.v1.cilium.v{version}", "labels": labels},
        "data": {"release": packed},
    }


class Records:
    """Looks like the client: each look takes the next list, the last one for ever."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        self.looks = list(looks)
        self.deleted: list[str] = []

    def list(self, _kind: str, _namespace: str, labels: str) -> list[dict[str, Any]]:
        assert labels == "owner=helm,name=cilium"
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def delete(self, _kind: str, name: str, _namespace: str) -> None:
        self.deleted.append(name)


def kube(*looks: list[dict[str, Any]]) -> Any:
    return Records(*looks)


def test_none() -> None:
    assert cilium_release.newest(kube([])) is None


def test_the_newest_by_number_not_by_text() -> None:
    found = cilium_release.newest(kube([record(9), record(10, values={"kubeProxyReplacement": "true"})]))
    assert found is not None
    assert (found.revision, found.chart_version, found.stage, found.unfinished) == (10, "1.20.2", 2, False)


@pytest.mark.parametrize(
    ("values", "stage"),
    [(None, None), ({}, None), ({"kubeProxyReplacement": "false"}, 1), ({"kubeProxyReplacement": True}, 2)],
)
def test_stage(values: Any, stage: int | None) -> None:
    assert cilium_release.decode(record(1, values=values)).stage == stage


def test_the_last_that_helm_finished() -> None:
    found = cilium_release.deployed(kube([record(3, "pending-upgrade"), record(1, "superseded"), record(2)]))
    assert found is not None and found.revision == 2
    assert cilium_release.deployed(kube([record(1, "pending-install")])) is None


def test_a_helm_at_work_is_waited_for() -> None:
    found = cilium_release.settled(kube([record(1, "pending-install")], [record(1)]), clock=Turned())
    assert found is not None and found.status == "deployed"


def test_a_helm_that_was_killed_is_recognised() -> None:
    clock = Turned()
    found = cilium_release.settled(kube([record(1, "pending-install")]), timeout=20, clock=clock)
    assert found is not None and found.unfinished and clock.time <= 20


def chart(folder: Path, version: str) -> Path:
    folder.mkdir()
    (folder / "Chart.yaml").write_text(f"name: cilium\nversion: {version}\n")
    return folder


def test_version_of_a_directory(tmp_path: Path) -> None:
    path = chart(tmp_path / "cilium", "1.20.2")
    assert cilium_release.chart_version(str(path), "1.20.2") == "1.20.2"
    with pytest.raises(MeshwrightError, match=r"version 1\.20\.2 at .*wanted 1\.20\.3"):
        cilium_release.chart_version(str(path), "1.20.3")


def test_version_of_an_archive_that_carries_other_charts(tmp_path: Path) -> None:
    path = tmp_path / "cilium.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, version in (("cilium/charts/other/Chart.yaml", "9"), ("cilium/Chart.yaml", "1.20.2")):
            data = f"name: x\nversion: {version}\n".encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert cilium_release.chart_version(str(path), "1.20.2") == "1.20.2"


def test_a_chart_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "cilium.tgz"
    path.write_text("no archive")
    with pytest.raises(MeshwrightError, match="not readable"):
        cilium_release.chart_version(str(path), "1.20.2")


def test_a_name_is_asked_for_by_version() -> None:
    assert cilium_release.chart_version("cilium", "1.20.2") == "1.20.2"
