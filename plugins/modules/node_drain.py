#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drains a node. The action plugin of the same name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_drain
short_description: Move a node's pods away by evictions, and say who keeps them
version_added: 0.2.0
description:
  - Evicts all pods that can move, asks again where a PodDisruptionBudget forbids it for now, and waits until they are
    gone, not merely told to go. Shows how far it is.
  - Name servers of the service C(kube-system/kube-dns) lose its labels some seconds before they are evicted, where
    another one serves, so that no query is lost; another one is made for each.
  - Pods of DaemonSets and static pods stay. A pod that tolerates the cordon is evicted once; its successor may stay.
  - Nothing is evicted while there are pods that would lose something without consent.
  - When the time is over, it names each pod that is left, and the budget that keeps it with what it allows.
  - It does not cordon the node, see M(meshwright.k3s_cilium.node_traffic). Runs on the controller.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  node:
    description: The node's name as Kubernetes has it.
    type: str
    required: true
  timeout:
    description: For all of it, in seconds.
    type: int
    default: 300
  grace_period:
    description: Seconds that each pod has for its end. V(-1) leaves it what it has by itself.
    type: int
    default: -1
  delete_emptydir:
    description: Whether pods with emptyDir volumes may go, which lose that data.
    type: bool
    default: false
  force:
    description: Whether pods without a controller may go, which nobody makes again.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: It says which pods would go, and which need consent.
  diff_mode:
    support: none
    description: The pods that went are in the result.
"""

EXAMPLES = r"""
- name: Drain the node
  meshwright.k3s_cilium.node_drain:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    node: server2
    delete_emptydir: true
"""

RETURN = r"""
gone:
  description: The pods that went, or in check mode would.
  returned: success
  type: list
  elements: str
left:
  description: The pods that stay, and why.
  returned: success, but in check mode
  type: list
  elements: str
refused:
  description: The pods that would lose something, and what.
  returned: check mode
  type: list
  elements: str
took:
  description: Seconds until the last pod was gone.
  returned: success, but in check mode
  type: float
"""
