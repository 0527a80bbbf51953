# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_etcd_info
short_description: The members of the embedded etcd, as one server sees them
version_added: 0.1.0
description:
  - Asks the member on this server by its JSON gateway (port 2382, 2379 before k3s v1.28) with the server's own client
    certificate, and its metrics (port 2381).
  - With O(timeout) it waits until the cluster is whole, which means that there is a leader, that all members vote and
    answer, and that the nodes of O(voters) are among them.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
options:
  voters:
    description: Nodes whose members must vote.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait until the cluster is whole; 0 does not wait, and tells what is missing.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Wait until all members vote
  meshwright.k3s_cilium.k3s_etcd_info:
    voters: [server1, server2, server3]
    timeout: 120
"""

RETURN = r"""
etcd:
  description: Cluster identity, members (id, name, node, peer_urls, learner, active), leader, own, healthy, quorum, and
    whether activity was read from the metrics or taken from the status.
  returned: success
  type: dict
problem:
  description: Why the cluster is not whole; empty when it is.
  returned: success
  type: str
"""

import socket

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_etcd import Etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import wait_until


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "voters": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    voters, timeout = module.params["voters"], module.params["timeout"]
    try:
        state = k3s_etcd.observe(Etcd()) if not timeout else wait_until(
            lambda: k3s_etcd.observe(Etcd()), lambda seen: not k3s_etcd.problem(seen, voters),
            thing="the etcd cluster", wanted="a leader, and every member a voter that answers",
            describe=lambda seen: k3s_etcd.problem(seen, voters), timeout=timeout,
            remedy="bring the server that is named back, or remove it from the cluster, before another one is touched",
        )  # fmt: skip
    except MeshwrightError as error:
        module.fail_json(**error.with_host(socket.gethostname()).fail_args())
    module.exit_json(changed=False, etcd=state.as_dict(), problem=k3s_etcd.problem(state, voters))


if __name__ == "__main__":
    main()
