# SPDX-License-Identifier: GPL-3.0-or-later
"""The DaemonSets of the live cluster, if there is a kubeconfig from an earlier run and the API answers."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def daemonsets(kubeconfig: str) -> dict[str, str]:
    """`namespace/name` → the first container's image. Nothing where the cluster cannot be asked: the hosts' own links
    and files tell of other CNIs too."""
    if not kubeconfig or not Path(kubeconfig).expanduser().is_file():
        return {}
    try:
        found = Kube.from_kubeconfig(str(Path(kubeconfig).expanduser())).list("DaemonSet", api_version="apps/v1")
    except MeshwrightError as error:
        Display().vv(f"preflight: the DaemonSets were not read: {error}")
        return {}
    return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": _image(item) for item in found}


def _image(item: dict[str, t.Any]) -> str:
    containers = item["spec"]["template"]["spec"]["containers"]
    return str(containers[0].get("image", ""))
