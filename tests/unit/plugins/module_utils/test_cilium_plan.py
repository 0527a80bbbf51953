from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import (
    Observed,
    Plan,
    Wish,
    gateway_installed,
    k3s_stage,
    plan,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CiliumOptions,
    Cluster,
    cilium_values,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

OPTIONS = CiliumOptions()
WISH = Wish("1.20.2", OPTIONS)
GATEWAY = CiliumOptions(gateway_api=True)


def release(stage: int = 1, **changes: Any) -> Release:
    values = cilium_values(OPTIONS, stage, Cluster(4), checksum="sum").values
    return dataclasses.replace(Release(3, "deployed", "1.20.2", values, "", "record"), **changes)


def checksum(_possible: Any, _stage: int) -> str:
    return "sum"


def made(wish: Wish = WISH, **seen: Any) -> Plan:
    return plan(wish, Observed(**{"there": True, "nodes": 4, **seen}), checksum)


def test_a_new_cluster() -> None:
    found = made()
    assert (found.action, found.stage, found.forget) == ("install", 1, False)


def test_a_cluster_to_come_is_planned_for_the_inventory() -> None:
    found = plan(dataclasses.replace(WISH, nodes=4), Observed(), checksum)
    assert found.rendered.values["operator"]["replicas"] == 2


def test_the_same_again_is_nothing() -> None:
    assert made(release=release()).action == "none"


def test_other_values() -> None:
    found = made(dataclasses.replace(WISH, free={"MTU": 1400}), release=release())
    assert (found.action, found.why) == ("upgrade", "other values")


@pytest.mark.parametrize("feature", ["bgpControlPlane", "l2announcements"])
def test_what_announces_is_switched_off_by_the_free_values_only(feature: str) -> None:
    """A move from one to the other: what announced until now does so until its successor is seen to work."""
    have = release(2)
    have.values[feature] = {"enabled": True}
    assert made(release=have).action == "none"
    off = made(dataclasses.replace(WISH, free={feature: {"enabled": False}}), release=have)
    assert (off.action, off.rendered.values[feature]) == ("upgrade", {"enabled": False})


def test_a_node_that_came_changes_the_operators() -> None:
    single = cilium_values(OPTIONS, 1, Cluster(1)).values
    assert made(release=release(values=single)).action == "upgrade"


def test_other_version() -> None:
    found = made(dataclasses.replace(WISH, version="1.20.3"), release=release())
    assert (found.action, found.why) == ("upgrade", "from 1.20.2 to 1.20.3")


def test_one_minor_at_a_time() -> None:
    with pytest.raises(MeshwrightError, match="one Cilium minor at a time"):
        made(dataclasses.replace(WISH, version="1.20.2"), release=release(chart_version="1.18.0"))


@pytest.mark.parametrize(
    ("status", "revision", "action"),
    [("pending-install", 1, "install"), ("pending-upgrade", 4, "upgrade"), ("failed", 1, "install")],
)
def test_a_helm_that_was_killed_or_failed_is_run_again(status: str, revision: int, action: str) -> None:
    found = made(release=release(status=status, revision=revision))
    assert (found.action, found.forget) == (action, True)


def test_a_killed_helm_that_was_on_its_way_elsewhere_is_undone() -> None:
    killed = release(status="pending-upgrade", revision=4, values={"MTU": 1400})
    found = made(release=killed, deployed=release())
    assert (found.action, found.forget, found.rollback) == ("upgrade", True, 3)


def test_a_killed_helm_that_was_on_the_right_way_is_repeated() -> None:
    found = made(release=release(status="pending-upgrade", revision=4), deployed=release(values={"MTU": 1400}))
    assert (found.action, found.forget, found.rollback) == ("upgrade", True, 0)


@pytest.mark.parametrize("initial", [1, 2])
@pytest.mark.parametrize("k3s", [None, 1, 2])
def test_a_new_cluster_takes_the_stage_of_k3s_before_the_wished_one(initial: int, k3s: int | None) -> None:
    assert made(dataclasses.replace(WISH, initial_stage=initial), k3s_stage=k3s).stage == (k3s or initial)


@pytest.mark.parametrize("initial", [1, 2])
@pytest.mark.parametrize(("k3s", "have"), [(None, 1), (None, 2), (1, 1), (2, 2), (1, 2)])
def test_a_live_cluster_keeps_its_stage(initial: int, k3s: int | None, have: int) -> None:
    found = made(dataclasses.replace(WISH, initial_stage=initial), k3s_stage=k3s, release=release(have))
    assert (found.stage, found.action) == (have, "none")


@pytest.mark.parametrize("stage", [0, 1])
def test_nobody_serves_the_services(stage: int) -> None:
    with pytest.raises(MeshwrightError, match="disable-kube-proxy"):
        made(dataclasses.replace(WISH, stage=stage), k3s_stage=2, release=release(1))


@pytest.mark.parametrize(("have", "asked"), [(1, 2), (2, 1)])
def test_another_stage_is_made_when_asked_for(have: int, asked: int) -> None:
    wish = dataclasses.replace(WISH, stage=asked)
    found = made(wish, k3s_stage=1, release=release(have))
    assert (found.stage, found.action, found.why) == (asked, "upgrade", f"from stage {have} to {asked}")
    there = release(values=found.rendered.values)
    assert made(wish, release=there).action == made(WISH, release=there).action == "none"


def test_the_way_back_leaves_l2_announcements_that_nobody_asks_for() -> None:
    have = release(2)
    have.values["l2announcements"] = {"enabled": True}
    found = made(dataclasses.replace(WISH, stage=1), release=have)
    assert "l2announcements" not in found.rendered.values
    with pytest.raises(MeshwrightError, match="cilium_l2_announcements is true at stage 1"):
        asked = dataclasses.replace(OPTIONS, l2_announcements=True)
        made(dataclasses.replace(WISH, stage=1, options=asked), release=have)


def test_a_foreign_cilium_is_left_alone() -> None:
    with pytest.raises(MeshwrightError, match="without a release of Helm"):
        made(foreign=True)


def gateway(installed: str = "", have: Release | None = None, **wish: Any) -> Plan:
    wished = dataclasses.replace(WISH, options=GATEWAY, initial_stage=2, **wish)
    return made(wished, gateway_installed=installed, release=have)


def test_the_gateway_api_of_the_version_that_fits() -> None:
    found = gateway().gateway
    assert found is not None and found.apply and not found.restart_operator
    assert found.sources == (
        "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml",
    )


@pytest.mark.parametrize(
    ("installed", "apply"), [("v1.6.1", False), ("v1.6.4", False), ("v1.6.0", True), ("unknown", True)]
)
def test_the_gateway_api_that_is_there(installed: str, apply: bool) -> None:
    found = gateway(installed).gateway
    assert found is not None and found.apply is apply


def test_the_gateway_api_does_not_go_back() -> None:
    with pytest.raises(MeshwrightError, match=r"1\.7\.0, wanted 1\.6\.1"):
        gateway("v1.7.0")


@pytest.mark.parametrize(
    ("have", "restart"),
    [
        ({"gatewayAPI": {"enabled": True}}, True),  # it looked for other CRDs, and the release does not change
        ({"gatewayAPI": {"enabled": False}}, False),  # the change of the release restarts it
        ({}, False),
    ],
)
def test_an_operator_is_restarted_for_the_gateway_api_once(have: dict[str, Any], restart: bool) -> None:
    before = release(2)
    found = gateway("v1.6.0", dataclasses.replace(before, values={**before.values, **have})).gateway
    assert found is not None and found.apply and found.restart_operator is restart


def test_the_gateway_api_from_a_directory(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "kustomization.yaml", "README.md"):
        (tmp_path / name).write_text("")
    found = gateway(gateway_crds=str(tmp_path)).gateway
    assert found is not None and [Path(source).name for source in found.sources] == ["a.yaml", "b.yaml"]


def test_a_directory_without_manifests(tmp_path: Path) -> None:
    with pytest.raises(MeshwrightError, match="without manifests"):
        gateway(gateway_crds=str(tmp_path))


def test_no_gateway_api_at_stage_1() -> None:
    with pytest.raises(MeshwrightError, match="cilium_gateway_api is true at stage 1"):
        made(dataclasses.replace(WISH, options=GATEWAY))


def noted(*arguments: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {"k3s.io/node-args": json.dumps(arguments)}}}


