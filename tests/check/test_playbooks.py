"""The playbooks keep the order and the gates that the cluster's life depends on."""

from __future__ import annotations

from typing import Any

import pytest
from tree import ROOT, load

STAGE = "{{ 'stage2.yml' if 'stage2' in ansible_run_tags | default([]) else 'stage_kept.yml' }}"
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


def plays(name: str) -> list[dict[str, Any]]:
    return [play for play in load(f"playbooks/{name}.yml") if "hosts" in play]


def calling(name: str, entry: str) -> dict[str, Any]:
    """The play of a playbook that calls an entry point of the k3s role."""
    (found,) = (
        play
        for play in plays(name)
        for task in play.get("tasks", ())
        if any(isinstance(value, dict) and value.get("tasks_from") == entry for value in task.values())
    )
    return found


def test_site_has_its_order() -> None:
    imported = [play["ansible.builtin.import_playbook"] for play in load("playbooks/site.yml")]
    assert imported == ["preflight.yml", "k3s.yml", "cilium.yml", "bgp.yml", "validate.yml", STAGE]
    assert load("playbooks/site.yml")[-1]["tags"] == ["never", "stage2"]


def test_preflight_always_runs_and_stops_everything() -> None:
    first = load("playbooks/site.yml")[0]
    assert "always" in first["tags"]
    assert all(play["any_errors_fatal"] for play in plays("preflight"))


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_no_play_gathers_everything(name: str) -> None:
    assert all(play.get("gather_facts") is False for play in plays(name)), "facts are gathered where they are needed"


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_an_error_stops_the_run(name: str) -> None:
    assert all(play.get("any_errors_fatal") is True for play in plays(name))


def test_servers_are_changed_one_at_a_time() -> None:
    play = calling("k3s", "server")
    assert play["serial"] == 1
    assert play["max_fail_percentage"] == 0


def test_everything_is_planned_and_prepared_before_the_first_server_is_touched() -> None:
    entries = [
        value["tasks_from"]
        for play in plays("k3s")
        for task in play["tasks"]
        for value in task.values()
        if isinstance(value, dict)
    ]
    assert entries == ["plan", "prepare", "server", "settle", "agent"]
