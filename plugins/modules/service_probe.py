# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it plans on the controller, and works on the hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_probe
short_description: Ask services from everywhere while something is done to the cluster
version_added: 0.2.0
description:
  - Asks a service at a steady rate, in a new connection each time, until it is stopped, and writes down what became of
    each request. A request that should have been made and was not counts as failed.
  - From outside it asks the LoadBalancer's address and the NodePort of each node. On each node a pod of a DaemonSet and
    a process of the host ask the ClusterIP, DNS, a pod of another node, and the C(kubernetes) Service. Beside them
    stand connections that are kept, which are told apart.
  - A task of it is to run on all nodes, and on the hosts outside that ask. A host that is no node is one outside.
  - Nothing counts before a way has worked several times in a row. One that never does fails the task.
  - What is asked is a workload of its own, of two replicas with a PodDisruptionBudget, or a Service that is there.
  - The lines are those of docs/rollout.md, for M(meshwright.k3s_cilium.rollout_report).
author: The meshwright developers (@meshwright)
requirements:
  - root on nodes, with nsenter
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  state:
    description:
      - V(started), on each host, brings the workload up and starts asking. What asks already goes on.
      - V(stopped), on each host, ends that and brings what was seen to the controller.
      - V(absent), once, removes the workload, puts what was seen into O(log) and judges it.
    type: str
    choices: [started, stopped, absent]
    default: started
  name:
    description: Tells what runs on a host for one cluster from what runs there for others.
    type: str
    default: services
  log:
    description:
      - File on the controller for the lines, which is written anew. Required unless O(state=started).
      - Until all of it is there, the parts are in a directory of this name with C(.parts) behind it.
    type: path
  namespace:
    description: Where the workload is. It must not be one that is used otherwise.
    type: str
    default: meshwright-probe
  image:
    description: Image of agnhost, for O(state=started).
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.57
  service:
    description: A Service to ask instead of one of its own, as C(namespace/name).
    type: str
    default: ""
  path:
    description: What O(service) is asked by HTTP, and answers with 200. Without it, it is only connected to.
    type: str
    default: ""
  load_balancer:
    description: Whether its own Service gets an address that is reached from outside.
    type: bool
    default: false
  node:
    description: The host's node, where neither the host's name nor its addresses tell.
    type: str
    default: ""
  rate:
    description: New connections a second by each way. In one that is kept it is asked a quarter as often.
    type: float
    default: 20.0
  host_rate:
    description: The same by processes of hosts. Like O(rate) by default. V(0) leaves them out.
    type: float
  flows:
    description: Whether connections are kept as well.
    type: bool
    default: true
  seconds:
    description: How long it asks at most, should nobody stop it.
    type: float
    default: 7200.0
  settle:
    description: How long a way may take until it works, in seconds.
    type: float
    default: 30.0
  timeout:
    description: How long the workload may take to be ready, in seconds.
    type: float
    default: 120.0
attributes:
  check_mode:
    support: full
    description: Then nothing is asked.
  diff_mode:
    support: none
    description: It leaves nothing changed.
"""

EXAMPLES = r"""
# In a play for k3s_cluster and the hosts outside that ask, or by playbooks/probe.yml.
- name: Begin to ask
  meshwright.k3s_cilium.service_probe:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    state: started

# Whatever must not be noticed

- name: Ask no more
  meshwright.k3s_cilium.service_probe:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    state: stopped
    log: ~/probes.jsonl

- name: Judge it
  meshwright.k3s_cilium.service_probe:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    state: absent
    log: ~/probes.jsonl
  run_once: true
"""

RETURN = r"""
probes:
  description: The names of this host's probes.
  returned: with O(state=started)
  type: list
  elements: str
results:
  description: What came of each probe.
  returned: with O(state=absent)
  type: list
  elements: dict
summary:
  description: For people, one line for each kind of way, and one for all new connections that nothing may happen to.
  returned: with O(state=absent)
  type: list
  elements: str
sent:
  description: New connections in all, of the kinds that nothing may happen to.
  returned: with O(state=absent)
  type: int
lost:
  description: How many of them failed, or were never made.
  returned: with O(state=absent)
  type: int
longest_gap:
  description: The longest time in which one way failed, in seconds.
  returned: with O(state=absent)
  type: float
unheard:
  description: Hosts of the play of which nothing was brought.
  returned: with O(state=absent)
  type: list
  elements: str
"""
