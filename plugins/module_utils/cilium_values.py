# SPDX-License-Identifier: GPL-3.0-or-later
"""From typed options, stage and cluster to the values of Cilium's chart. Pure."""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import (
    Values,
    dig,
    put,
    translate,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

# On the agents' pods: what their settings are, so that they restart when one changes. The stage is none of them.
CONFIG_MARK = "meshwright.k3s-cilium/config"
# Options that need Cilium in kube-proxy's place, by the variables that people know.
_STAGE_2: t.Mapping[str, str] = {
    "bpf_masquerade": "cilium_bpf_masquerade",
    "gateway_api": "cilium_gateway_api",
    "l2_announcements": "cilium_l2_announcements",
}


@dataclass(frozen=True)
class CiliumOptions:
    """The role's variables. An empty text or None: the default that fits the cluster."""

    routing_mode: str = "native"
    tunnel_protocol: str = "vxlan"
    ipam_mode: str = "kubernetes"
    endpoint_routes: bool = False
    auto_direct_node_routes: bool = True
    native_routing_cidr: str = ""
    ipv6_native_routing_cidr: str = ""
    k8s_service_host: str = ""
    k8s_service_port: int = 6444
    mtu: int = 0
    hubble: bool = True
    hubble_relay: bool = False
    hubble_ui: bool = False
    prometheus: bool = False
    resources: t.Mapping[str, t.Any] = field(default_factory=dict)
    operator_replicas: int | None = None
    cgroup_automount: bool = True
    cgroup_host_root: str = ""
    bpf_masquerade: bool = False
    gateway_api: bool = False
    bgp: bool = False
    l2_announcements: bool = False


@dataclass(frozen=True)
class Cluster:
    """What the values depend on besides the options."""

    nodes: int = 1
    cidrs: tuple[str, ...] = ("10.42.0.0/16",)
    service_monitors: bool = False  # whether their CRD is there

    def cidr(self, family: int) -> str:
        found = (cidr for cidr in self.cidrs if ipaddress.ip_network(cidr, strict=False).version == family)
        return next(found, "")


@dataclass(frozen=True)
class Rendered:
    values: Values
    notes: tuple[str, ...]


_MONITORS = (
    "prometheus.serviceMonitor.enabled",
    "operator.prometheus.serviceMonitor.enabled",
    "envoy.prometheus.serviceMonitor.enabled",
    "hubble.relay.prometheus.serviceMonitor.enabled",
    "hubble.metrics.serviceMonitor.enabled",
)


def cilium_values(
    options: CiliumOptions, stage: int, cluster: Cluster, free: t.Mapping[str, t.Any] | None = None, checksum: str = ""
) -> Rendered:
    """What Helm is given. The free values win over the typed options; the stage wins over both."""
    _check(options, stage)
    theirs, notes = translate(free or {}, stage)
    mark = {"podAnnotations": {CONFIG_MARK: checksum}} if checksum else {}
    values = merge({**_typed(options, stage, cluster), **mark}, theirs)
    values["kubeProxyReplacement"] = "true" if stage == 2 else "false"
    extra = _without_monitors(values) if not cluster.service_monitors else ()
    return Rendered(values, notes + extra)


def only_stage2(options: CiliumOptions) -> tuple[str, ...]:
    """The variables that are on and cannot be at stage 1."""
    return tuple(variable for name, variable in _STAGE_2.items() if getattr(options, name))


def marks(free: t.Mapping[str, t.Any]) -> bool:
    """Whether restarts for changed settings are ours to arrange: not where the free values say a word about it."""
    theirs = free.get("podAnnotations", {})
    return "rollOutCiliumPods" not in free and isinstance(theirs, dict) and CONFIG_MARK not in theirs


def mark_of(values: t.Mapping[str, t.Any]) -> str:
    theirs = values.get("podAnnotations")
    return str(theirs.get(CONFIG_MARK) or "") if isinstance(theirs, dict) else ""


def unmarked(values: t.Mapping[str, t.Any]) -> Values:
    """All but the mark: with the same chart they are the same settings, at whatever time that was."""
    found = copy.deepcopy(dict(values))
    theirs = found.get("podAnnotations")
    if isinstance(theirs, dict):
        theirs.pop(CONFIG_MARK, None)
        if not theirs:
            del found["podAnnotations"]
    return found


def merge(base: t.Mapping[str, t.Any], over: t.Mapping[str, t.Any]) -> Values:
    """Helm's own rule: groups are merged, everything else is replaced, lists too."""
    found = copy.deepcopy(dict(base))
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merge(found[key], value)
        else:
            found[key] = copy.deepcopy(value)
    return found


def secret_texts(values: t.Any, name: str = "") -> t.Iterator[str]:
    """Texts below names that speak of secrets: not for any output."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from secret_texts(value, str(key))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from secret_texts(value, name)
    elif isinstance(values, str) and len(values) > 3 and _is_secret(name, values):
        yield values


def masked(values: t.Any, secrets: t.Collection[str]) -> t.Any:
    """For people: the same with secrets as the beginning of their digest, so that a change of one still shows."""
    if isinstance(values, dict):
        return {key: masked(value, secrets) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [masked(value, secrets) for value in values]
    if isinstance(values, str) and values in secrets:
        return f"(secret, sha256 {hashlib.sha256(values.encode()).hexdigest()[:8]})"
    return values


def _is_secret(name: str, value: str) -> bool:
    lowered = name.lower()
    if "PRIVATE KEY" in value or "LS0tLS1CRUdJTiB" in value:  # PEM, and PEM in base64
        return True
    words = ("password", "token", "secretkey")
    return lowered in ("key", "tls.key", "ca.key") or any(word in lowered for word in words)


def _check(options: CiliumOptions, stage: int) -> None:
    refused = only_stage2(options) if stage == 1 else ()
    if refused:
        raise _at_stage_2(refused[0])


def _at_stage_2(name: str) -> MeshwrightError:
    return MeshwrightError(
        name, seen="true at stage 1", wanted="stage 2: it needs Cilium in kube-proxy's place",
        remedy="turn it off until the cluster is at stage 2, or start a new cluster with cilium_initial_stage: 2",
    )


def _typed(options: CiliumOptions, stage: int, cluster: Cluster) -> Values:
    ipv4, ipv6 = bool(cluster.cidr(4)), bool(cluster.cidr(6))
    values: Values = {
        "k8sServiceHost": options.k8s_service_host or ("127.0.0.1" if ipv4 else "localhost"),
        "k8sServicePort": options.k8s_service_port,
        "ipv4": {"enabled": ipv4},
        "ipv6": {"enabled": ipv6},
        "ipam": {"mode": options.ipam_mode},
        "endpointRoutes": {"enabled": options.endpoint_routes},
        "cni": {"chainingMode": "portmap" if stage == 1 else "none"},
        "cgroup": {"autoMount": {"enabled": options.cgroup_automount}},
        "bpf": {"masquerade": options.bpf_masquerade},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "rollOutCiliumPods": False,  # CONFIG_MARK does it: by the chart's own way, a change of the stage restarts all
        "operator": {"replicas": options.operator_replicas or min(2, max(1, cluster.nodes)), "rollOutPods": True},
        **_hubble(options),
        **_routing(options, cluster),
    }
    _optional(values, options, cluster)
    return values


def _routing(options: CiliumOptions, cluster: Cluster) -> Values:
    if options.routing_mode == "tunnel":
        values: Values = {"routingMode": "tunnel", "tunnelProtocol": options.tunnel_protocol}
        if not cluster.cidr(4):
            values["underlayProtocol"] = "ipv6"  # since 1.18; the default underlay is IPv4
        return values
    cidrs = {
        "ipv4NativeRoutingCIDR": options.native_routing_cidr or cluster.cidr(4),
        "ipv6NativeRoutingCIDR": options.ipv6_native_routing_cidr or cluster.cidr(6),
    }
    return {
        "routingMode": "native",
        "autoDirectNodeRoutes": options.auto_direct_node_routes,
        **{key: value for key, value in cidrs.items() if value},
    }


def _hubble(options: CiliumOptions) -> Values:
    relay = options.hubble and (options.hubble_relay or options.hubble_ui)  # the chart refuses the UI without it
    values: Values = {"enabled": options.hubble, "relay": {"enabled": relay}}
    if relay:
        values["relay"]["rollOutPods"] = True
    values["ui"] = {"enabled": options.hubble and options.hubble_ui}
    return {"hubble": values}


def _optional(values: Values, options: CiliumOptions, cluster: Cluster) -> None:
    host_root = options.cgroup_host_root or ("" if options.cgroup_automount else "/sys/fs/cgroup")
    if host_root:
        put(values, "cgroup.hostRoot", host_root)
    if options.mtu:
        put(values, "MTU", options.mtu)
    if options.resources:
        put(values, "resources", copy.deepcopy(dict(options.resources)))
    switches = {
        "gatewayAPI.enabled": options.gateway_api,
        "bgpControlPlane.enabled": options.bgp,
        "l2announcements.enabled": options.l2_announcements,
    }
    for path in (path for path, on in switches.items() if on):
        put(values, path, True)
    if options.prometheus:
        for part in ("prometheus", "operator.prometheus"):
            put(values, f"{part}.enabled", True)
            put(values, f"{part}.serviceMonitor.enabled", cluster.service_monitors)
    if options.ipam_mode == "cluster-pool":
        _pools(values, options)


def _pools(values: Values, options: CiliumOptions) -> None:
    """Otherwise the chart takes the whole of 10.0.0.0/8."""
    if options.native_routing_cidr:
        put(values, "ipam.operator.clusterPoolIPv4PodCIDRList", [options.native_routing_cidr])
    if options.ipv6_native_routing_cidr:
        put(values, "ipam.operator.clusterPoolIPv6PodCIDRList", [options.ipv6_native_routing_cidr])


def _without_monitors(values: Values) -> tuple[str, ...]:
    """The chart refuses ServiceMonitors before their CRD is there; the metrics themselves stay."""
    if dig(values, "prometheus.serviceMonitor.trustCRDsExist") is True:
        return ()
    asked = [path for path in _MONITORS if dig(values, path) is True]
    for path in asked:
        put(values, path, False)
    return tuple(f"{path} is off until the CRD of ServiceMonitors is installed" for path in asked)