@pytest.mark.parametrize(
    ("nodes", "stage"),
    [
        ([], None),
        ([{"metadata": {}}, noted("agent")], None),
        ([{"metadata": {"annotations": {"k3s.io/node-args": "no list"}}}], None),
        ([noted("server", "--token", "********"), noted("agent")], 1),
        ([noted("server", "--disable-kube-proxy", "true"), noted("agent")], 2),
        ([noted("server", "--disable-kube-proxy")], 2),
        ([noted("server", "--disable-kube-proxy=true", "--disable", "traefik")], 2),
        ([noted("server", "--disable-kube-proxy", "--disable", "traefik")], 2),
        ([noted("server", "--disable-kube-proxy", "true", "--disable-kube-proxy=false")], 1),
        ([noted("server", "--disable-kube-proxy", "true"), noted("server")], 1),
    ],
)
def test_the_stage_that_the_servers_run_at(nodes: list[Any], stage: int | None) -> None:
    assert k3s_stage(nodes) == stage


KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "tlsroutes", "backendtlspolicies")


def crds(*kinds: str, version: str = "v1.6.1") -> list[dict[str, Any]]:
    notes = {"gateway.networking.k8s.io/bundle-version": version} if version else None
    return [{"metadata": {"name": f"{kind}.gateway.networking.k8s.io", "annotations": notes}} for kind in kinds]


@pytest.mark.parametrize(
    ("found", "version"),
    [
        ([], ""),
        ([{"metadata": {"name": "ciliumnodes.cilium.io"}}], ""),
        (crds(*KINDS), "v1.6.1"),
        (crds(*KINDS, "tcproutes"), "v1.6.1"),
        (crds(*KINDS[:3]), "unknown"),
        (crds(*KINDS[:3]) + crds(*KINDS[3:], version="v1.6.0"), "unknown"),
        (crds(*KINDS, version=""), "unknown"),
    ],
)
def test_the_gateway_api_that_all_of_its_crds_have(found: list[Any], version: str) -> None:
    assert gateway_installed(found) == version
