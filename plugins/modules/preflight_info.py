# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_info
short_description: What a host is and can do, before it becomes a node
version_added: 0.1.0
description:
  - Reads architecture, kernel, cgroups, listening sockets with their owners, links, routes, units, other Kubernetes and
    CNIs, k3s' own state, disk, memory, resolver.
  - Tries what the kernel can do. BPF programs and maps are loaded and dropped again; links, queueing disciplines and
    iptables rules are made in a network namespace of the module's own, which ends with it. Nothing is left behind,
    except that the kernel may have loaded a module of its own in order to answer.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
options:
  resolve:
    description: Names that the host should be able to resolve. Its own name is always tried.
    type: list
    elements: str
    default: []
  disk:
    description: The directory whose room is told; the nearest one that exists is asked.
    type: path
    default: /var/lib/rancher
"""

EXAMPLES = r"""
- name: Gather what the host is
  meshwright.k3s_cilium.preflight_info:
  register: __preflight_info
"""

RETURN = r"""
facts:
  description: What was seen, as plugins/module_utils/model_facts.py reads it.
  returned: always
  type: dict
clock:
  description: The host's clock, and the controller's just before and just after it was asked.
  returned: always
  type: dict
"""

import socket

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_host


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "resolve": {"type": "list", "elements": "str", "default": []},
            "disk": {"type": "path", "default": "/var/lib/rancher"},
        },
        supports_check_mode=True,
    )
    names = [*module.params["resolve"], socket.gethostname()]
    module.exit_json(changed=False, facts=probe_host.facts(names, module.params["disk"]))


if __name__ == "__main__":
    main()
