# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half: it reads. The action of the same name masks what was read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_info
short_description: What k3s is on a host, and whether a restart is due
version_added: 0.1.0
description:
  - Reads binary, unit, configuration, the configuration that the running k3s was started with, datastore and etcd.
  - Secrets are told as the first digits of their sum, so that two of them can be compared.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
options:
  role:
    description: What the host is to be.
    type: str
    choices: [server, agent]
    default: server
  brief:
    description: Leave out what takes time, which is the binary's sum and version, and etcd.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what is there
  meshwright.k3s_cilium.k3s_info:
    role: server
  register: __k3s_info
"""

RETURN = r"""
installed:
  description: The binary's path, version, sum, and the names of the links that lead to it.
  returned: always
  type: dict
service:
  description: The unit's name, states, main process, and whether it is ours, enabled, active, and runs this binary.
  returned: always
  type: dict
config:
  description: The effective configuration with secrets masked, and the files that it comes from.
  returned: always
  type: dict
started_config:
  description: The effective configuration that the running k3s was started with; null when our unit did not start it.
  returned: always
  type: dict
datastore_initialised:
  description: Whether an etcd member's data is there.
  returned: always
  type: bool
restart_reasons:
  description: Why k3s would have to be started or restarted now.
  returned: always
  type: list
  elements: str
node_name:
  description: The name of the host's node.
  returned: always
  type: str
kube_proxy:
  description: Whether this server runs kube-proxy.
  returned: always
  type: bool
joined:
  description: Whether the host has a node password, which it gets when it joins for the first time.
  returned: always
  type: bool
ca_hash:
  description: The sum of the cluster's certificate authority, which tells clusters apart. Empty on agents.
  returned: always
  type: str
etcd:
  description: What M(meshwright.k3s_cilium.k3s_etcd_info) tells, or why etcd could not be asked; null on agents.
  returned: always
  type: dict
cni:
  description: Files in /etc/cni/net.d.
  returned: always
  type: list
  elements: str
addresses:
  description: The host's addresses.
  returned: always
  type: list
  elements: str
resolved:
  description: Whether systemd-resolved keeps a list of the network's own resolvers.
  returned: always
  type: bool
hostname:
  description: The host's own name.
  returned: always
  type: str
machine:
  description: The machine's architecture as the kernel names it.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_observe


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["server", "agent"], "default": "server"},
            "brief": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, raw=k3s_observe.observe(module.params["role"], module.params["brief"]))


if __name__ == "__main__":
    main()
