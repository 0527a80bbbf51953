# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's end of BGP: Cilium's objects from the description. Pure.

In the order in which they have to come: what is referred to stands before what refers to it. Field by field after
Cilium's CRDs (pkg/k8s/apis/cilium.io/client/crds of 1.16 to 1.20).
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    CLUSTER_IPS,
    EXTERNAL_IPS,
    LOAD_BALANCER_IPS,
    OWNER,
    OWNER_LABEL,
    POD_CIDRS,
    WITHDRAWN_LABEL,
    Announcement,
    Bgp,
    L2Policy,
    Node,
    Pool,
    Router,
    Selector,
    first_of,
    owned_name,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.versions import api_version, parse_plain

Object = dict[str, t.Any]

# Each kind that we may have made, in the order in which they come; they go the other way round.
KINDS = (
    "Secret", "CiliumLoadBalancerIPPool", "CiliumBGPAdvertisement", "CiliumBGPPeerConfig",
    "CiliumBGPNodeConfigOverride", "CiliumBGPClusterConfig", "CiliumL2AnnouncementPolicy",
)  # fmt: skip
# On an advertisement: the name by which a peer's families choose it.
ANNOUNCEMENT_LABEL = "meshwright.k3s-cilium/announcement"
# On a service: it is announced to nobody. Cilium takes a missing selector for one that selects nothing
# (pkg/bgp/manager/reconciler/service.go), so "everything" has to be said by an expression.
QUIET_LABEL = "meshwright.k3s-cilium/not-announced"
INSTANCE = "main"
PASSWORD_KEY = "password"  # the key of the Secret, as Cilium reads it

_ADDRESSES = {LOAD_BALANCER_IPS: "LoadBalancerIP", EXTERNAL_IPS: "ExternalIP", CLUSTER_IPS: "ClusterIP"}
_ROOM = 63  # of a label's value, which an announcement's name becomes
_START = 32
_TAIL = 8
_NUMBERS = re.compile(r"[0-9:]+")


def objects(bgp: Bgp) -> tuple[Object, ...]:
    """All of them. Without routers no BGP, but pools and L2 policies alike."""
    found: list[Object] = [_secret(bgp, router) for router in bgp.routers if router.password]
    found += [_pool(bgp, pool) for pool in bgp.pools]
    if bgp.routers:
        found += [item for announcement in bgp.announcements for item in _advertisements(bgp, announcement)]
        found += [_peer_config(bgp, router, family) for router in bgp.routers for family in families(router)]
        found += [item for node in bgp.peers for item in _override(bgp, node)]
        found.append(_cluster_config(bgp))
    return (*found, *(_l2_policy(bgp, policy) for policy in bgp.l2_policies))


def families(router: Router) -> tuple[str, ...]:
    """Those with an address to reach them by: each has a session of its own."""
    return tuple(family for family in router.families if router.address(family))


def peer_name(router: Router, family: str) -> str:
    return safe(f"{router.name}-{family}")


def safe(text: str, room: int = _ROOM) -> str:
    """A name that Kubernetes takes. What had to be changed for that keeps a few digits that tell it from others.

    >>> safe("udm"), safe("R01.example").startswith("r01-example-")
    ('udm', True)
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(plain) <= room:
        return plain
    digest = hashlib.sha256(text.encode()).hexdigest()[: _TAIL - 1]
    return f"{plain[: room - _TAIL].strip('-')}-{digest}".strip("-")


def name(bgp: Bgp, own: str = "", ending: str = "") -> str:
    """The cluster's name, then its own. An ending comes after a dot, which no other part has."""
    start = safe(owned_name(bgp.cluster), _START)
    if not own:
        return start
    room = _ROOM - len(start) - 1 - (len(ending) + 1 if ending else 0)
    return f"{start}-{safe(own, room)}" + (f".{ending}" if ending else "")


def _object(bgp: Bgp, kind: str, called: str, spec: Object, labels: t.Mapping[str, str] | None = None) -> Object:
    return {
        "apiVersion": api_version(kind, parse_plain(bgp.cilium_version, "cilium_version").line),
        "kind": kind,
        "metadata": {"name": called, "labels": {OWNER_LABEL: OWNER, **(labels or {})}},
        "spec": spec,
    }


def _secret(bgp: Bgp, router: Router) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name(bgp, router.name), "namespace": bgp.secrets_namespace, "labels": {OWNER_LABEL: OWNER},
        },
        "type": "Opaque",
        "data": {PASSWORD_KEY: base64.b64encode(router.password.encode()).decode()},
    }


def _pool(bgp: Bgp, pool: Pool) -> Object:
    blocks: list[Object] = [{"cidr": cidr} for cidr in pool.cidrs]
    blocks += [{"start": item.first, "stop": item.last} for item in pool.ranges]
    # Cilium's own default gives the network's and the broadcast address to services too, which some clients refuse.
    spec: Object = {"blocks": blocks, "allowFirstLastIPs": "Yes" if pool.allow_first_last_ips else "No"}
    if pool.services:
        spec["serviceSelector"] = _selector(pool.services)
    return _object(bgp, "CiliumLoadBalancerIPPool", name(bgp, pool.name), spec)


def _advertisements(bgp: Bgp, announcement: Announcement) -> list[Object]:
    """One; where it has a local preference and routers of both sorts listen, one for each sort."""
    listening = [router for router in bgp.routers if announcement.name in router.announcements]
    sorts = dict.fromkeys(_with_preference(bgp, announcement, router) for router in listening)
    return [_advertisement(bgp, announcement, preference) for preference in sorts]


def _with_preference(bgp: Bgp, announcement: Announcement, router: Router) -> bool:
    """A local preference crosses iBGP only (RFC 4271, 5.1.5); another router sets its own as the route comes in."""
    return announcement.local_preference is not None and router.asn == bgp.asn


