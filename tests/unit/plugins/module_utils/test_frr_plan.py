"""Ours among the lines of others: every line of theirs stays, and a second plan finds nothing to do."""

from __future__ import annotations

import pytest
from frr_cases import EMPTY, FOREIGN, described, sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_policy, frr_commands, frr_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import config, masked
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_text import items, parse, rendered

many = settings(suppress_health_check=list(HealthCheck))
surroundings = st.sampled_from((EMPTY, FOREIGN, f"{FOREIGN}end\n", FOREIGN.replace("exit\n", ""), ""))


def planned(have: str, *case: object, away: bool = False) -> frr_plan.Plan:
    bgp, router = case or sample()
    return frr_plan.plan(have, "" if away else config(bgp, router), frr_plan.owner_of(bgp, router))  # type: ignore[arg-type]


@many
@given(described(), surroundings)
def test_what_was_applied_is_not_applied_again(case: tuple[object, object], have: str) -> None:
    after = planned(have, *case).after
    again = planned(after, *case)
    assert not again.changed and again.after == after
    assert frr_commands.commands(after, again.after) == ""


@many
@given(described(), surroundings)
def test_lines_of_others_stay_and_come_back_byte_for_byte(case: tuple[object, object], have: str) -> None:
    plan = planned(have, *case)
    new = [line.raw for line in parse(plan.after)]
    left = iter(new)
    assert all(line in left for line in have.splitlines(keepends=True)), "each of theirs, in their order"
    assert planned(plan.after, *case, away=True).after == have


@many
@given(described(), described(), st.sampled_from((EMPTY, FOREIGN)))
def test_from_any_description_to_any_other(one: tuple[object, object], other: tuple[object, object], have: str) -> None:
    """Of one cluster; what is ours is then what it would have been at once."""
    first, second = one[0], other[0]
    if first.cluster != second.cluster:  # type: ignore[attr-defined]
        return
    by_way = planned(planned(have, *one).after, *other).after
    at_once = planned(have, *other).after
    mine = frr_plan.owner_of(*other)  # type: ignore[arg-type]
    here, there = (frr_plan.plan(text, "", mine).former for text in (by_way, at_once))
    assert set(items(parse(here))) == set(items(parse(there)))


@many
@given(described())
def test_what_is_rendered_reads_the_same(case: tuple[object, object]) -> None:
    text = config(*case)  # type: ignore[arg-type]
    assert set(items(parse(rendered(items(parse(text)))))) == set(items(parse(text)))


def test_restored_is_what_was_there() -> None:
    old = planned(FOREIGN, *sample(count=1, password="old")).after
    plan = planned(old, *sample(count=3, password="new", max_prefixes=7))
    owner = frr_plan.owner_of(*sample(count=3))
    back = frr_plan.plan(plan.after, plan.former, owner)
    assert set(items(parse(back.after))) == set(items(parse(old)))
    assert plan.former == back.wanted


def test_settings_of_the_whole_instance_are_ours_only_while_nobody_else_peers() -> None:
    assert "bgp router-id 10.118.0.2" in planned(EMPTY).after
    shared = planned(FOREIGN)
    assert "bgp router-id 10.118.0.2" not in shared.after and "bgp router-id 10.118.0.2" in shared.left
    assert "no neighbor MW-HOME-IPV6 activate" in shared.after, "their instance activates IPv4 for everybody"


def test_a_node_that_was_set_up_by_hand_is_taken_over() -> None:
    peer = " neighbor 10.118.0.10 remote-as 65000\n neighbor 10.118.0.10 password x\n"
    by_hand = f"{EMPTY}router bgp 64512\n{peer}exit\n"
    plan = planned(by_hand)
    script = frr_commands.commands(plan.before, plan.after)
    assert " neighbor 10.118.0.10 password x\n" not in plan.after
    assert script.index("no neighbor 10.118.0.10\n") < script.index("neighbor 10.118.0.10 peer-group MW-HOME-IPV4")
    back = frr_plan.plan(plan.after, plan.former, frr_plan.owner_of(*sample()))
    assert "neighbor 10.118.0.10 password x" in back.after


def test_another_cluster_of_a_similar_name_is_foreign() -> None:
    other = planned(EMPTY).after.replace("MW-HOME-", "MW-HOME-2-").replace("10.118.0.1", "10.119.0.1").replace(
        "2001:db8:18::1", "2001:db8:19::1")  # fmt: skip
    plan = planned(other)
    assert all(line in plan.after for line in other.splitlines() if "MW-HOME-2" in line)
    assert "MW-HOME-2" not in frr_commands.commands(plan.before, plan.after)


def test_another_asn_is_refused() -> None:
    with pytest.raises(MeshwrightError, match="own AS is 64513, wanted 64512"):
        planned("router bgp 64513\nexit\n")
    assert planned("router bgp 64513 vrf red\nexit\n").changed, "a VRF may have its own"


def test_defaults_that_are_not_shown_do_not_count() -> None:
    shown = planned(EMPTY).after.replace("traditional", "datacenter").replace(" bgp log-neighbor-changes\n", "")
    assert not planned(shown).changed


def test_passwords_are_hidden_and_a_new_one_is_told() -> None:
    old = planned(EMPTY, *sample(password="first-secret")).after
    plan = planned(old, *sample(password="second-secret"))
    shown = frr_plan.shown(plan.former, plan.wanted)
    assert "secret" not in str(shown) and "password (hidden, another)" in shown["after"]
    assert "secret" not in frr_plan.unified(shown)
    same = frr_plan.shown(plan.former, plan.former)
    assert same["before"] == same["after"]


def test_masked() -> None:
    text = config(*sample(password="pass#word!"))
    assert "pass#word!" in text and "pass#word!" not in masked(text)


def test_preferences_that_nobody_could_tell_apart_are_not_ours_to_judge() -> None:
    assert bgp_policy.refusals(*sample()) == []
