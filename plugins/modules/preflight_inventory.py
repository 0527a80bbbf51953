# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_inventory
short_description: Judge the variables of all hosts before any of them is contacted
version_added: 0.1.0
description:
  - Reads the variables of every host of the groups C(k3s_cluster), C(server) and C(agent) on the controller.
  - Checks each against the argument specifications of the collection's roles, then all of them as a whole (networks
    that overlap, versions that do not go together, options that contradict each other).
  - Fails with all refusals at once. Values of secrets are never shown.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
notes:
  - Run it once for a play; it looks at all hosts of the inventory, whatever the limit.
"""

EXAMPLES = r"""
- name: Judge the inventory
  meshwright.k3s_cilium.preflight_inventory:
  run_once: true
"""

RETURN = r"""
findings:
  description: What was found, one entry for each thing. After a failure the message tells of all of it.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The host, or the group when it is the same on all.
      type: str
    check:
      description: The name that C(preflight_skip) takes.
      type: str
    level:
      description: One of V(refuse), V(warn), V(skipped), V(note), V(ok).
      type: str
    thing:
      description: The variable.
      type: str
    seen:
      description: What is there. Of secrets only the size.
      type: str
    wanted:
      description: What should be there.
      type: str
    remedy:
      description: What to do.
      type: str
"""
