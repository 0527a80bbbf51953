from __future__ import annotations

import copy
import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_model as model
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_bgp
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import KINDS, objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_plan import (
    Candidate,
    Step,
    diff,
    essence,
    judge_settings,
    key,
    masked,
    plan,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

ALL = model.Announcement("all", model.LOAD_BALANCER_IPS)
UDM = model.Router(
    "udm", model.UNIFI, 64512, ("192.0.2.1",), password="canary-7", families=("ipv4",), announcements=("all",)
)
NODE = model.Node("server1", "server1", ("192.0.2.11",), router_id="192.0.2.11")
HOME = model.Bgp(
    "home", 65000, nodes=(NODE,), routers=(UDM,), announcements=(ALL,), pools=(model.Pool("web", ("192.0.3.0/24",)),),
    l2_policies=(model.L2Policy("lan"),),
)  # fmt: skip
ON = {"enable-bgp-control-plane": "true", "enable-l2-announcements": "true", "bgp-secrets-namespace": "kube-system"}


class Cluster:
    """An API server that keeps objects, gives them a generation, and tries without keeping."""

    def __init__(self, settings: dict[str, str] | None = None, served: bool = True) -> None:
        self.kept: dict[Any, Any] = {}
        self.settings = ON if settings is None else settings
        self.served = served
        self.told: list[str] = []

    def resource(self, version: str, _kind: str) -> object | None:
        return object() if self.served or version == "v1" else None

    def get(self, kind: str, name: str, namespace: str = "", _version: str = "v1") -> Any:
        if kind == "ConfigMap":
            return {"data": self.settings} if self.settings else None
        return copy.deepcopy(self.kept.get((kind, namespace, name)))

    def list(self, kind: str, _namespace: str, version: str, labels: str) -> list[Any]:
        name, _, value = labels.partition("=")
        return [
            {**copy.deepcopy(item), "apiVersion": version}
            for item in self.kept.values()
            if item["kind"] == kind and item["metadata"].get("labels", {}).get(name) == value
        ]

    def apply(self, wanted: Any, dry_run: bool = False) -> Any:
        former = self.kept.get(key(wanted))
        made = copy.deepcopy(wanted)
        if wanted["kind"] == "CiliumBGPPeerConfig":
            made["spec"].setdefault("ebgpMultihop", 1)  # as the CRD's default does
        same = former is not None and essence(former) == essence(made)
        generation = 1 if former is None else former["metadata"]["generation"] + (not same)
        made["metadata"] = {**made["metadata"], "generation": generation, "managedFields": [generation]}
        if not dry_run:
            self.told.append(f"apply {wanted['kind']}")
            self.kept[key(wanted)] = made
        return copy.deepcopy(made)

    def delete(self, kind: str, name: str, namespace: str = "", _version: str = "") -> bool:
        self.told.append(f"delete {kind}")
        return self.kept.pop((kind, namespace, name), None) is not None


def run(kube: Any, bgp: model.Bgp = HOME, **options: Any) -> tuple[Step, ...]:
    return cilium_bgp.run(kube, bgp, **options)


def test_a_second_run_changes_nothing() -> None:
    kube = Cluster()
    assert {step.action for step in run(kube)} == {"create"}
    before, kube.told = copy.deepcopy(kube.kept), []
    assert run(kube) == () and kube.told == [] and kube.kept == before


class Busy(Cluster):
    """Has only just learnt of the kinds."""

    refused = 3

    def list(self, kind: str, namespace: str, version: str, labels: str) -> list[Any]:
        if self.refused:
            self.refused -= 1
            raise Unreachable("the answer", seen="429 Too Many Requests storage is (re)initializing")
        return super().list(kind, namespace, version, labels)


def test_an_api_server_that_is_busy_for_a_moment() -> None:
    cluster, clock = Busy(), Turned()
    assert run(cluster, clock=clock)
    assert not run(cluster, clock=clock)


def test_check_mode_keeps_nothing_and_says_the_same() -> None:
    kube = Cluster()
    said = [str(step) for step in run(kube, check=True)]
    assert kube.kept == {} and said == [str(step) for step in run(kube)]


def test_check_mode_before_cilium_is_there() -> None:
    assert {step.action for step in run(Cluster(settings={}, served=False), check=True)} == {"create"}


def test_one_change_touches_one_object() -> None:
    kube = Cluster()
    run(kube)
    (step,) = run(kube, dataclasses.replace(HOME, routers=(dataclasses.replace(UDM, multihop=4),)))
    assert str(step) == "change CiliumBGPPeerConfig mw-home-udm.ipv4"


def test_a_router_that_is_no_longer_named() -> None:
    kube = Cluster()
    second = dataclasses.replace(UDM, name="two", addresses=("192.0.2.2",))
    run(kube, dataclasses.replace(HOME, routers=(UDM, second)))
    kube.told = []
    run(kube)
    assert kube.told == ["apply CiliumBGPClusterConfig", "delete CiliumBGPPeerConfig", "delete Secret"]


def test_a_move_from_l2_to_bgp_removes_the_old_way_last() -> None:
    kube = Cluster()
    l2_only = dataclasses.replace(HOME, routers=())
    run(kube, l2_only)
    kube.told = []
    bgp_only = dataclasses.replace(HOME, l2_policies=())
    run(kube, bgp_only, prune=False)
    assert "delete CiliumL2AnnouncementPolicy" not in kube.told
    kube.told = []
    run(kube, bgp_only)
    assert kube.told == ["delete CiliumL2AnnouncementPolicy"]


def test_all_of_ours_goes_and_nothing_else() -> None:
    kube = Cluster()
    run(kube)
    other = {"kind": "CiliumLoadBalancerIPPool", "metadata": {"name": "other"}}
    kube.kept[key(other)] = other
    run(kube, present=False)
    assert list(kube.kept.values()) == [other]
    assert run(kube, present=False) == ()


def test_somebody_elses_object_is_not_taken_over() -> None:
    kube = Cluster()
    kube.kept["CiliumBGPNodeConfigOverride", "", "server1"] = {
        "kind": "CiliumBGPNodeConfigOverride", "metadata": {"name": "server1", "generation": 1}, "spec": {},
    }  # fmt: skip
    with pytest.raises(MeshwrightError, match="CiliumBGPNodeConfigOverride server1 is somebody else's"):
        run(kube)
    assert kube.told == []


def test_kinds_that_are_not_served() -> None:
    with pytest.raises(MeshwrightError, match=r"not served as cilium.io/v2.*bgpControlPlane.enabled=true"):
        run(Cluster(served=False))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"enable-bgp-control-plane": "false"}, "BGP control plane is off"),
        ({"enable-l2-announcements": "false"}, "L2 announcements is off"),
        ({"bgp-secrets-namespace": "elsewhere"}, "passwords is elsewhere, wanted kube-system"),
    ],
)
def test_what_cilium_would_ignore_in_silence(changed: dict[str, str], message: str) -> None:
    (problem,) = judge_settings(HOME, {**ON, **changed})
    assert message in str(problem)


