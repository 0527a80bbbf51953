#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a CNI plugin where containerd looks for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_cni_plugin
short_description: Put a CNI plugin that the host has where containerd looks for it
version_added: 0.1.0
description:
  - Beside kube-proxy, Cilium leaves C(hostPort) to the CNI plugin C(portmap), chained after itself. Without that binary
    no pod of the node would start.
  - k3s brings the plugin in a directory of its own, which containerd reads only while flannel is on. This module links
    it.
author: The meshwright developers (@meshwright)
options:
  name:
    description: The plugin's name.
    type: str
    default: portmap
  directory:
    description: Where containerd looks.
    type: path
    default: /opt/cni/bin
  sources:
    description: Directories that may have it; the first one that does is taken.
    type: list
    elements: path
    default:
      - /var/lib/rancher/k3s/data/cni
      - /var/lib/rancher/k3s/data/current/bin
      - /usr/lib/cni
      - /usr/libexec/cni
attributes:
  check_mode:
    support: full
    description: Then a plugin that is missing everywhere is only warned of, since k3s may bring it.
  diff_mode:
    support: full
    description: The link before and after.
"""

EXAMPLES = r"""
- name: Make portmap available
  meshwright.k3s_cilium.cilium_cni_plugin:
"""

RETURN = r"""
path:
  description: The plugin's path.
  returned: always
  type: str
why:
  description: What is there or what becomes of it.
  returned: always
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cni_plugin
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

SOURCES = ["/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/data/current/bin", "/usr/lib/cni", "/usr/libexec/cni"]


def main() -> None:
    arguments = {
        "name": {"type": "str", "default": "portmap"},
        "directory": {"type": "path", "default": "/opt/cni/bin"},
        "sources": {"type": "list", "elements": "path", "default": SOURCES},
    }
    module = AnsibleModule(arguments, supports_check_mode=True)
    name = module.params["name"]
    target = Path(module.params["directory"]) / name
    try:
        step = cni_plugin.plan(target, [Path(source) / name for source in module.params["sources"]])
        if not module.check_mode:
            cni_plugin.apply(target, step)
    except MeshwrightError as error:
        if not module.check_mode:
            module.fail_json(**error.fail_args())
        module.warn(str(error))
        step = cni_plugin.Step(why=str(error))
    diff = {"before": "", "after": f"{target} -> {step.link}\n"} if step.link else {}
    module.exit_json(changed=bool(step.link), path=str(target), why=step.why, diff=diff)


if __name__ == "__main__":
    main()
