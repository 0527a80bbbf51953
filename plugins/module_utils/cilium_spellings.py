# SPDX-License-Identifier: GPL-3.0-or-later
"""Older spellings of the chart's values, written as the chart reads them today. Pure.

Sources: Cilium's upgrade guide of each release, section "Helm options"; the chart's templates/validate.yaml.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

Values = dict[str, t.Any]
_ABSENT: t.Any = object()

# What no release since 1.16 reads, and why it may simply go.
_GONE: t.Mapping[str, str] = {
    "containerRuntime": "the agent asks the kubelet (gone since 1.16)",
    "endpointStatus": "it is gone since 1.16",
    "remoteNodeIdentity": "it is always on (gone since 1.16)",
    "etcd.managed": "it is gone since 1.16",
    "proxy.prometheus": "Envoy's own metrics took its place: envoy.prometheus (gone since 1.16)",
    "enableK8sEventHandover": "it is gone since 1.15",
    "enableCnpStatusUpdates": "it is gone since 1.15",
    "ciliumEndpointSlice.sliceMode": "it is gone since 1.18",
    "bgp": "announcing through MetalLB's code is gone since 1.16: see bgpControlPlane",
    "encryption.interface": "it is gone since 1.16",
}

# Same meaning, other place.
_MOVED: t.Mapping[str, str] = {
    "nativeRoutingCIDR": "ipv4NativeRoutingCIDR",
    "enableCiliumEndpointSlice": "ciliumEndpointSlice.enabled",
    "hostServices.hostNamespaceOnly": "socketLB.hostNamespaceOnly",
    "operator.numReplicas": "operator.replicas",
    "clustermesh.apiserver.tls.ca": "tls.ca",
    "encryption.keyFile": "encryption.ipsec.keyFile",
    "encryption.mountPath": "encryption.ipsec.mountPath",
    "encryption.secretName": "encryption.ipsec.secretName",
}

# Once a plain truth value, now a group of options.
_GROUPED = ("bandwidthManager", "hostFirewall")

# The single parts of what kubeProxyReplacement now decides as a whole.
_SWITCHES = ("hostServices", "externalIPs", "nodePort", "hostPort")

_REPLACEMENT: t.Mapping[str, bool] = {
    "strict": True, "true": True, "disabled": False, "false": False, "partial": False, "probe": False,
}


def dig(values: t.Any, path: str, default: t.Any = None) -> t.Any:
    """A nested value by its dotted path."""
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return default
        values = values[key]
    return values


def put(values: Values, path: str, value: t.Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        inner = values.get(key)
        values[key] = values = inner if isinstance(inner, dict) else {}
    values[last] = value


def take(values: Values, path: str) -> t.Any:
    """Remove a nested value and the groups that it leaves empty; _ABSENT when it is not there."""
    key, _, rest = path.partition(".")
    if not isinstance(values, dict) or key not in values:
        return _ABSENT
    if not rest:
        return values.pop(key)
    found = take(values[key], rest)
    if found is not _ABSENT and values[key] == {}:
        del values[key]
    return found


def translate(values: t.Mapping[str, t.Any], stage: int) -> tuple[Values, tuple[str, ...]]:
    """The values as today's chart reads them, and a sentence for each thing that was changed."""
    found = copy.deepcopy(dict(values))
    notes: list[str] = []
    _refuse(found, stage)
    _replacement(found, stage, notes)
    _tunnel(found, notes)
    _switches(found, stage, notes)
    for old, new in _MOVED.items():
        value = take(found, old)
        if value is not _ABSENT:
            if dig(found, new, _ABSENT) is _ABSENT:
                put(found, new, value)
            notes.append(f"{old} is written as {new}")
    for name in _GROUPED:
        if isinstance(found.get(name), bool):
            found[name] = {"enabled": found[name]}
            notes.append(f"{name}: {_show(found[name]['enabled'])} is written as {name}.enabled")
    for old, why in _GONE.items():
        if take(found, old) is not _ABSENT:
            notes.append(f"{old} is left out: {why}")
    return found, tuple(notes)


def _refuse(values: Values, stage: int) -> None:
    if _truth(dig(values, "waitForKubeProxy")):
        raise MeshwrightError(
            "cilium_values.waitForKubeProxy", seen="true", wanted="false",
            remedy="leave it out: once kube-proxy's chains are gone, new agents would wait for ever",
        )
    if stage == 1 and dig(values, "kubeProxyReplacementHealthzBindAddr"):
        raise MeshwrightError(
            "cilium_values.kubeProxyReplacementHealthzBindAddr", seen="set at stage 1", wanted="nothing",
            remedy="leave it out: kube-proxy holds the port and the agent would not start",
        )


def _replacement(values: Values, stage: int, notes: list[str]) -> None:
    """The stage decides; what is written there may only say the same."""
    asked = take(values, "kubeProxyReplacement")
    if asked is _ABSENT or asked is None:
        return
    meant = _REPLACEMENT.get(str(asked).lower())
    if meant is not (stage == 2):
        raise MeshwrightError(
            "cilium_values.kubeProxyReplacement", seen=f"{_show(asked)} at stage {stage}", wanted=_show(stage == 2),
            remedy="leave it out: a new cluster takes cilium_initial_stage, a live one is moved with --tags stage2",
        )
    if str(asked).lower() not in ("true", "false"):
        notes.append(f"kubeProxyReplacement: {asked} is written as {_show(meant)}, which is what stage {stage} has")


def _tunnel(values: Values, notes: list[str]) -> None:
    asked = take(values, "tunnel")
    if asked is _ABSENT:
        return
    # YAML 1.1 reads `off` as false.
    mode = "disabled" if asked is False else str(asked).lower()
    if mode not in ("disabled", "vxlan", "geneve"):
        raise MeshwrightError(
            "cilium_values.tunnel", seen=_show(asked), wanted="disabled, vxlan or geneve",
            remedy="use cilium_routing_mode and cilium_tunnel_protocol",
        )
    new = {"routingMode": "native"} if mode == "disabled" else {"routingMode": "tunnel", "tunnelProtocol": mode}
    for key, value in new.items():
        if values.setdefault(key, value) != value:
            raise MeshwrightError(
                f"cilium_values.{key}", seen=f"{values[key]} beside tunnel: {mode}", wanted=value,
                remedy="keep one of the two",
            )
    notes.append(f"tunnel: {mode} is written as " + ", ".join(f"{key}: {value}" for key, value in new.items()))


def _switches(values: Values, stage: int, notes: list[str]) -> None:
    why = (
        "kubeProxyReplacement includes it" if stage == 2
        else "at stage 1 kube-proxy does this, and portmap serves hostPort; stage 2 turns all of them on"
    )
    for name in _SWITCHES:
        if take(values, f"{name}.enabled") is not _ABSENT:
            notes.append(f"{name}.enabled is left out: {why}")


def _truth(value: t.Any) -> bool:
    return str(value).lower() in ("true", "yes", "on", "1")


def _show(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
