# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_node_wait
short_description: Wait for conditions of a node, as one server's API tells them
version_added: 0.1.0
description:
  - Prints what it waits for as it changes; after the time-out it says what was missing last.
  - With O(since), Ready only counts when the kubelet has renewed its lease after that, because a node that has just
    been restarted is still remembered as Ready.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
attributes:
  check_mode:
    support: full
    description: Nothing is waited for.
  diff_mode:
    support: none
    description: It changes nothing.
options:
  server:
    description: The server to ask, as https://address:6443; left out, the one that the kubeconfig names.
    type: str
    default: ""
  node:
    description: The node.
    type: str
    required: true
  conditions:
    description: Conditions that must be True. None at all waits for the Node alone.
    type: list
    elements: str
    default: [Ready]
  since:
    description: The host's clock before it was restarted, in seconds since the epoch.
    type: float
    default: 0
  timeout:
    description: Seconds to wait.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Wait until the server votes
  meshwright.k3s_cilium.k3s_node_wait:
    kubeconfig: ~/.kube/home
    server: https://192.0.2.11:6443
    node: server1
    conditions: [EtcdIsVoter]
"""

RETURN = r"""
conditions:
  description: All conditions of the node, by their names.
  returned: success
  type: dict
"""
