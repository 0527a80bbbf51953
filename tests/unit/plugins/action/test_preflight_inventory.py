"""The action on whole inventories, in this process, without a connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bad_inventories import BAD, CANARY, GOOD, Bad, inventory

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
