"""The annotation by which agents restart for each change of a setting, and for no change of the stage."""

from __future__ import annotations

import copy
import dataclasses
import functools
from typing import Any

import pytest
from fake_helm import FakeHelm, manifest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_call
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import Observed, Plan, Wish, plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_restarts import Effect
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CONFIG_MARK,
    CiliumOptions,
    mark_of,
    unmarked,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

WISH = Wish("1.20.2", CiliumOptions(), nodes=3)
CHART = cilium_call.Chart("cilium", "https://helm.example.org/", "1.20.2", False)


class Cluster:
    """What Helm made of the plans so far."""

    def __init__(self, stage: int = 1, helm: FakeHelm | None = None) -> None:
        self.helm = helm or FakeHelm()
        self.stage = stage
        self.release: Release | None = None

    def plan(self, wish: Wish = WISH, stage: int = 0) -> tuple[Plan, Effect]:
        seen = Observed(there=True, nodes=wish.nodes, release=self.release)
        render = cilium_call.renderer(self.helm, "helm", CHART, seen)
        asked = dataclasses.replace(wish, initial_stage=self.stage, stage=stage)
        found = plan(asked, seen, functools.partial(cilium_call.checksum, render))
        return found, cilium_call.effect(render, seen, found)

    def bring(self, wish: Wish = WISH, stage: int = 0) -> Effect:
        found, effect = self.plan(wish, stage)
        revision = 1 if self.release is None else self.release.revision + 1
        if found.action != "none":
            values = copy.deepcopy(found.rendered.values)
            self.release = Release(revision, "deployed", wish.version, values, manifest(values), "record")
        return effect

    @property
    def mark(self) -> str:
        assert self.release is not None
        return mark_of(self.release.values)


def other(**changes: Any) -> Wish:
    return dataclasses.replace(WISH, options=CiliumOptions(**changes))


def free(**values: Any) -> Wish:
    return dataclasses.replace(WISH, free=values)


def agents(effect: Effect) -> list[str]:
    return [text for text in effect.restarts if text.startswith("DaemonSet")]


@pytest.mark.parametrize("stage", [1, 2])
def test_a_second_run_has_nothing_to_do_and_asks_no_helm(stage: int) -> None:
    cluster = Cluster(stage)
    cluster.bring()
    assert len(cluster.mark) == 64
    cluster.helm.commands.clear()
    assert cluster.plan()[0].action == "none" and not cluster.helm.commands


def test_both_stages_are_the_same_to_it() -> None:
    clusters = [Cluster(stage) for stage in (1, 2)]
    for cluster in clusters:
        cluster.bring()
    assert clusters[0].mark == clusters[1].mark


SETTINGS = st.fixed_dictionaries({}, optional={
    "MTU": st.sampled_from([1400, 9000]),
    "dnsProxy": st.fixed_dictionaries({"enableTransparentMode": st.booleans()}),
    "cni": st.sampled_from([{"chainingMode": "none"}, {"chainingMode": "generic-veth"}, {"exclusive": False}]),
    "podAnnotations": st.sampled_from([{}, {"their": "own"}]),
    "operator": st.sampled_from([{"replicas": 1}]),
})  # fmt: skip


@given(SETTINGS, st.sampled_from([1, 2]), st.lists(st.sampled_from([0, 1, 2]), max_size=4))
def test_no_change_of_the_stage_changes_it(values: dict[str, Any], first: int, stages: list[int]) -> None:
    cluster, wish = Cluster(first), free(**values)
    cluster.bring(wish)
    mark = cluster.mark
    for stage in stages:
        assert not agents(cluster.bring(wish, stage)) and cluster.mark == mark
        assert cluster.plan(wish)[0].action == "none"


@given(SETTINGS, SETTINGS, st.sampled_from([1, 2]))
def test_each_other_change_does(former: dict[str, Any], latter: dict[str, Any], stage: int) -> None:
    cluster = Cluster(stage)
    cluster.bring(free(**former))
    assert cluster.release is not None
    mark, data = cluster.mark, _data(cluster.release)
    effect = cluster.bring(free(**latter))
    annotated = former.get("podAnnotations", {}) != latter.get("podAnnotations", {})
    if _data(cluster.release) != data:
        assert cluster.mark != mark and agents(effect)
    else:
        assert bool(agents(effect)) is (cluster.mark != mark or annotated)


def _data(release: Release) -> Any:
    return cilium_call.stage2_values.config_data(release.manifest)


