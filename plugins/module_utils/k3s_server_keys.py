# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of k3s' options are for servers alone. Pure; runs on the controller.

k3s: pkg/cli/cmds/server.go against pkg/cli/cmds/agent.go. An agent passes over them with a warning, but a change of its
file would restart it for nothing. An option that is not known here is taken for one of agents too.
"""

from __future__ import annotations

import typing as t

_FAMILIES = (
    "etcd-", "kube-apiserver-", "kube-controller-manager-", "kube-scheduler-", "kube-cloud-controller-manager-",
    "datastore-", "cluster-", "service-", "servicelb", "write-kubeconfig", "tls-san", "advertise-", "agent-token",
    "apiserver-", "secrets-encryption", "kine-",
)  # fmt: skip
_SINGLE = frozenset({
    "https-listen-port", "supervisor-port", "supervisor-metrics", "flannel-backend", "flannel-ipv6-masq",
    "flannel-external-ip", "egress-selector-mode", "helm-job-image", "default-local-storage-path", "embedded-registry",
    "disable", "disable-scheduler", "disable-cloud-controller", "disable-kube-proxy", "disable-network-policy",
    "disable-helm-controller", "disable-apiserver", "disable-controller-manager", "disable-etcd", "disable-agent",
})  # fmt: skip


def is_for_servers(key: str) -> bool:
    name = key.rstrip("+")
    return name in _SINGLE or name.startswith(_FAMILIES)


def for_agents(config: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What of a configuration an agent knows."""
    return {str(key): value for key, value in config.items() if not is_for_servers(str(key))}
