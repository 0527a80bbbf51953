# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's nodes as BGP needs them: their names, addresses and labels, and stable router ids. Pure.

The inventory knows some of it, the running cluster all of it: what was seen there wins.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Selector
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cidrs import node_addresses
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, address, words

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
# k3s: pkg/server/server.go and pkg/etcd put these on servers; the kubelet puts the others on every node.
_SERVER_LABELS = (CONTROL_PLANE, "node-role.kubernetes.io/etcd")
# Labels that the machine decides: not known before it was looked at.
_UNKNOWN = ("kubernetes.io/arch", "beta.kubernetes.io/arch")

# RFC 6286 asks for any number but 0; FRR wants it to read as a unicast address (bgp_packet.c), and so do people.
_FIRST, _LAST = int(ipaddress.IPv4Address("1.0.0.0")), int(ipaddress.IPv4Address("223.255.255.255"))


@dataclass(frozen=True)
class NodeSeen:
    """A node as the cluster's API, or the host itself, tells of it."""

    name: str = ""
    addresses: tuple[str, ...] = ()
    labels: t.Mapping[str, str] = field(default_factory=dict)


def node_name(host: Host, seen: NodeSeen) -> str:
    """k3s takes node-name, or else the host's own name; that is nearly always the inventory's, up to the first dot."""
    extra = host.get("k3s_extra_config")
    named = extra.get("node-name") if isinstance(extra, dict) else None
    return str(seen.name or named or (host.name if address(host.name) is None else "")).lower()


def addresses_of(host: Host, seen: NodeSeen) -> tuple[str, ...]:
    """In canonical form. A name by which Ansible reaches the host is none."""
    known = [address(text) for text in (*seen.addresses, *node_addresses(host))]
    own = [str(ip) for ip in known if ip is not None and not (ip.is_loopback or ip.is_link_local)]
    return tuple(dict.fromkeys(own))


def labels_of(host: Host, name: str, seen: NodeSeen) -> dict[str, str]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "node.kubernetes.io/instance-type": "k3s"}
    if host.is_server:
        labels.update(dict.fromkeys(_SERVER_LABELS, "true"))
    for word in words(host.get("k3s_node_labels")):
        key, _, value = word.partition("=")
        labels[key] = value
    return {**labels, **seen.labels}


def selects(selector: Selector, labels: t.Mapping[str, str]) -> bool:
    """As Kubernetes' LabelSelector. What is not known before the node was seen is taken for a match."""
    wanted = selector.get("matchLabels")
    for key, value in (wanted if isinstance(wanted, dict) else {}).items():
        if not _known(key, labels) or labels.get(key) == str(value):
            continue
        return False
    return all(_holds(item, labels) for item in expressions(selector))


def expressions(selector: Selector) -> list[t.Mapping[str, t.Any]]:
    """What can be read of them; the judges tell of the rest."""
    found = selector.get("matchExpressions")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _known(key: str, labels: t.Mapping[str, str]) -> bool:
    return key in labels or key not in _UNKNOWN


def _holds(item: t.Mapping[str, t.Any], labels: t.Mapping[str, str]) -> bool:
    key, operator = str(item.get("key")), item.get("operator")
    if not _known(key, labels):
        return True
    given = item.get("values")
    values = [str(value) for value in given] if isinstance(given, list) else []
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "In":
        return labels.get(key) in values
    return labels.get(key) not in values  # NotIn: also where there is no such label


def router_ids(names: t.Collection[str], taken: t.Collection[str]) -> dict[str, str]:
    """One for each name, the same in every run; where two names meet, the later one in the alphabet goes on."""
    used = {int(ip) for ip in map(address, taken) if isinstance(ip, ipaddress.IPv4Address)}
    found: dict[str, str] = {}
    for name in sorted(names):
        turn = 0
        while (number := _router_id(name, turn)) in used or ipaddress.IPv4Address(number).is_loopback:
            turn += 1
        used.add(number)
        found[name] = str(ipaddress.IPv4Address(number))
    return found


def _router_id(name: str, turn: int) -> int:
    digest = hashlib.sha256(f"{name}/{turn}".encode()).digest()
    return _FIRST + int.from_bytes(digest[:8], "big") % (_LAST - _FIRST + 1)
