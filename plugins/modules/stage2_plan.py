# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage2_plan
short_description: Judge the cluster and plan its way to stage 2 or back, or one node's way back into service
version_added: 0.3.0
description:
  - Reads all of it anew - nodes, pods, budgets, services, the agents' own words, Helm's record, both stages' renderings
    of the chart, and what M(meshwright.k3s_cilium.stage2_host) was registered with on each host as C(__stage2_host).
  - Prints everything that speaks against it, host by host, and then each step that remains with its reason. Where
    something is refused, nothing was changed.
  - Nothing is remembered between runs but what stands on the cluster, so it plans from any state between the stages.
author: The meshwright developers (@meshwright)
requirements:
  - helm
extends_documentation_fragment:
  - meshwright.k3s_cilium.cluster
  - meshwright.k3s_cilium.read_only
options:
  direction:
    description: To stage 2 (V(stage2)) or to stage 1 (V(back)).
    type: str
    choices: [stage2, back]
    required: true
  chart:
    description: What M(meshwright.k3s_cilium.cilium_plan) is given, for both stages' renderings.
    type: dict
  options:
    description:
      - C(order), C(agent_batch), C(withdraw), C(drain), C(renew), C(scale_dns); see the role stage2.
    type: dict
  accept:
    description: What the user consents to; C(cordoned), C(emptydir), C(bare), C(local), C(single).
    type: dict
  service_cidrs:
    description: The services' networks.
    type: list
    elements: str
  members:
    description: How many members etcd has.
    type: int
  plan:
    description: With O(put_back), the result of the run's own planning.
    type: dict
  put_back:
    description: A node's name. Then only that node's way back into service is planned.
    type: str
  phase:
    description: With O(put_back), the phase in which it failed.
    type: str
"""

EXAMPLES = r"""
- name: Plan a node's way back
  meshwright.k3s_cilium.stage2_plan:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    direction: stage2
    plan: "{{ plan }}"
    put_back: server2
    phase: nodes
"""

RETURN = r"""
steps:
  description: The steps that remain, in order, each with its kind, phase, node, host, reason and way back.
  returned: success
  type: list
  elements: dict
phases:
  description: For each phase the hosts of its play and how many of them are in work together.
  returned: success, without O(put_back)
  type: dict
hosts:
  description: The inventory's host of each node.
  returned: success, without O(put_back)
  type: dict
wanted:
  description: What a node's agent has to be told at each stage where the chart says the other.
  returned: success, without O(put_back)
  type: dict
findings:
  description: What was judged.
  returned: without O(put_back)
  type: list
  elements: dict
told:
  description: How the node is put back, for people.
  returned: success, with O(put_back)
  type: str
"""