def _advertisement(bgp: Bgp, announcement: Announcement, preference: bool) -> Object:
    entry: Object = {"advertisementType": "PodCIDR"}
    if announcement.kind != POD_CIDRS:
        entry = {
            "advertisementType": "Service",
            "service": {"addresses": [_ADDRESSES[announcement.kind]]},
            "selector": _selector(announcement.services) or _nothing_with(QUIET_LABEL),
        }
    attributes = _attributes(announcement, preference)
    if attributes:
        entry["attributes"] = attributes
    called = _advertisement_name(bgp, announcement, preference)
    return _object(
        bgp, "CiliumBGPAdvertisement", called, {"advertisements": [entry]}, labels={ANNOUNCEMENT_LABEL: called}
    )


def _advertisement_name(bgp: Bgp, announcement: Announcement, preference: bool) -> str:
    return name(bgp, announcement.name, "ibgp" if preference else "")


def _attributes(announcement: Announcement, preference: bool) -> Object:
    communities: Object = {
        "standard": [item for item in announcement.communities if _NUMBERS.fullmatch(item)],
        "wellKnown": [item for item in announcement.communities if not _NUMBERS.fullmatch(item)],
        "large": list(announcement.large_communities),
    }
    given = {key: value for key, value in communities.items() if value}
    attributes: Object = {"communities": given} if given else {}
    if preference:
        attributes["localPreference"] = announcement.local_preference
    return attributes


def _peer_config(bgp: Bgp, router: Router, family: str) -> Object:
    timers = router.timers
    one: Object = {"afi": family, "safi": "unicast"}
    heard = [_advertisement_name(bgp, item, _with_preference(bgp, item, router)) for item in bgp.announced_to(router)]
    if heard:
        one["advertisements"] = _any_of(ANNOUNCEMENT_LABEL, heard)
    spec: Object = {
        "families": [one],
        "timers": {
            "holdTimeSeconds": timers.hold,
            "keepAliveTimeSeconds": timers.keepalive,
            "connectRetryTimeSeconds": timers.connect_retry,
        },
        "gracefulRestart": {"enabled": timers.restart > 0},
        "transport": {"peerPort": router.port},
    }
    if timers.restart > 0:
        spec["gracefulRestart"]["restartTimeSeconds"] = timers.restart
    if router.multihop and router.asn != bgp.asn:
        spec["ebgpMultihop"] = router.multihop
    if router.password:
        spec["authSecretRef"] = name(bgp, router.name)
    return _object(bgp, "CiliumBGPPeerConfig", name(bgp, router.name, family), spec)


def _override(bgp: Bgp, node: Node) -> list[Object]:
    """What holds for one node alone: its router id, and the address at which its sessions begin."""
    instance: Object = {"name": INSTANCE}
    if node.router_id:
        instance["routerID"] = node.router_id
    peers = [
        {"name": peer_name(router, family), "localAddress": first_of(node.local, family)}
        for router in bgp.routers
        for family in families(router)
        if first_of(node.local, family)
    ]
    if peers:
        instance["peers"] = peers
    if len(instance) == 1:
        return []
    # Cilium finds it by the node's name.
    return [_object(bgp, "CiliumBGPNodeConfigOverride", node.name, {"bgpInstances": [instance]})]


def _cluster_config(bgp: Bgp) -> Object:
    peers = [
        {
            "name": peer_name(router, family),
            "peerASN": router.asn,
            "peerAddress": router.address(family),
            "peerConfigRef": {"name": name(bgp, router.name, family)},
        }
        for router in bgp.routers
        for family in families(router)
    ]
    spec = {
        "nodeSelector": _but_withdrawn(bgp.node_selector),
        "bgpInstances": [{"name": INSTANCE, "localASN": bgp.asn, "peers": peers}],
    }
    return _object(bgp, "CiliumBGPClusterConfig", name(bgp), spec)


def _l2_policy(bgp: Bgp, policy: L2Policy) -> Object:
    spec: Object = {
        "nodeSelector": _but_withdrawn(policy.nodes),
        "loadBalancerIPs": policy.load_balancer_ips,
        "externalIPs": policy.external_ips,
    }
    if policy.services:
        spec["serviceSelector"] = _selector(policy.services)
    if policy.interfaces:
        spec["interfaces"] = list(policy.interfaces)
    return _object(bgp, "CiliumL2AnnouncementPolicy", name(bgp, policy.name), spec)


# -- selectors


def _but_withdrawn(selector: Selector) -> Object:
    chosen = _selector(selector)
    left_out = _nothing_with(WITHDRAWN_LABEL)["matchExpressions"]
    return {**chosen, "matchExpressions": [*chosen.get("matchExpressions", ()), *left_out]}


def _nothing_with(label: str) -> Object:
    return {"matchExpressions": [{"key": label, "operator": "DoesNotExist"}]}


def _any_of(label: str, values: t.Sequence[str]) -> Object:
    return {"matchExpressions": [{"key": label, "operator": "In", "values": sorted(values)}]}


def _selector(selector: Selector) -> Object:
    """As lists and dictionaries of our own; the description may carry tuples."""
    found: Object = {}
    if selector.get("matchLabels"):
        found["matchLabels"] = {str(key): str(value) for key, value in selector["matchLabels"].items()}
    if selector.get("matchExpressions"):
        found["matchExpressions"] = [_expression(item) for item in selector["matchExpressions"]]
    return found


def _expression(item: t.Mapping[str, t.Any]) -> Object:
    values = {"values": [str(value) for value in item["values"]]} if item.get("values") else {}
    return {"key": item["key"], "operator": item["operator"], **values}
