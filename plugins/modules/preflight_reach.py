# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_reach
short_description: Whether a host reaches the others
version_added: 0.1.0
description:
  - Opens a TCP connection to each port of each target, all at the same time. Being refused counts as being reached, for
    the program may not run yet; no answer, or an answer of something on the way, does not.
  - Sends one ICMP echo as large as the MTU that may not be cut, where a small one is answered.
  - Without O(targets) the action of the same name takes them from the facts of all hosts.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
options:
  targets:
    description: The other hosts.
    type: list
    elements: dict
    suboptions:
      host:
        description: Its name in the inventory.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
      ports:
        description: The TCP ports to try.
        type: list
        elements: int
        required: true
      mtu:
        description: The size of the large echo; 0 for none.
        type: int
        default: 0
  timeout:
    description: Seconds to wait for an answer.
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Try the ways to the other nodes
  meshwright.k3s_cilium.preflight_reach:
    timeout: 3
  register: __preflight_reach
"""

RETURN = r"""
reaches:
  description: One entry for each target, with what was seen at each port.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_reach

TARGET = {
    "host": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "ports": {"type": "list", "elements": "int", "required": True},
    "mtu": {"type": "int", "default": 0},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "options": TARGET},
            "timeout": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    reaches = probe_reach.probe_all(module.params["targets"] or [], module.params["timeout"])
    module.exit_json(changed=False, reaches=reaches)


if __name__ == "__main__":
    main()
