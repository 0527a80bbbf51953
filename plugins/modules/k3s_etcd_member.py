# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_etcd_member
short_description: See to it that a lost server's member is gone from the embedded etcd
version_added: 0.1.0
description:
  - Runs on a living server. k3s removes a member itself once its Node is deleted; this waits for that, and removes the
    member when it stays.
  - Refuses to remove a member that is alive, and to leave fewer members than a quorum.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: Says what it would do.
  diff_mode:
    support: none
    description: A member has no content.
options:
  node:
    description: The lost server's node.
    type: str
    required: true
  state:
    description: There is one state only.
    type: str
    choices: [absent]
    default: absent
  grace:
    description: Seconds that k3s has to remove the member itself.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Remove what is left of the lost server
  meshwright.k3s_cilium.k3s_etcd_member:
    node: server1
  delegate_to: server2
"""

RETURN = r"""
removed:
  description: Identities of the members that this module removed itself.
  returned: success
  type: list
  elements: str
"""

import socket

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_etcd import Etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
            "grace": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    try:
        grace = 0 if module.check_mode else module.params["grace"]
        there, doomed = k3s_etcd.await_removal(Etcd(), module.params["node"], grace)
        for identity in () if module.check_mode else doomed:
            Etcd().remove(identity)
    except MeshwrightError as error:
        module.fail_json(**error.with_host(socket.gethostname()).fail_args())
    module.exit_json(changed=there, removed=[f"{identity:x}" for identity in doomed])


if __name__ == "__main__":
    main()
