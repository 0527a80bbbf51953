# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage2_step
short_description: Take one step between the stages by way of the Kubernetes API
version_added: 0.3.0
description:
  - Takes one step of the plan that M(meshwright.k3s_cilium.stage2_plan) made, if that is still safe - whether the
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
      - V(taken) takes the step. V(allowed) only asks whether it may be taken, for steps that other modules take.
      - V(finished) clears away what was made for trying nodes, and tells how the cluster is.
    type: str
    choices: [taken, allowed, finished]
    default: taken
  former:
    description: For a wait on a new agent, the UID of the one before it.
    type: str
    default: ''
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
  meshwright.k3s_cilium.stage2_step:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    plan: "{{ plan }}"
    step: "{{ plan.steps[0] }}"
"""

RETURN = r"""
former:
  description: The UID of the agent that was let go.
  returned: for a restart
  type: str
node_port:
  description: The port at which the node is to be tried.
  returned: for a step that tries the node
  type: int
addresses:
  description: The node's addresses at which it is to be tried.
  returned: for a step that tries the node
  type: list
  elements: str
told:
  description: What serves the services on each node.
  returned: with O(state=finished)
  type: dict
"""
