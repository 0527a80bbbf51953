# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are fixed for a cluster's life. Pure; runs on the controller.

k3s: pkg/daemons/config/types.go (CriticalControlArgs); k3s docs: cli/server.md, "Critical configuration values".
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_files import Config, hidden, is_secret

Value = tuple[str, ...]

# What k3s takes for a key that no file has.
_DEFAULTS: t.Mapping[str, Value] = {
    "cluster-domain": ("cluster.local",),
    "cluster-cidr": ("10.42.0.0/16",),
    "service-cidr": ("10.43.0.0/16",),
    "disable-cloud-controller": ("false",),
    "disable-helm-controller": ("false",),
    "disable-network-policy": ("false",),
    "secrets-encryption": ("false",),
    "secrets-encryption-provider": ("aescbc",),
    "embedded-registry": ("false",),
    "flannel-backend": ("vxlan",),
    "flannel-ipv6-masq": ("false",),
    "flannel-external-ip": ("false",),
    "egress-selector-mode": ("agent",),
    "supervisor-metrics": ("false",),
}
_V6_DEFAULTS: t.Mapping[str, Value] = {"cluster-cidr": ("fd00:42::/56",), "service-cidr": ("fd00:43::/112",)}

_KEEP = "put the old value back; it is fixed when a cluster is created"
_REMEDIES: t.Mapping[str, str] = {
    "flannel-backend": "put the old value back; another CNI for a living cluster is a migration of its own",
    "secrets-encryption": "put the old value back; `k3s secrets-encrypt` changes it in several guarded steps",
    "token": "put the old token back; `k3s token rotate` changes it, and the snapshots need the old one",
    "agent-token": "put the old value back: joined agents and all servers use it",
    "servicelb": "put the old list back: all servers must agree about servicelb",
}
_VARIABLES: t.Mapping[str, str] = {
    "cluster-cidr": "k3s_cluster_cidr", "service-cidr": "k3s_service_cidr", "cluster-dns": "k3s_cluster_dns",
    "secrets-encryption": "k3s_secrets_encryption", "token": "k3s_token", "agent-token": "k3s_agent_token",
    "servicelb": "k3s_disable",
}  # fmt: skip


def values(config: Config) -> dict[str, Value]:
    """Every critical value of a server's effective configuration, defaults filled in."""
    only_v6 = bool(_words(config.get("node-ip"))) and all(":" in word for word in _words(config.get("node-ip")))
    defaults = {**_DEFAULTS, **(_V6_DEFAULTS if only_v6 else {})}
    found = {key: _words(config.get(key)) or default for key, default in defaults.items()}
    found["cluster-dns"] = _words(config.get("cluster-dns")) or _dns(found["service-cidr"])
    found["servicelb"] = ("disabled",) if "servicelb" in _words(config.get("disable")) else ("enabled",)
    for key in ("token", "agent-token"):
        if config.get(key):
            found[key] = (_bare(str(config[key])),)
    return found


def _bare(token: str) -> str:
    """`K10<sum>::server:secret` and `secret` are the same token."""
    return token.rpartition(":")[2] if token.startswith("K10") else token


def _words(value: t.Any) -> Value:
    items = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    texts = ("true" if item is True else "false" if item is False else str(item) for item in items)
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())


def _dns(services: Value) -> Value:
    """The tenth address of each network of services."""
    try:
        return tuple(str(ipaddress.ip_network(net, strict=False)[10]) for net in services)
    except (ValueError, IndexError):
        return ()


def changes(runs_with: Config, wanted: Config, host: str) -> list[MeshwrightError]:
    """One refusal for each critical value that would change on a live server."""
    old, new = values(runs_with), values(wanted)
    refused = []
    for key in sorted(new.keys() | old.keys()):
        if old.get(key) == new.get(key) or (key in ("token", "agent-token") and not _both(old, new, key)):
            continue
        name = f"{key} ({_VARIABLES[key]})" if key in _VARIABLES else key
        refused.append(
            MeshwrightError(
                name, host=host, seen=_shown(key, old.get(key)), wanted=_shown(key, new.get(key)),
                remedy=_REMEDIES.get(key, _KEEP),
            )
        )
    return refused


def _both(old: t.Mapping[str, Value], new: t.Mapping[str, Value], key: str) -> bool:
    """A token that k3s made up itself is in no file: there is nothing to compare the wanted one with."""
    return key in old and key in new


def _shown(key: str, value: Value | None) -> str:
    if value is None:
        return "not set"
    return hidden(value[0]) if is_secret(key) else ",".join(value)
