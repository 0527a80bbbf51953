"""docs/decisions: a page for every option that the roles set, and the pages keep their form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tree import ROOT, load, roles

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CiliumOptions,
    Cluster,
    cilium_values,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_config_plan import JOIN_KEYS, STAGE_KEY

DECISIONS = ROOT / "docs/decisions"
PAGES = sorted(DECISIONS.glob("*/*.md"))


def options_of(page: Path) -> list[str]:
    """The options that the first line of a page names."""
    first = page.read_text().splitlines()[0]
    assert re.fullmatch(r"# `[^`]+`(, `[^`]+`)*", first), f"{page}: {first}"
    return re.findall(r"`([^`]+)`", first)


def documented(part: str) -> set[str]:
    return {option for page in PAGES if page.parent.name == part for option in options_of(page)}


def known_variables() -> set[str]:
    specs = [load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"] for role in roles()]
    return {name for spec in specs for entry in spec.values() for name in entry.get("options") or {}}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_page_has_its_parts(page: Path) -> None:
    text = page.read_text()
    for part in ("Set to", "Variable:", "**Why.**", "**Otherwise.**", "**Source.**"):
        assert part in text, f"{page}: no {part}"
    assert len(text.splitlines()) <= 40, f"{page} is longer than half a screen"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_variables_exist(page: Path) -> None:
    named = set(re.findall(r"`((?:k3s|cilium|validate|preflight|bgp)_[a-z0-9_]+)`", page.read_text()))
    assert named <= known_variables(), f"{page} names unknown variables: {named - known_variables()}"


def test_index_lists_every_page() -> None:
    text = (DECISIONS / "README.md").read_text()
    missing = [page for page in PAGES if f"({page.parent.name}/{page.name})" not in text]
    assert not missing


def test_no_option_has_two_pages() -> None:
    for part in ("k3s", "cilium"):
        named = [option for page in PAGES if page.parent.name == part for option in options_of(page)]
        assert len(named) == len(set(named)), sorted(named)


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted paths of nested values."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from leaves(value, here)
        else:
            yield here


def cilium_options() -> set[str]:
    """Every value that the role can give the chart, from options that together touch all of its branches."""
    both = Cluster(nodes=3, cidrs=("10.42.0.0/16", "fd00:42::/56"), service_monitors=True)
    everything = CiliumOptions(
        ipam_mode="cluster-pool", native_routing_cidr="10.50.0.0/16", ipv6_native_routing_cidr="fd00:50::/56", mtu=1400,
        hubble_relay=True, hubble_ui=True, prometheus=True, resources={"limits": {"memory": "1Gi"}},
        cgroup_automount=False, bpf_masquerade=True, gateway_api=True, bgp=True,
        l2_announcements=True,
    )  # fmt: skip
    six = Cluster(cidrs=("fd00:42::/56",))
    rendered = (
        cilium_values(everything, 2, both),
        cilium_values(CiliumOptions(), 1, both, checksum="of both stages"),
        cilium_values(CiliumOptions(routing_mode="tunnel"), 1, six),
    )
    return {path for one in rendered for path in leaves(one.values)}


def k3s_options() -> set[str]:
    """Every key that the role can write: its two tables, the join keys, the stage's key."""
    variables = load("roles/k3s/vars/main.yml")
    tables = [value for value in variables.values() if isinstance(value, dict)]
    return {key for table in tables for key in table} | {*JOIN_KEYS, STAGE_KEY}


def test_the_pages_of_k3s_are_those_of_the_options() -> None:
    assert documented("k3s") == k3s_options()


def covers(page: str, path: str) -> bool:
    """A page about `resources` covers all that is below it."""
    return path == page or path.startswith(f"{page}.")


def test_every_cilium_option_has_a_page() -> None:
    pages = documented("cilium")
    bare = [path for path in cilium_options() if not any(covers(page, path) for page in pages)]
    assert not bare, f"no page in docs/decisions/cilium for {sorted(bare)}"


def test_no_page_for_what_is_never_set() -> None:
    paths = cilium_options()
    idle = [page for page in documented("cilium") if not any(covers(page, path) for path in paths)]
    assert not idle, f"the role does not set {sorted(idle)}"
