#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the cluster's end of BGP into the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_bgp
short_description: Write Cilium's BGP, address pool and L2 announcement objects from one description
version_added: 0.2.0
description:
  - Renders CiliumBGPClusterConfig, CiliumBGPPeerConfig, CiliumBGPAdvertisement, CiliumBGPNodeConfigOverride, the
    secrets with passwords, CiliumLoadBalancerIPPool and CiliumL2AnnouncementPolicy from the description, in the API
    versions of its Cilium, and applies them server-side.
  - What the description no longer names goes once everything else is there. Only objects with the label
    C(app.kubernetes.io/managed-by=meshwright.k3s_cilium) are touched.
  - The API server says itself, by a dry run, whether an object would change; so a second run changes nothing.
  - Runs on the controller.
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.cluster
  - meshwright.k3s_cilium.bgp
options:
  state:
    description: V(absent) takes everything of ours away.
    type: str
    choices: [present, absent]
    default: present
  prune:
    description:
      - Whether what the description no longer names goes.
      - V(false) leaves it, for a move from one way of announcing to another - write the new way, see it work, then
        prune.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: The API server only tries, by a dry run. A kind that is not served yet counts as one to create.
  diff_mode:
    support: full
    description: Each object before and after, passwords masked.
"""

EXAMPLES = r"""
- name: Write the cluster's end of BGP
  meshwright.k3s_cilium.cilium_bgp:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    description: "{{ plan.description }}"
"""

RETURN = r"""
steps:
  description: What was done, or would be, in order.
  returned: success
  type: list
  elements: str
established:
  description: How many sessions were up before, as the agents told; V(-1) when they could not be asked.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_bgp, cilium_bgp_state, client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_plan import diff
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    arguments = {
        "kubeconfig": {"type": "path", "required": True},
        "description": {"type": "dict", "required": True, "no_log": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "prune": {"type": "bool", "default": True},
    }
    module = AnsibleModule(arguments, supports_check_mode=True)
    try:
        bgp = cilium_bgp.description(module)
        kube = client_kube.Kube.from_kubeconfig(module.params["kubeconfig"])
        up = cilium_bgp_state.number_up(kube)
        steps = cilium_bgp.run(
            kube, bgp, present=module.params["state"] == "present", prune=module.params["prune"],
            check=module.check_mode,
        )  # fmt: skip
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(changed=bool(steps), steps=[str(step) for step in steps], established=up, diff=diff(steps))


if __name__ == "__main__":
    main()
