"""The action on whole inventories, in this process, without a connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bad_inventories import BAD, CANARY, GOOD, HOSTS, SIXTH, SIXTH_HOSTS, Bad, inventory

Judge = Callable[[dict[str, Any]], dict[str, Any]]


def test_a_good_inventory_passes(judge: Judge) -> None:
    result = judge(GOOD)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False
    assert [finding for finding in result["findings"] if finding["level"] == "warn"] == []


def test_there_are_enough_bad_ones() -> None:
    assert len({case.name for case in BAD}) == len(BAD) >= 40


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_inventory_is_refused(judge: Judge, case: Bad) -> None:
    result = judge(inventory(case))
    assert result.get("failed"), f"accepted: {case.name}"
    told = [finding for finding in result["findings"] if finding["level"] == "refuse"]
    mine = [finding for finding in told if finding["thing"] == case.thing]
    assert mine, f"{case.thing} is not told of: {result['msg']}"
    line = next(line for line in result["msg"].splitlines() if case.thing in line and case.says in line)
    assert line.startswith(f"{case.host}: {case.thing}")
    assert all(finding["seen"] and finding["wanted"] and finding["remedy"] for finding in told)
    assert CANARY not in json.dumps(result)
    # One mistake, one message: what follows from it is not told as well.
    assert len(told) <= 2, result["msg"]


def test_a_skipped_check_is_reported_as_skipped(judge: Judge) -> None:
    variables = {"k3s_cluster_dns": "10.44.0.10", "preflight_skip": ["cluster-dns"]}
    case = Bad("skipped", "k3s_cluster_dns", "", cluster=variables)
    result = judge(inventory(case))
    assert not result.get("failed")
    assert [finding["level"] for finding in result["findings"]] == ["skipped"]


def test_all_refusals_come_at_once(judge: Judge) -> None:
    case = Bad("three", "", "", cluster={"k3s_token": "short", "k3s_cluster_dns": "10.44.0.10", "cilium_mtu": "x"})
    told = {finding["thing"] for finding in judge(inventory(case))["findings"]}
    assert told == {"k3s_token", "k3s_cluster_dns", "cilium_mtu"}


DUAL = {"k3s_cluster_cidr": "10.42.0.0/16,fd00:42::/56", "k3s_service_cidr": "10.43.0.0/16,fd00:43::/112"}
GOOD_TOO: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    "dual-stack": (DUAL, {name: {"k3s_node_ip": f"192.0.2.{n},2001:db8::{n}"} for n, name in enumerate(HOSTS, 1)}),
    "ipv6-only": (SIXTH, SIXTH_HOSTS),
    "stage-2": ({"cilium_initial_stage": "2", "cilium_gateway_api": True, "cilium_gateway_api_version": "1.6.1"}, {}),
    "tunnel": ({"cilium_routing_mode": "tunnel", "cilium_mtu": 1400}, {}),
    "old-spelling": ({"cilium_values": {"kubeProxyReplacement": "strict"}}, {}),
    "templates": ({"k3s_tls_san": ["{{ k3s_cluster_name }}.example.org"], "k3s_cluster_name": "lab"}, {}),
}


@pytest.mark.parametrize("name", GOOD_TOO)
def test_other_good_inventories_pass(judge: Judge, name: str) -> None:
    cluster, hosts = GOOD_TOO[name]
    result = judge(inventory(Bad(name, "", "", cluster=cluster, hosts=hosts)))
    assert not result.get("failed"), result["msg"]


WARNED = [
    ("k3s_agent_token", "could otherwise join as a server", {"k3s_agent_token": f"{CANARY}-token"}),
    ("cilium_k8s_service_host", "one of the servers", {"cilium_k8s_service_host": "192.0.2.1"}),
    ("cilium_native_routing_cidr", "masqueraded", {"cilium_native_routing_cidr": "10.0.0.0/12"}),
    ("k3s_service_cidr", "/108 or smaller", {**DUAL, "k3s_service_cidr": "10.43.0.0/16,fd00:43::/64"}),
]


@pytest.mark.parametrize(("thing", "says", "variables"), WARNED)
def test_what_is_only_warned_of(judge: Judge, thing: str, says: str, variables: dict[str, Any]) -> None:
    result = judge(inventory(Bad("warned", thing, says, cluster=variables)))
    assert not result.get("failed"), result["msg"]
    (warning,) = [finding for finding in result["findings"] if finding["level"] == "warn"]
    assert warning["thing"] == thing
    assert says in " ".join(warning.values())
    assert CANARY not in json.dumps(result)
