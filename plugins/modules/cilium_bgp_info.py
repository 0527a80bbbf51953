#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads BGP off a live cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_bgp_info
short_description: Read BGP sessions and routes, node by node, as Cilium tells them
version_added: 0.2.0
description:
  - Reads the status of all objects of the kind CiliumBGPNodeConfig, and what Cilium objects to in their making.
  - The agents write their status every five seconds.
  - Runs on the controller and changes nothing.
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.cluster
  - meshwright.k3s_cilium.read_only
"""

EXAMPLES = r"""
- name: Read the BGP sessions
  meshwright.k3s_cilium.cilium_bgp_info:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
  register: bgp
"""

RETURN = r"""
sessions:
  description: One entry for each node and peer address.
  returned: always
  type: list
  elements: dict
  contains:
    node:
      description: The node's name.
      type: str
    peer:
      description: The peer's name in CiliumBGPClusterConfig.
      type: str
    address:
      description: The router's address.
      type: str
    family:
      description: V(ipv4) or V(ipv6), that of the address.
      type: str
    asn:
      description: The router's AS number.
      type: int
    state:
      description: The session's state in Cilium's words, V(established) when it is up, empty when the agent is silent.
      type: str
    since:
      description: When it was established.
      type: str
    hold:
      description: The hold time agreed on, in seconds.
      type: int
    keepalive:
      description: The keepalive time agreed on, in seconds.
      type: int
    advertised:
      description: Number of routes sent.
      type: int
    received:
      description: Number of routes received.
      type: int
problems:
  description: What Cilium objects to, such as missing secrets or conflicting configurations.
  returned: always
  type: list
  elements: str
table:
  description: For people, one line for each session.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_bgp_state, client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    module = AnsibleModule({"kubeconfig": {"type": "path", "required": True}}, supports_check_mode=True)
    try:
        kube = client_kube.Kube.from_kubeconfig(module.params["kubeconfig"])
        answer = cilium_bgp_state.told(cilium_bgp_state.look(kube))
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
