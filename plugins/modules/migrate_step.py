# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_step
short_description: Take one step from flannel to Cilium by way of the Kubernetes API
version_added: 0.3.0
description:
  - Takes one step of the plan that M(meshwright.k3s_cilium.migrate_plan) made, if that is still safe - whether the
    Lease is this run's, and for steps that may harm, whether the cluster is as the plan found it.
  - Each step can be taken again.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  plan:
    description: The plan's result.
    type: dict
    required: true
  step:
    description: One of its steps. Left out with O(state=finished).
    type: dict
  state:
    description:
      - V(taken) takes the step. V(allowed) only asks whether it may be taken, for steps that others take.
      - V(finished) tells how the cluster is.
    type: str
    choices: [taken, allowed, finished]
    default: taken
  timeout:
    description: Seconds to wait where the step waits.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: It does nothing then, as the plan says what would be done.
  diff_mode:
    support: none
    description: What changes is a label, a note or a pod.
"""

EXAMPLES = r"""
- name: Take the first step
  meshwright.k3s_cilium.migrate_step:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    plan: "{{ plan }}"
    step: "{{ plan.steps[0] }}"
"""

RETURN = r"""
pods:
  description: Pods of the old network that the host has to make anew.
  returned: for such a step
  type: list
  elements: str
here:
  description: Addresses that this node has to reach.
  returned: for a step that tries the node
  type: list
  elements: str
there:
  description: Addresses on this node that the others have to reach.
  returned: for a step that tries the node
  type: list
  elements: str
nodes:
  description: All nodes as hosts need to know them, and which have been moved.
  returned: with O(state=allowed)
  type: list
  elements: dict
told:
  description: The network of each node.
  returned: with O(state=finished)
  type: dict
"""
