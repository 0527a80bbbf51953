#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a node out of traffic or back, step by step. The action plugin of the same name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_traffic
short_description: Take a node out of traffic or back, one step at a time, on the cluster's side
version_added: 0.2.0
description:
  - Cordons a node and notes on it that we did; takes it out of all announcing (BGP, Cilium's L2 announcements, MetalLB)
    by its labels, and waits until nothing is announced from it as the cluster sees it; and each of it back.
  - Which steps remain is read off the node, so a run that was killed is gone on with by the next one.
  - What routers still do is theirs to say, see M(meshwright.k3s_cilium.router_bgp_wait).
  - Runs on the controller.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  node:
    description: The node's name as Kubernetes has it.
    type: str
    required: true
  state:
    description:
      - V(observed) changes nothing, says what remains to be done for O(target), and fails where it must not be done.
      - V(cordoned) and V(uncordoned) are for new pods. Only a cordon of ours is taken back.
      - V(withdrawn) and V(announced) are for traffic from outside; both wait.
    type: str
    choices: [observed, cordoned, withdrawn, announced, uncordoned]
    required: true
  target:
    description: Whereto the node is on its way. Follows from O(state) but for V(observed).
    type: str
    choices: [out, in]
    default: out
  accept_cordoned:
    description: Whether a node that somebody else cordoned may be taken out. It stays cordoned when it is back.
    type: bool
    default: false
  timeout:
    description: How long it waits, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: It says whether the step would change something, and does not wait.
  diff_mode:
    support: none
    description: What changes is one mark and one label.
"""

EXAMPLES = r"""
- name: See what taking the node out of traffic would need
  meshwright.k3s_cilium.node_traffic:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    node: server2
    state: observed
    target: out
"""

RETURN = r"""
situation:
  description: V(in), V(out), V(draining) or V(between).
  returned: success
  type: str
steps:
  description: What remains to be done, in order.
  returned: success
  type: list
  elements: str
rollout_plan:
  description: The same for the callback P(meshwright.k3s_cilium.rollout#callback).
  returned: success, with O(state=observed)
  type: list
  elements: dict
announcers:
  description: For V(bgp), V(l2) and, where it is there, V(metallb), V(announcing), V(leaving), V(out) or V(returning).
  returned: success
  type: dict
cordoned:
  description: Whether new pods stay away.
  returned: success
  type: bool
ours:
  description: Whether the cordon is ours.
  returned: success
  type: bool
pods:
  description: How many pods a drain would move.
  returned: success
  type: int
sessions:
  description: The node's BGP sessions, as M(meshwright.k3s_cilium.cilium_bgp_info) returns them.
  returned: success
  type: list
  elements: dict
addresses:
  description: The node's addresses that routers may have as next hops.
  returned: success
  type: list
  elements: str
present:
  description: For each router's address, the node's addresses that must be among its next hops.
  returned: success
  type: dict
"""
