# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the stages' actions know: the API, the agents, and what was registered of each host."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    stage2_guard,
    stage2_look,
    stage2_read,
    versions,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release, settled
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import agents
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_steps import Step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

REGISTERED = "__stage2_host"
_ANSWER = 60.0


def minor(release: Release | None) -> versions.Minor:
    if release is None:
        raise MeshwrightError(
            "Cilium's release", seen="missing", wanted="one that Helm manages", remedy="run site.yml first"
        )
    return versions.parse_plain(release.chart_version, "the version of Cilium's release").line


def says(hostvars: t.Any, hosts: t.Mapping[str, str]) -> dict[str, stage2_read.HostSays]:
    """By node; a host that was not asked in this run says nothing."""
    found = {}
    for node, host in hosts.items():
        told = plain(hostvars[host].get(REGISTERED) or {}).get("says")
        if told:
            ports = tuple(told.get("dead_ports") or ())
            found[node] = stage2_read.HostSays(**{**told, "dead_ports": ports, "host": host})
    return found


def guarded(
    kube: Kube, hostvars: t.Any, hosts: t.Mapping[str, str], step: Step, clock: Clock = CLOCK
) -> tuple[Facts, float]:
    """As little as that step's guards read, since a node is out while it is asked; and the seconds for which agents
    that were silent were waited for, as after a server's restart the API does not reach them all at once."""
    release = settled(kube)
    asked = stage2_guard.agents_heard(step)
    heard, waited = (agents(kube, asked) if asked is None or asked else ()), 0.0
    if any(agent.says is None for agent in heard):
        begun = clock.now()
        heard = stage2_look.answering(kube, _ANSWER, clock, only=asked)
        waited = clock.now() - begun
    words = stage2_read.Words(agents=heard, hosts=says(hostvars, hosts), release=release)
    return stage2_read.facts(stage2_look.brief(kube, minor(release)), words), waited


def look(
    kube: Kube, hostvars: t.Any, hosts: t.Mapping[str, str], **more: t.Any
) -> tuple[Facts, Release | None]:
    """`more` are fields of stage2_read.Words that not every caller knows."""
    release = settled(kube)
    seen = stage2_look.lists(kube, minor(release))
    kept = stage2_look.record(kube)
    words = stage2_read.Words(
        agents=stage2_look.answering(kube, _ANSWER), hosts=says(hostvars, hosts), release=release,
        record=kept[0] if kept else None, kubernetes=str(kube.version().get("gitVersion", "")), **more,
    )  # fmt: skip
    return stage2_read.facts(seen, words), release
