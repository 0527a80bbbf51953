# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the migration's actions know: the API, the agents, and what was registered of each host."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_take
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import Ends, Facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_read import HostSays
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.stage2_situation import REGISTERED as PROXY

REGISTERED = "__migrate_host"


def says(hostvars: t.Any, hosts: t.Mapping[str, str]) -> dict[str, HostSays]:
    """By node; a host that was not asked in this run says nothing."""
    found = {}
    for node, host in hosts.items():
        told = plain(hostvars[host].get(REGISTERED) or {}).get("says")
        if told:
            proxy = plain(hostvars[host].get(PROXY) or {}).get("says") or {}
            found[node] = HostSays(**{
                **told, "behind": tuple(told.get("behind") or ()), "kube_proxy": proxy.get("kube_proxy", True),
                "kube_proxy_elsewhere": proxy.get("kube_proxy_elsewhere", ""),
            })  # fmt: skip
    return found


def look(kube: Kube, hostvars: t.Any, hosts: t.Mapping[str, str], ends: Ends, **more: t.Any) -> Facts:
    return migrate_take.look(kube, says(hostvars, hosts), ends, **more)


def ends_of(given: t.Mapping[str, t.Any]) -> Ends:
    """From the chart's options, as the role cilium hands them on."""
    options = given["options"]
    cluster = tuple(str(cidr) for cidr in given["cluster_cidr"])
    named = (str(options.get("native_routing_cidr") or ""), str(options.get("ipv6_native_routing_cidr") or ""))
    native = tuple(cidr for cidr in named if cidr)
    return Ends(
        str(options["routing_mode"]), str(options["ipam_mode"]), bool(options["auto_direct_node_routes"]),
        native or cluster, cluster,
    )  # fmt: skip
