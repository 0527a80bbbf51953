from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_restarts import Effect, compare


def workload(kind: str = "DaemonSet", name: str = "cilium", image: str = "a:1", **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": image, "envFrom": [{"configMapRef": {"name": f"{name}-config"}}]}
    template = {"metadata": {"annotations": {}}, "spec": {"containers": [container]}}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template, **spec}}


def configmap(name: str = "cilium-config", **data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def manifest(*documents: Any) -> str:
    return yaml.safe_dump_all(documents)


ONE = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}}


def test_nothing_changed() -> None:
    same = manifest(workload(), configmap(mtu="1500"))
    assert compare(same, same) == Effect()
    assert Effect().sentences() == ()


def test_a_template_that_changed_restarts_its_pods() -> None:
    found = compare(manifest(workload(**ONE)), manifest(workload(image="a:2", **ONE)))
    assert found.restarts == ("DaemonSet cilium (on all its nodes, one at a time): spec.containers[0].image",)


@pytest.mark.parametrize(
    ("strategy", "pace"),
    [
        ({"rollingUpdate": {"maxUnavailable": 2}}, "2 at a time"),
        ({"rollingUpdate": {"maxUnavailable": "10%"}}, "10% at a time"),
        ({}, "one at a time"),
        ({"type": "OnDelete"}, "deleted by hand"),
    ],
)
def test_how_fast(strategy: dict[str, Any], pace: str) -> None:
    sides = [manifest(workload(image=image, updateStrategy=strategy)) for image in ("a:1", "a:2")]
    assert pace in compare(*sides).restarts[0]


def test_what_is_not_in_the_template_restarts_nothing() -> None:
    have = manifest(workload("Deployment", replicas=1))
    assert compare(have, manifest(workload("Deployment", replicas=2))) == Effect()


def test_a_setting_that_no_pod_reads_yet_is_told_apart() -> None:
    found = compare(manifest(workload(), configmap(mtu="1500")), manifest(workload(), configmap(mtu="1400")))
    assert found.config_only == ("ConfigMap cilium-config: mtu",)
    assert found.restarts == found.settings == ()
    assert "no pod reads it before its next restart" in found.sentences()[0]


def test_a_setting_that_comes_with_a_restart() -> None:
    have = manifest(workload(), configmap(mtu="1500"))
    found = compare(have, manifest(workload(image="a:2"), configmap(mtu="1400")))
    assert found.settings == ("ConfigMap cilium-config: mtu",) and found.config_only == ()


def test_a_restart_of_somebody_else_does_not_read_it() -> None:
    others = [workload("Deployment", "other", image) for image in ("a:1", "a:2")]
    found = compare(manifest(others[0], configmap(a="1")), manifest(others[1], configmap(a="2")))
    assert found.config_only and not found.settings


def test_added_and_removed() -> None:
    found = compare(manifest(workload(), configmap("old")), manifest(workload(), workload(name="cilium-envoy")))
    assert found.added == ("DaemonSet cilium-envoy",) and found.removed == ("ConfigMap old",)


def test_certificates_of_each_rendering_are_nothing() -> None:
    sides = [manifest({"kind": "Secret", "metadata": {"name": "certs"}, "data": {"a": side}}) for side in "xy"]
    assert compare(*sides) == Effect()


def test_empty_documents_and_many_paths() -> None:
    sides = ["---\n---\n" + manifest(configmap(**{f"k{at}": side for at in range(12)})) for side in "xy"]
    assert compare(*sides).config_only[0].endswith("and 4 more")
