"""Hundreds of descriptions, each as FRR's own programs see it: checked, and applied one after the other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from frr_box import Box
from frr_cases import FOREIGN, described
from hypothesis import HealthCheck, Phase, given, settings

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_policy, frr_check, frr_commands, frr_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, Router
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import config
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_text import parse

# All are read by vtysh in one go; bgpd, which takes one at a time and some tenths of a second for it, reads a part.
CHECKED, BY_BGPD, APPLIED = 400, 100, 12
HARMLESS = re.compile(r"Graceful restart configuration changed, reset (all peers|this peer) to take effect")


def cases(count: int) -> list[tuple[Bgp, Router]]:
    found: list[tuple[Bgp, Router]] = []

    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(described())
    def collect(case: tuple[Bgp, Router]) -> None:
        if not bgp_policy.refusals(*case):
            found.append(case)

    collect()
    return found


@pytest.fixture(scope="module")
def generated() -> list[tuple[Bgp, Router]]:
    return cases(CHECKED)


def test_frr_accepts_every_rendered_configuration(box: Box, generated: list[Any]) -> None:
    texts = [config(*case) for case in generated]
    assert len(texts) > CHECKED / 2
    alone = texts[::len(texts) // BY_BGPD]
    seen = box.checked("".join(texts), alone)
    assert (seen.code, seen.vtysh) == (0, "")
    for number, text in enumerate(alone):
        said = HARMLESS.sub("", seen.bgpd[f"bgpd-{number:03}.bgpd"])
        assert frr_check.of_bgpd(said, text) == ([], []), "no complaint, and no false alarm to be explained away"
        assert not said.strip()


def test_our_own_checks_agree(generated: list[Any]) -> None:
    for case in generated:
        frr_check.refuse(config(*case))


def test_what_frr_shows_is_what_was_sent(box: Box) -> None:
    """From each description to the next, on a router that others use too: no drift, and theirs stays as it was."""
    clean(box)
    box.apply(FOREIGN)
    theirs = box.running()
    before: tuple[Bgp, Router] | None = None
    for bgp, router in cases(2 * APPLIED)[-APPLIED:]:
        owner, text = frr_plan.owner_of(bgp, router), config(bgp, router)
        if before is not None and before[0].cluster != bgp.cluster:
            away(box, before)
        plan = frr_plan.plan(box.running(), text, owner)
        said = HARMLESS.sub("", box.apply(frr_commands.commands(plan.before, plan.after))).strip()
        assert not said, said
        assert frr_plan.differing(box.running(), plan.after, owner) == set()
        assert not frr_plan.plan(box.running(), text, owner).changed
        before = bgp, router
    assert before is not None
    away(box, before)
    assert box.running().splitlines() == theirs.splitlines()
    clean(box)


def away(box: Box, case: tuple[Bgp, Router]) -> None:
    plan = frr_plan.plan(box.running(), "", frr_plan.owner_of(*case))
    said = box.apply(frr_commands.commands(plan.before, plan.after))
    assert not said, said


def clean(box: Box) -> None:
    """All but what belongs to the device itself; FRR deletes no interface that is there."""
    have = box.running()
    kept = ("frr ", "hostname ", "log ", "service ", "interface ")
    base = "".join(line.raw for line in parse(have) if "".join((*line.context, line.text)).startswith(kept))
    said = box.apply(frr_commands.commands(have, base))
    assert not said, said
