# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_node_forget
short_description: Delete what the cluster remembers of a machine that lost its data
version_added: 0.1.0
description:
  - Deletes the Node, which makes k3s remove the etcd member of a server, and the secret with the node's password. With
    either of them a machine that was set up anew cannot join by its old name.
  - Refuses when another machine runs as this node.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
attributes:
  check_mode:
    support: full
    description: Says what it would delete.
  diff_mode:
    support: none
    description: What is deleted stands in C(forgotten).
options:
  servers:
    description: Servers to ask, as https://address:6443; the first that answers is taken.
    type: list
    elements: str
    default: []
  node:
    description: The node.
    type: str
    required: true
  addresses:
    description: The machine's own addresses. A Node that is Ready at one of them is this machine, before it was wiped.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that another Node of this name may stay Ready before it is taken for a living machine.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Forget the machine as it was
  meshwright.k3s_cilium.k3s_node_forget:
    kubeconfig: ~/.kube/home
    node: server1
    addresses: [192.0.2.11]
"""

RETURN = r"""
forgotten:
  description: What was deleted, or would be.
  returned: success
  type: list
  elements: str
"""