def test_a_cluster_from_before_is_told_of_its_one_restart() -> None:
    cluster = Cluster()
    cluster.bring()
    assert cluster.release is not None
    values = {**unmarked(cluster.release.values), "rollOutCiliumPods": True}
    cluster.release = dataclasses.replace(cluster.release, values=values, manifest=manifest(values))
    found, effect = cluster.plan()
    answer = cilium_call.told(found, Observed(there=True, release=cluster.release), CHART, effect, set())
    assert answer["action"] == "upgrade" and "DaemonSet cilium" in answer["restarts"][0]
    assert CONFIG_MARK in " ".join(answer["summary"]), "the reason is told"
    cluster.bring()
    assert cluster.plan()[0].action == "none"


def test_a_setting_that_stage_1_cannot_have() -> None:
    """Then the settings of stage 2 are all there is, and going back begins with a change of them."""
    cluster = Cluster(2)
    cluster.bring()
    plain = cluster.mark
    assert agents(cluster.bring(other(gateway_api=True))) and cluster.mark != plain
    assert cluster.plan(other(gateway_api=True))[0].action == "none"
    with pytest.raises(MeshwrightError, match="cilium_gateway_api"):
        cluster.plan(other(gateway_api=True), 1)
    assert agents(cluster.bring()) and cluster.mark == plain
    assert not agents(cluster.bring(stage=1)) and cluster.mark == plain


def test_what_the_chart_refuses_at_the_other_stage_only() -> None:
    def refuses(values: dict[str, Any]) -> str:
        wanted = values.get("egressGateway") and values["kubeProxyReplacement"] == "false"
        return "egressGateway needs the replacement" if wanted else ""

    wish = free(egressGateway={"enabled": True})
    cluster = Cluster(2, FakeHelm(refuses))
    cluster.bring(wish)
    assert cluster.mark and cluster.plan(wish)[0].action == "none"
    with pytest.raises(MeshwrightError, match="egressGateway needs the replacement"):
        cluster.plan(wish, 1)


def test_what_is_said_of_the_stage_changes_nothing() -> None:
    """The other stage's values cannot be made with it; once it is gone, they can: the settings are the same."""
    cluster = Cluster()
    cluster.bring(free(kubeProxyReplacement="disabled"))
    mark = cluster.mark
    assert cluster.plan()[0].action == "none"
    assert not agents(cluster.bring(stage=2)) and cluster.mark == mark


def test_a_helm_that_was_killed_at_the_flip() -> None:
    cluster = Cluster()
    cluster.bring()
    mark, good = cluster.mark, cluster.release
    cluster.bring(stage=2)
    assert good is not None and cluster.release is not None
    killed = dataclasses.replace(cluster.release, status="pending-upgrade")
    seen = Observed(there=True, nodes=3, release=killed, deployed=good)

    def never(_possible: Any, _stage: int) -> str:
        raise AssertionError("rendered anew")

    on = plan(dataclasses.replace(WISH, stage=2), seen, never)
    back = plan(dataclasses.replace(WISH, stage=1), seen, never)
    assert (on.forget, on.rollback, mark_of(on.rendered.values)) == (True, 0, mark)
    assert (back.forget, back.rollback, mark_of(back.rendered.values)) == (True, good.revision, mark)


def test_a_helm_that_was_killed_on_its_way_to_other_settings() -> None:
    cluster = Cluster()
    cluster.bring()
    good = cluster.release
    cluster.bring(other(mtu=1400))
    assert good is not None and cluster.release is not None
    killed = dataclasses.replace(cluster.release, status="failed")
    seen = Observed(there=True, nodes=3, release=killed, deployed=good)
    found = plan(WISH, seen, lambda _possible, _stage: "rendered anew")
    assert (found.rollback, mark_of(found.rendered.values)) == (good.revision, mark_of(good.values))


@pytest.mark.parametrize("roll_out", [True, False])
def test_who_arranges_restarts_alone_gets_no_mark(roll_out: bool) -> None:
    cluster = Cluster()
    cluster.bring(free(rollOutCiliumPods=roll_out))
    assert not cluster.mark
    assert bool(agents(cluster.bring(free(rollOutCiliumPods=roll_out, MTU=1400)))) is roll_out
    assert bool(agents(cluster.bring(free(rollOutCiliumPods=roll_out, MTU=1400), 2))) is roll_out


def test_another_chart_is_asked_anew() -> None:
    cluster = Cluster()
    cluster.bring()
    assert cluster.release is not None
    cluster.release = dataclasses.replace(
        cluster.release, chart_version="1.20.1", values={**cluster.release.values, "podAnnotations": {CONFIG_MARK: "x"}}
    )
    assert mark_of(cluster.plan()[0].rendered.values) not in ("", "x")
