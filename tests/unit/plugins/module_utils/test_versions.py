from __future__ import annotations

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.versions import parse_k3s, parse_plain


def test_k3s_versions_round_trip_and_sort() -> None:
    names = ["v1.33.7+k3s1", "v1.33.7+k3s3", "v1.34.0-rc1+k3s1", "v1.34.0+k3s1", "v1.34.10+k3s1"]
    parsed = [parse_k3s(name) for name in names]
    assert [str(version) for version in parsed] == names
    assert sorted(parsed) == parsed


@pytest.mark.parametrize("text", ["1.34.4+k3s1", "v1.34.4", "v1.34+k3s1", "latest", "v1.34.4+rke2r1", ""])
def test_k3s_versions_refused(text: str) -> None:
    with pytest.raises(MeshwrightError, match="k3s_version"):
        parse_k3s(text)


def test_every_line_is_whole() -> None:
    for line in versions.CILIUM:
        assert line.kubernetes_first <= line.kubernetes_last
        assert parse_plain(line.gateway_api, "x").major == 1
        assert {"CiliumNodeConfig", "CiliumBGPClusterConfig", "CiliumLoadBalancerIPPool"} <= set(line.crds)
    assert [line.minor for line in versions.CILIUM] == sorted(line.minor for line in versions.CILIUM)
    assert [line.minor for line in versions.KUBERNETES] == sorted(line.minor for line in versions.KUBERNETES)


@pytest.mark.parametrize(
    ("cilium", "kubernetes", "fits"),
    [((1, 20), (1, 34), True), ((1, 20), (1, 32), False), ((1, 20), (1, 37), False), ((1, 16), (1, 34), False)],
)
def test_cilium_and_kubernetes(cilium: versions.Minor, kubernetes: versions.Minor, fits: bool) -> None:
    assert versions.cilium_supports(cilium, kubernetes) is fits
    assert (cilium in versions.cilium_for(kubernetes)) is fits


@pytest.mark.parametrize(
    ("cilium", "gateway", "fits"),
    [((1, 20), "1.6.1", True), ((1, 20), "v1.6.3", True), ((1, 20), "1.6.0", False), ((1, 19), "1.5.0", False)],
)
def test_gateway_api(cilium: versions.Minor, gateway: str, fits: bool) -> None:
    assert versions.gateway_api_fits(cilium, parse_plain(gateway, "cilium_gateway_api_version")) is fits


def test_api_versions() -> None:
    assert versions.api_version("CiliumBGPClusterConfig", (1, 20)) == "cilium.io/v2"
    assert versions.api_version("CiliumBGPClusterConfig", (1, 16)) == "cilium.io/v2alpha1"
    assert versions.api_version("CiliumL2AnnouncementPolicy", (1, 20)) == "cilium.io/v2alpha1"
    with pytest.raises(MeshwrightError, match="CiliumNope"):
        versions.api_version("CiliumNope", (1, 20))
    with pytest.raises(MeshwrightError, match=r"1\.16 to 1\.20"):
        versions.gateway_api_for((1, 12))


@pytest.mark.parametrize(
    ("have", "want", "says"),
    [
        ("v1.34.4+k3s1", "v1.34.4+k3s1", None),
        ("v1.34.4+k3s1", "v1.34.2+k3s1", None),
        ("v1.33.7+k3s3", "v1.34.4+k3s1", None),
        ("v1.33.7+k3s1", "v1.34.4+k3s1", "v1.33.7+k3s3 or later"),
        ("v1.33.6+k3s1", "v1.34.4+k3s1", "etcd 3.6"),
        ("v1.32.11+k3s1", "v1.34.4+k3s1", "one Kubernetes minor at a time"),
        ("v1.34.4+k3s1", "v1.33.7+k3s3", "does not go back"),
    ],
)
def test_k3s_steps(have: str, want: str, says: str | None) -> None:
    error = versions.k3s_step(parse_k3s(have), parse_k3s(want))
    assert (error is None) if says is None else (says in str(error))


@pytest.mark.parametrize(
    ("have", "want", "says"),
    [
        ("1.19.5", "1.20.2", None),
        ("1.20.2", "1.19.5", None),
        ("1.18.4", "1.20.2", "1.19"),
        ("1.20.2", "1.18.1", "1.19"),
    ],
)
def test_cilium_steps(have: str, want: str, says: str | None) -> None:
    error = versions.cilium_step(parse_plain(have, "x"), parse_plain(want, "x"))
    assert (error is None) if says is None else (f"go to a {says} release" in str(error))
