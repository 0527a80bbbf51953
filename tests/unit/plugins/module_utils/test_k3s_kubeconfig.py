"""Which server writes the kubeconfig on the controller, and with which address."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_kubeconfig import Source, rendered, wanted

ONE, TWO = Source("192.0.2.1"), Source("192.0.2.2")
ALL = [ONE, TWO]


def fetched(client: str = "Y2xpZW50", authority: str = "Y2E=") -> str:
    cluster = {"server": "https://127.0.0.1:6443", "certificate-authority-data": authority}
    return yaml.safe_dump({
        "clusters": [{"name": "default", "cluster": cluster}],
        "users": [{"name": "default", "user": {"client-certificate-data": client}}],
    })  # fmt: skip


def test_a_missing_file_is_written_with_the_servers_address() -> None:
    document = yaml.safe_load(wanted(None, fetched(), ONE, ALL, "", "home"))
    assert document["clusters"][0]["cluster"]["server"] == "https://192.0.2.1:6443"
    assert document["current-context"] == "home"
    assert document["users"][0]["user"] == {"client-certificate-data": "Y2xpZW50"}


def test_the_named_server_keeps_it_fresh_and_the_others_leave_it() -> None:
    have = wanted(None, fetched("b25l"), ONE, ALL, "", "home")
    assert wanted(have, fetched("dHdv"), TWO, ALL, "", "home") == have
    assert wanted(have, fetched("bmV3"), ONE, ALL, "", "home") != have
    assert wanted(have, fetched("b25l"), ONE, ALL, "", "home") == have


def test_another_cluster_or_a_server_that_is_no_more() -> None:
    have = wanted(None, fetched(), ONE, ALL, "", "home")
    assert "192.0.2.2" in wanted(have, fetched(authority="bmV3"), TWO, ALL, "", "home")
    assert "192.0.2.2" in wanted(have, fetched(), TWO, [TWO], "", "home")
    assert "192.0.2.2" in wanted("not: a kubeconfig", fetched(), TWO, ALL, "", "home")


def test_an_endpoint_stands_in_the_file() -> None:
    have = wanted(None, fetched("b25l"), ONE, ALL, "k3s.example.org", "home")
    assert "https://k3s.example.org:6443" in have
    assert wanted(have, fetched("dHdv"), TWO, ALL, "k3s.example.org", "home") == have
    assert "other.example.org" in wanted(have, fetched("dHdv"), TWO, ALL, "other.example.org", "home")


def test_ipv6_is_bracketed() -> None:
    assert "https://[2001:db8::1]:6443" in rendered(fetched(), Source("2001:db8::1").url, "home")


def test_what_is_no_kubeconfig_is_refused() -> None:
    with pytest.raises(MeshwrightError, match="kubeconfig"):
        rendered("", ONE.url, "home")
