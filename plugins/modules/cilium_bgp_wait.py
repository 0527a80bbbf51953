#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for BGP sessions, as the cluster sees them. The action plugin of the same name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_bgp_wait
short_description: Wait until BGP sessions are established, as the cluster sees them
version_added: 0.2.0
description:
  - Waits until the agent of each node that peers says that its sessions with the routers are established, and shows
    what is missing whenever that changes. Nodes that are out of traffic have none.
  - When the time is over, it says of each missing session what is seen instead.
  - Runs on the controller and changes nothing.
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.cluster
  - meshwright.k3s_cilium.bgp
options:
  routers:
    description: Names of the routers whose sessions count. All of them when empty.
    type: list
    elements: str
    default: []
  timeout:
    description: For all of them, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Then nothing is waited for.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Wait for the sessions with one router
  meshwright.k3s_cilium.cilium_bgp_wait:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    description: "{{ plan.description }}"
    routers: [udm]
"""

RETURN = r"""
sessions:
  description: All sessions, as M(meshwright.k3s_cilium.cilium_bgp_info) returns them.
  returned: success
  type: list
  elements: dict
table:
  description: For people, one line for each session.
  returned: success
  type: list
  elements: str
problems:
  description: What Cilium objects to.
  returned: success
  type: list
  elements: str
took:
  description: Seconds until they were all seen.
  returned: success
  type: float
"""
