from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_call, client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import Observed, Plan, Wish, plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_restarts import Effect
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import CiliumOptions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

PARAMS: dict[str, Any] = {
    "version": "v1.20.2", "options": {"mtu": 1400, "operator_replicas": None}, "values": {},
    "cluster_cidr": ["10.42.0.0/16"], "initial_stage": 1, "gateway_api_version": "", "gateway_api_crds": "", "nodes": 3,
    "stage": 0, "chart": "cilium", "chart_repo_url": "https://helm.example.org/",
}  # fmt: skip
HAVE = Release(3, "deployed", "1.20.2", {"MTU": 1500, "tls": {"ca": {"key": "old-secret"}}}, "---\n", "record")


def made(release: Release | None = None, **values: Any) -> tuple[Plan, Observed]:
    seen = Observed(there=True, nodes=2, kubernetes="v1.34.4+k3s1", release=release)
    return plan(Wish("1.20.2", CiliumOptions(), free=values), seen, lambda _possible, _stage: "sum"), seen


CHART = cilium_call.Chart("cilium", "https://helm.example.org/", "1.20.2", False)


def test_wish() -> None:
    wish = cilium_call.wish_from(PARAMS)
    assert (wish.version, wish.nodes, wish.options.mtu, wish.options.operator_replicas) == ("1.20.2", 3, 1400, None)


def test_an_option_that_nobody_knows() -> None:
    with pytest.raises(MeshwrightError, match="unknown \\(mtuu\\)"):
        cilium_call.options_from({"mtuu": 1400})


def test_charts(tmp_path: Path) -> None:
    assert cilium_call.chart_of(PARAMS) == CHART
    oci = cilium_call.chart_of({**PARAMS, "chart": "oci://registry.example.org/cilium"})
    assert (oci.repo_url, oci.local) == ("", False)
    (tmp_path / "Chart.yaml").write_text("version: 1.20.2\n")
    local = cilium_call.chart_of({**PARAMS, "chart": str(tmp_path)})
    assert (local.ref, local.repo_url, local.local) == (str(tmp_path), "", True)


def test_a_path_with_nothing_behind_it() -> None:
    with pytest.raises(MeshwrightError, match="no path that is there"):
        cilium_call.chart_of({**PARAMS, "chart": "/nowhere/cilium.tgz", "chart_repo_url": ""})


def test_no_cluster_is_well_in_check_mode_only(tmp_path: Path) -> None:
    assert cilium_call.observe_cluster(str(tmp_path / "kubeconfig"), absent_is_well=True).there is False
    with pytest.raises(MeshwrightError, match="kubeconfig"):
        cilium_call.observe_cluster(str(tmp_path / "kubeconfig"), absent_is_well=False)


def test_check_mode_does_not_hide_a_missing_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client_kube, "_IMPORT_ERROR", ImportError("No module named 'kubernetes'"))
    with pytest.raises(MeshwrightError, match="library kubernetes"):
        cilium_call.observe_cluster(str(tmp_path / "kubeconfig"), absent_is_well=True)


def test_a_cluster_that_is_gone_is_well_in_check_mode_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def away(_path: str) -> Any:
        raise Unreachable("the API", seen="away")

    monkeypatch.setattr(cilium_call.Kube, "from_kubeconfig", away)
    assert cilium_call.observe_cluster("any", absent_is_well=True).there is False
    with pytest.raises(Unreachable):
        cilium_call.observe_cluster("any", absent_is_well=False)


def test_values_are_written_for_helm_alone(tmp_path: Path) -> None:
    target = tmp_path / "state" / "values.yaml"
    found, _seen = made()
    cilium_call.write_values(found, str(target))
    assert target.stat().st_mode & 0o777 == 0o600 and target.parent.stat().st_mode & 0o777 == 0o700
    assert yaml.safe_load(target.read_text()) == found.rendered.values
    before = target.stat()
    cilium_call.write_values(found, str(target))
    after = target.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list(target.parent.iterdir()) == [target]


def test_nothing_is_written_where_helm_does_not_run(tmp_path: Path) -> None:
    first, _seen = made()
    found, _seen = made(dataclasses.replace(HAVE, values=first.rendered.values))
    cilium_call.write_values(found, str(tmp_path / "values.yaml"))
    assert list(tmp_path.iterdir()) == []


