"""What both stages render to, and what the flip between them restarts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from fake_helm import FakeHelm, manifest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_renderings
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import Observed
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CiliumOptions,
    Cluster,
    cilium_values,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_renderings import Renderings
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_values import defaults

GIVEN: dict[str, Any] = {
    "kubeconfig": "/kubeconfig", "chart": "cilium", "chart_repo_url": "https://helm.example.org/", "version": "1.20.2",
    "cluster_cidr": ["10.42.0.0/16"],
}  # fmt: skip


def release(stage: int, free: dict[str, Any] | None = None, mark: str = "sum", **options: Any) -> Release:
    values = cilium_values(CiliumOptions(**options), stage, Cluster(3), free, mark).values
    return Release(4, "deployed", "1.20.2", values, manifest(values), "record")


def ask(have: Release | None, target: int, helm: FakeHelm | None = None, **given: Any) -> Renderings:
    seen = Observed(there=True, nodes=3, kubernetes="v1.34.4+k3s1", release=have)
    return stage2_renderings.renderings({**GIVEN, **given}, target, seen, helm or FakeHelm())


@pytest.mark.parametrize(("have", "target"), [(1, 2), (2, 1), (1, 1), (2, 2)])
def test_both_stages(have: int, target: int) -> None:
    helm = FakeHelm()
    found = ask(release(have), target, helm)
    assert found.data[1]["kube-proxy-replacement"] == "false" and found.data[2]["kube-proxy-replacement"] == "true"
    assert found.data[have] == manifest_data(release(have)), "as the live settings"
    assert defaults(found.data[1], found.data[2]) and defaults(found.data[2], found.data[1])
    assert (found.only_stage2, len(helm.commands)) == ((), 2), "each stage is rendered once"


def manifest_data(have: Release) -> Any:
    return stage2_renderings.config_data(have.manifest)


@pytest.mark.parametrize(("have", "target"), [(1, 2), (2, 1)])
def test_the_flip_restarts_the_operator_alone(have: int, target: int) -> None:
    restarts = ask(release(have), target).flip_restarts
    assert len(restarts) == 1 and restarts[0].startswith("Deployment cilium-operator")


def test_a_flip_that_is_behind_restarts_nothing() -> None:
    assert ask(release(2), 2).flip_restarts == ()


@pytest.mark.parametrize("free", [{"rollOutCiliumPods": True}, {}])
def test_agents_that_the_flip_would_restart_are_told(free: dict[str, Any]) -> None:
    """Where the user wants it so, and in a cluster of which no site.yml made what it should be."""
    have = release(1, {"rollOutCiliumPods": True}, mark="")
    assert any(text.startswith("DaemonSet cilium") for text in ask(have, 2, values=free).flip_restarts)


def test_stage_2_is_asked_for_what_stage_1_cannot_have() -> None:
    with pytest.raises(MeshwrightError, match="cilium_gateway_api is true at stage 1"):
        ask(release(1), 2, options={"gateway_api": True})


def test_the_way_back_is_barred_by_settings() -> None:
    """The gate tells of it, with everything else that it has to say."""
    options = {"gateway_api": True, "bpf_masquerade": True}
    found = ask(release(2, **options), 1, options=options)
    assert found.only_stage2 == ("cilium_bpf_masquerade", "cilium_gateway_api")
    assert set(found.data) == {2} and found.flip_restarts == ()


def test_settings_of_stage_2_are_well_once_it_is_there() -> None:
    found = ask(release(2, gateway_api=True), 2, options={"gateway_api": True})
    assert set(found.data) == {2} and found.only_stage2 == ("cilium_gateway_api",)


def test_what_announced_over_l2_only_is_no_obstacle() -> None:
    found = ask(release(2, l2_announcements=True), 1)
    assert (set(found.data), found.only_stage2) == ({1, 2}, ())
    assert "l2announcements.enabled" in found.data[2] and "l2announcements.enabled" not in found.data[1]


def test_free_values_for_one_stage_only() -> None:
    free = {"kubeProxyReplacementHealthzBindAddr": "0.0.0.0:10256"}
    have = release(2, free)
    assert set(ask(have, 2, values=free).data) == {2}
    with pytest.raises(MeshwrightError, match="kubeProxyReplacementHealthzBindAddr"):
        ask(have, 1, values=free)


def test_a_chart_that_refuses_a_stage() -> None:
    def refuses(values: dict[str, Any]) -> str:
        return "the chart needs hunter22" if values["kubeProxyReplacement"] == "false" else ""

    free = {"etcd": {"password": "hunter22"}}
    have = release(2, free)
    assert set(ask(have, 2, FakeHelm(refuses), values=free).data) == {2}
    with pytest.raises(MeshwrightError, match="the chart needs") as error:
        ask(have, 1, FakeHelm(refuses), values=free)
    assert "hunter22" not in str(error.value)


@pytest.mark.parametrize("have", [None, dataclasses.replace(release(1), values={})])
def test_without_a_release_that_tells_its_stage(have: Release | None) -> None:
    assert ask(have, 2) == Renderings()


def test_what_is_asked_wrongly() -> None:
    with pytest.raises(MeshwrightError, match="nodes"):
        ask(release(1), 2, nodes="many")


def test_a_command_from_an_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "helm").write_text("#!/bin/sh\necho out $1; echo err >&2; exit 3\n")
    (tmp_path / "helm").chmod(0o755)
    assert stage2_renderings.run_here(["~/helm", "template"]) == (3, "out template\n", "err\n")
