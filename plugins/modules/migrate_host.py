# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half: it looks, mends and cleans. The action of the same name judges what k3s' files say."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_host
short_description: See flannel on a host, keep its ways alive, and remove what it leaves behind
version_added: 0.3.0
description:
  - For the way from k3s' own flannel to Cilium, see M(meshwright.k3s_cilium.migrate_plan).
  - k3s takes nothing back when it starts without flannel. So links and routes go on to carry traffic between the two
    networks until they are removed here.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: What would be done is told.
  diff_mode:
    support: none
    description: What changes is told as a list.
options:
  role:
    description: What the host is.
    type: str
    choices: [server, agent]
    default: server
  state:
    description:
      - V(observed) tells what there is.
      - V(cleared) takes away what would be in Cilium's way, that is the bridge C(cni0) with all that hangs on it, the
        addresses that flannel's plugin keeps, and the frozen chains of k3s' network policy controller.
      - V(mended) makes flannel's ways to nodes that have it yet, which a reboot took away.
      - V(renewed) ends the sandboxes of O(pods), which kubelet makes anew.
      - V(swept) removes all that is left of flannel.
    type: str
    choices: [observed, cleared, mended, renewed, swept]
    default: observed
  node:
    description: The host's name in Kubernetes.
    type: str
    required: true
  nodes:
    description: All nodes, each with C(name), C(addresses), C(pod_cidrs), flannel's C(notes), and if it was C(moved).
    type: list
    elements: dict
    default: []
  pods:
    description: For V(renewed), pods as C(namespace/name).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Take away what would be in Cilium's way
  meshwright.k3s_cilium.migrate_host:
    node: server1
    state: cleared
"""

RETURN = r"""
says:
  description: What the host reports of itself.
  returned: when observed
  type: dict
done:
  description: What was done, or would be in check mode.
  returned: when not observed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    states = ["observed", "cleared", "mended", "renewed", "swept"]
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["server", "agent"], "default": "server"},
            "state": {"type": "str", "choices": states, "default": "observed"},
            "node": {"type": "str", "required": True},
            "nodes": {"type": "list", "elements": "dict", "default": []},
            "pods": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        answer = migrate_host.act(module.params, module.check_mode)
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