def test_without_cilium() -> None:
    with pytest.raises(MeshwrightError, match="cilium-config in kube-system is missing"):
        run(Cluster(settings={}))


def test_a_password_that_somebody_overwrites() -> None:
    class Overwritten(Cluster):
        def apply(self, wanted: Any, dry_run: bool = False) -> Any:
            made = super().apply(wanted, dry_run)
            if wanted["kind"] == "Secret" and not dry_run:
                self.kept[key(wanted)]["data"] = {}
            return made

    with pytest.raises(MeshwrightError, match="Secret kube-system/mw-home-udm is missing"):
        run(Overwritten())


def test_diffs_show_no_password() -> None:
    kube = Cluster()
    first = json.dumps(diff(run(kube)))
    second = json.dumps(diff(run(kube, dataclasses.replace(HOME, routers=(dataclasses.replace(UDM, password="new"),)))))
    secret = next(item for item in objects(HOME) if item["kind"] == "Secret")
    for text in (first, second):
        assert secret["data"]["password"] not in text and "canary-7" not in text
    assert "(masked), another one" in second
    assert masked(secret, secret)["data"] == {"password": "(masked)"}


def test_only_passwords_are_struck_out_of_the_answer() -> None:
    module = SimpleNamespace(params={"description": model.as_dict(HOME)}, no_log_values={"udm", "home"})
    assert cilium_bgp.description(module).cluster == "home"
    assert "canary-7" in module.no_log_values and "udm" not in module.no_log_values


# -- the plan, whatever is there

NAMES = st.sets(st.sampled_from("abcdef"))


def thing(kind: str, name: str, generation: int = 1) -> dict[str, Any]:
    labels = {model.OWNER_LABEL: model.OWNER}
    meta = {"name": name, "labels": labels, "generation": generation}
    return {"apiVersion": "v", "kind": kind, "metadata": meta, "spec": {}}


@given(NAMES, NAMES, st.sampled_from(KINDS), st.sampled_from(KINDS), st.booleans())
def test_the_plan(have: set[str], want: set[str], first: str, second: str, prune: bool) -> None:
    live = {(kind, name): thing(kind, name, 3) for name in have for kind in {first, second}}
    candidates = [
        Candidate(thing(kind, name), live.get((kind, name)), thing(kind, name))
        for name in want
        for kind in {first, second}
    ]  # fmt: skip
    steps = plan(candidates, list(live.values()), prune)
    actions = [step.action for step in steps]
    assert "change" not in actions, "a generation is the server's own business"
    assert actions == sorted(actions), "what is made comes before what goes"
    assert {step.name for step in steps if step.action == "create"} == want - have
    assert {step.name for step in steps if step.action == "delete"} == (have - want if prune else set())
    ranks = [KINDS.index(step.kind) for step in steps if step.action == "delete"]
    assert ranks == sorted(ranks, reverse=True)