class Helm:
    def __init__(self, code: int = 0, out: str = "", err: str = "") -> None:
        self.answer = (code, out, err)
        self.commands: list[Sequence[str]] = []
        self.files: list[Path] = []

    def __call__(self, command: Sequence[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        self.files.append(Path(command[command.index("--values") + 1]))
        assert self.files[-1].stat().st_mode & 0o777 == 0o600
        return self.answer


def effect(helm: Helm, seen: Observed, found: Plan, chart: cilium_call.Chart = CHART) -> Effect:
    return cilium_call.effect(cilium_call.renderer(helm, "helm", chart, seen), seen, found)


def test_helm_renders_as_the_cluster_is() -> None:
    found, seen = made(HAVE)
    helm = Helm(out="kind: ConfigMap\nmetadata: {name: new}\n")
    assert effect(helm, dataclasses.replace(seen, service_monitors=True), found).added == ("ConfigMap new",)
    text = " ".join(helm.commands[0])
    for part in (
        "--kube-version v1.34.4 ",
        "--api-versions monitoring.coreos.com/v1",
        "--version 1.20.2",
        "--repo https://",
    ):
        assert part in text
    assert not any(file.exists() for file in helm.files), "the values stay nowhere"


def test_helm_is_not_asked_for_a_local_charts_version() -> None:
    found, seen = made(HAVE)
    helm = Helm()
    effect(helm, seen, found, cilium_call.Chart("/chart", "", "1.20.2", True))
    assert "--version" not in helm.commands[0] and "--repo" not in helm.commands[0]


def test_a_first_install_restarts_nothing() -> None:
    found, seen = made()
    assert effect(Helm(out="kind: ConfigMap\nmetadata: {name: new}\n"), seen, found) == Effect()
    with pytest.raises(MeshwrightError, match="a value that it does not take"):
        effect(Helm(1, err="a value that it does not take"), seen, found)


def test_nothing_to_do_asks_nobody() -> None:
    first, _seen = made()
    found, seen = made(dataclasses.replace(HAVE, values=first.rendered.values))
    helm = Helm(1)
    assert effect(helm, seen, found) == Effect() and not helm.commands


def test_a_chart_that_does_not_render() -> None:
    found, seen = made(HAVE)
    with pytest.raises(MeshwrightError, match="l7Proxy must be true"):
        effect(Helm(1, err="l7Proxy must be true"), seen, found)


@pytest.mark.parametrize("error", [FileNotFoundError("no helm"), ValueError("embedded null byte")])
def test_a_helm_that_does_not_run(error: Exception) -> None:
    def run(_command: Sequence[str]) -> tuple[int, str, str]:
        raise error

    with pytest.raises(MeshwrightError, match=str(error)):
        cilium_call.renderer(run, "helm", CHART, Observed())({})


def test_told() -> None:
    found, seen = made(HAVE, tls={"ca": {"key": "new-secret"}}, tunnel="disabled")
    effect = Effect(restarts=("DaemonSet cilium: spec",))
    answer = cilium_call.told(found, seen, CHART, effect, {"new-secret"})
    assert (answer["changed"], answer["action"], answer["stage"], answer["secret_values"]) == (True, "upgrade", 1, True)
    assert (
        answer["restarts"] == ["DaemonSet cilium: spec"] and "it restarts DaemonSet cilium: spec" in answer["summary"]
    )
    assert any("tunnel" in line for line in answer["summary"])
    assert "secret, sha256" in answer["diff"]["after"] and "secret, sha256" in answer["diff"]["before"]
    assert "new-secret" not in str(answer) and "old-secret" not in str(answer)


def test_told_when_there_is_nothing_to_do() -> None:
    first, _seen = made()
    same = dataclasses.replace(HAVE, values=first.rendered.values)
    found, seen = made(same)
    answer = cilium_call.told(found, seen, CHART, Effect(), set())
    assert (answer["changed"], answer["action"], answer["stale_record"]) == (False, "none", "")
    assert "diff" not in answer and "leave Cilium as it is" in answer["summary"][0]


def test_told_of_a_helm_that_was_killed() -> None:
    found, seen = made(dataclasses.replace(HAVE, status="pending-upgrade"))
    assert cilium_call.told(found, seen, CHART, Effect(), set())["stale_record"] == "record"
