# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migrate_plan
short_description: Judge a cluster, and plan its way from k3s' flannel to Cilium
version_added: 0.3.0
description:
  - Reads the cluster, its nodes, and what M(meshwright.k3s_cilium.migrate_host) and
    M(meshwright.k3s_cilium.stage2_host)
    were registered to say of each host (C(__migrate_host), C(__stage2_host)). Says all that speaks against moving it,
    before anything is changed, and what remains to be done, step by step.
  - Each node keeps its podCIDR. What flannel put into the kernels stays until the last node has been moved, so that the
    two networks reach each other throughout.
  - Changes nothing.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  state:
    description:
      - V(nodes) tells what hosts have to know of all nodes before they are looked at. V(planned) judges and plans.
        V(put_back) plans the way back of one node on which a step failed.
    type: str
    choices: [nodes, planned, put_back]
    default: planned
  chart:
    description: What the role cilium is asked for, as it leaves it in C(__cilium_asked).
    type: dict
  options:
    description: C(order) and C(agent_batch) of nodes, whether servers stop C(together), and C(scale_dns).
    type: dict
  accept:
    description: What is agreed to, that is C(cordoned), C(emptydir), C(bare), C(local) and C(single).
    type: dict
  accept_policies:
    description: Whether NetworkPolicies may go unenforced until all nodes have been moved.
    type: bool
    default: false
  members:
    description: How many members etcd has.
    type: int
    default: 0
  plan:
    description: For V(put_back), the plan's result.
    type: dict
  put_back:
    description: For V(put_back), the node's name in Kubernetes.
    type: str
attributes:
  check_mode:
    support: full
    description: It never changes anything.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Judge the cluster, and plan
  meshwright.k3s_cilium.migrate_plan:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    chart: "{{ __cilium_asked }}"
    options: {order: [], agent_batch: 1, together: false, scale_dns: false}
    accept: {cordoned: false, emptydir: false, bare: false, local: false, single: false}
  register: __migrate_plan
"""

RETURN = r"""
nodes:
  description: All nodes as hosts need to know them.
  returned: with O(state=nodes)
  type: list
  elements: dict
names:
  description: The node of each of the inventory's hosts.
  returned: with O(state=nodes)
  type: dict
hosts:
  description: The inventory's host of each node.
  returned: with O(state=nodes) or O(state=planned)
  type: dict
steps:
  description: What remains, in order, each with C(kind), C(phase), C(node), C(host), C(what), C(why) and C(undo).
  returned: with O(state=planned) or O(state=put_back)
  type: list
  elements: dict
phases:
  description: For each phase its C(hosts) in order, and how many of them at a time (C(serial)).
  returned: with O(state=planned)
  type: dict
values:
  description: The chart's values that hold until all nodes have been moved.
  returned: with O(state=planned)
  type: dict
findings:
  description: All that was judged.
  returned: with O(state=planned)
  type: list
  elements: dict
told:
  description: What becomes of the node, in words.
  returned: with O(state=put_back)
  type: str
"""
