#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until Cilium is up."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_wait
short_description: Wait until Cilium is up on all nodes, and say what is missing if it does not come
version_added: 0.1.0
description:
  - Waits until the CRDs are established, all pods of Cilium's DaemonSets and Deployments are the new ones and
    available, all nodes are Ready and without the taint C(node.cilium.io/agent-not-ready), and each agent says itself
    that it is well and replaces kube-proxy as the stage has it.
  - While objects of the kind CiliumNodeConfig are there, agents may say of kube-proxy what their node was told.
  - Runs on the controller and changes nothing.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  stage:
    description: V(1) beside kube-proxy, V(2) in its place.
    type: int
    choices: [1, 2]
    required: true
  timeout:
    description: For all of it, in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: It changes nothing; in check mode it looks once and does not wait.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Wait for Cilium
  meshwright.k3s_cilium.cilium_wait:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    stage: 1
"""

RETURN = r"""
agents:
  description: One entry for each node, as M(meshwright.k3s_cilium.cilium_info) returns them.
  returned: success
  type: list
  elements: dict
table:
  description: For people, one line for each node.
  returned: when the agents could be asked
  type: list
  elements: str
problems:
  description: What was missing, in check mode only.
  returned: check mode
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_ready, client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import table, told
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    arguments = {
        "kubeconfig": {"type": "path", "required": True},
        "stage": {"type": "int", "choices": [1, 2], "required": True},
        "timeout": {"type": "int", "default": 300},
    }
    module = AnsibleModule(arguments, supports_check_mode=True)
    try:
        kube = client_kube.Kube.from_kubeconfig(module.params["kubeconfig"])
        if module.check_mode:
            seen = cilium_ready.look(kube, module.params["stage"])
            module.exit_json(changed=False, problems=list(seen.problems), agents=told(seen.agents))
        seen = cilium_ready.wait(kube, module.params["stage"], module.params["timeout"])
    except cilium_ready.NotUp as error:
        module.fail_json(table=list(error.rows), **error.fail_args())
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(changed=False, agents=told(seen.agents), table=table(seen.agents))


if __name__ == "__main__":
    main()
