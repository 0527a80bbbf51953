# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role registered for each host, put together with the inventory."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import (
    Situation,
    parse_facts,
    parse_reach,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Inventory
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

INFO, REACH = "__preflight_info", "__preflight_reach"


def situation(inventory: Inventory, hostvars: t.Any, daemonsets: t.Mapping[str, str] | None = None) -> Situation:
    """Hosts that this run left out (--limit) have no facts and are not judged."""
    facts, reaches = {}, []
    for name in inventory.names:
        raw = hostvars.raw_get(name)
        info, reach = raw.get(INFO), raw.get(REACH)
        if info and "facts" in info:
            facts[name] = parse_facts(name, plain(info["facts"]), plain(info.get("clock")))
        if reach and "reaches" in reach:
            reaches += [parse_reach(name, plain(found)) for found in reach["reaches"]]
    return Situation(inventory, facts, tuple(reaches), dict(daemonsets or {}))


def ssh_ports(inventory: Inventory, hostvars: t.Any) -> dict[str, int]:
    ports = {}
    for name in inventory.names:
        port = plain(hostvars.raw_get(name).get("ansible_port"))
        if str(port).isdigit():
            ports[name] = int(port)
    return ports
