#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads Cilium's state off a live cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_info
short_description: Read Cilium's state, node by node, as each agent tells it
version_added: 0.1.0
description:
  - Reads the agents' pods from the API and asks each agent for its own status, with the nodes that it reaches.
  - An agent that does not answer is in the result with the reason; it is asked again until O(timeout).
  - Runs on the controller and changes nothing.
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.cluster
  - meshwright.k3s_cilium.read_only
options:
  timeout:
    description: How long agents that do not answer are asked again, in seconds.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Read Cilium's state
  meshwright.k3s_cilium.cilium_info:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
  register: cilium
"""

RETURN = r"""
release:
  description: Helm's record of the release; null where there is none.
  returned: always
  type: dict
  contains:
    revision:
      description: Helm's revision.
      type: int
    status:
      description: Helm's word for its state.
      type: str
    chart_version:
      description: The chart's version.
      type: str
    stage:
      description: V(1) beside kube-proxy, V(2) in its place, null where the values do not say.
      type: int
agents:
  description: One entry for each node.
  returned: always
  type: list
  elements: dict
  contains:
    node:
      description: The node's name.
      type: str
    node_ready:
      description: The node's condition Ready.
      type: bool
    tainted:
      description: Whether the node still has the taint C(node.cilium.io/agent-not-ready).
      type: bool
    pod:
      description: The agent's pod.
      type: str
    uid:
      description: That pod's UID.
      type: str
    ready:
      description: That pod's condition Ready.
      type: bool
    says:
      description: Its own words (state, replacement, failing controllers, nodes reached), or null without an answer.
      type: dict
    error:
      description: Why it did not answer.
      type: str
table:
  description: The same for people, one line for each node.
  returned: always
  type: list
  elements: str
workloads:
  description: What is not as it should be with DaemonSets, Deployments and CRDs; empty when all is well.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_ready, client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    arguments = {
        "kubeconfig": {"type": "path", "required": True},
        "timeout": {"type": "int", "default": 20},
    }
    module = AnsibleModule(arguments, supports_check_mode=True)
    try:
        kube = client_kube.Kube.from_kubeconfig(module.params["kubeconfig"])
        answer = cilium_ready.info(kube, module.params["timeout"])
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
