# SPDX-License-Identifier: GPL-3.0-or-later
"""What one node's agent has to be told for another stage than the chart's: the difference of two renderings. Pure.

The lists of settings are the chart's: each stage is rendered with the cluster's own values, and cilium-config compared.
A CiliumNodeConfig can add settings and change them, but not take one away, so for a setting that only the stage left
behind has, what its absence means has to be said.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible.module_utils.common.yaml import yaml_load_all

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import CONFIG_NAME, STAGE_LABEL

Data = t.Mapping[str, str]

NAMESPACE = "kube-system"
CONFIG_MAP = "cilium-config"
# What the agent does where a setting is missing (Cilium: pkg/defaults, pkg/option/config.go, daemon/cmd/cni/config.go).
ABSENT: Data = {
    "bpf-lb-sock-hostns-only": "false",
    "cni-chaining-mode": "none",
    "dnsproxy-enable-transparent-mode": "false",
    "enable-bpf-masquerade": "false",
    "enable-envoy-config": "false",
    "enable-gateway-api": "false",
    "enable-host-legacy-routing": "false",
    "enable-ingress-controller": "false",
    "enable-l2-announcements": "false",
    "enable-l2-pod-announcements": "false",
    "kube-proxy-replacement": "false",
    "kube-proxy-replacement-healthz-bind-address": "",
}
# Details of something that a setting above turns off: without it nobody reads them.
_DETAILS = (
    "enable-gateway-api-", "gateway-api-", "enable-ingress-", "ingress-", "envoy-config-", "l2-announcements-",
)  # fmt: skip
# A stage is nothing of these: whoever sees them change is about to change more than a stage.
_NEVER = ("ipam", "routing-mode", "tunnel-protocol", "cluster-id", "cluster-name", "enable-ipv4", "enable-ipv6")


def config_data(manifest: str) -> Data:
    """The data of cilium-config in what Helm rendered."""
    for document in yaml_load_all(manifest):
        if not isinstance(document, dict) or document.get("kind") != "ConfigMap":
            continue
        if document["metadata"]["name"] == CONFIG_MAP:
            return {str(key): str(value) for key, value in (document.get("data") or {}).items()}
    raise MeshwrightError(
        "the chart's manifest", seen=f"without the ConfigMap {CONFIG_MAP}", wanted="Cilium's chart",
        remedy="see cilium_chart",
    )


def defaults(former: Data, target: Data) -> dict[str, str]:
    """What makes an agent that reads `former` behave as with `target`. The other way round: the opposite."""
    found: dict[str, str] = {}
    unknown: list[str] = []
    for key in sorted(former.keys() | target.keys()):
        if former.get(key) == target.get(key):
            continue
        if key in target:
            found[key] = target[key]
        elif key in ABSENT:
            found[key] = ABSENT[key]
        elif not key.startswith(_DETAILS):
            unknown.append(key)
    if unknown:
        raise _not_known(unknown)
    more = [key for key in found if key in _NEVER]
    if more:
        raise MeshwrightError(
            "the difference between the stages", seen=f"more than a stage ({', '.join(more)})",
            wanted="the same network at both", remedy="let cilium_values say the same for both stages",
        )
    return found


def _not_known(keys: t.Sequence[str]) -> MeshwrightError:
    return MeshwrightError(
        "the difference between the stages", seen=f"settings that the other stage does not mention ({', '.join(keys)})",
        wanted="a value for each at both stages, as a node cannot be told to forget one",
        remedy="set them in cilium_values.extraConfig, with the value that they are to have at the other stage",
    )


def applied(data: Data, over: Data) -> dict[str, str]:
    """What an agent reads: the ConfigMap, and its node's settings over it."""
    return {**data, **over}


def same(one: Data, other: Data) -> bool:
    """Whether two agents behave alike by what they read."""
    return _told(one) == _told(other)


def _told(data: Data) -> dict[str, str]:
    """Without what is said by silence."""
    return {
        key: value for key, value in data.items() if ABSENT.get(key) != value and not key.startswith(_DETAILS)
    }


def strangers(live: Data, rendered: Data) -> tuple[str, ...]:
    """Settings that would change with the value's flip though they are no part of it."""
    return tuple(sorted(key for key in live.keys() | rendered.keys() if live.get(key) != rendered.get(key)))


def checksum(one: Data, other: Data) -> str:
    """Of both stages together, so that neither of them matters: as an annotation of the agents' pods it makes them
    restart for any change of a setting but for a change of the stage, which takes its own way through the nodes."""
    both = sorted(json.dumps(dict(data), sort_keys=True) for data in (one, other))
    return hashlib.sha256(json.dumps(both).encode()).hexdigest()


def node_config(stage: int, over: Data, cilium: versions.Minor) -> Object:
    """The CiliumNodeConfig for the nodes that are labelled for a stage."""
    return {
        "apiVersion": versions.api_version("CiliumNodeConfig", cilium),
        "kind": "CiliumNodeConfig",
        "metadata": {"name": CONFIG_NAME.format(stage=stage), "namespace": NAMESPACE},
        "spec": {
            "nodeSelector": {"matchLabels": {STAGE_LABEL: str(stage)}},
            "defaults": dict(over),
        },
    }


def stage_of(config: Object) -> int:
    """Of one of ours; 0 for somebody else's."""
    name = config["metadata"]["name"]
    return next((stage for stage in (1, 2) if CONFIG_NAME.format(stage=stage) == name), 0)
