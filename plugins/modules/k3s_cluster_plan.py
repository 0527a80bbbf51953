# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_cluster_plan
short_description: Decide for all servers together who begins the cluster, who joins it and who stays
version_added: 0.1.0
description:
  - At most one server begins a cluster, and only when no server has a datastore and all of them were asked.
  - A server without a datastore joins whenever another one has one.
  - Refuses two clusters in one inventory, a lost quorum, servers that were removed from etcd, and an even number of
    servers for a new cluster.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
options:
  servers:
    description: The inventory's names of all servers, those that take no part in this run too.
    type: list
    elements: str
    required: true
  info:
    description: The variable in which k3s_info was registered on each of them.
    type: str
    required: true
  initial_stage:
    description: The stage of a cluster that does not exist yet; 2 is without kube-proxy.
    type: int
    choices: [1, 2]
    default: 1
"""

EXAMPLES = r"""
- name: Plan what becomes of each server
  meshwright.k3s_cilium.k3s_cluster_plan:
    servers: "{{ groups['server'] }}"
    info: __k3s_info
  run_once: true
  register: __k3s_plan
"""

RETURN = r"""
live:
  description: Whether there is a cluster already.
  returned: success
  type: bool
order:
  description: The servers in the order in which they are brought up.
  returned: success
  type: list
  elements: str
steps:
  description: For each server its action (initialise, join, keep, unseen), its peers, whether an old etcd member of its
    name has to go first, and whether it runs kube-proxy.
  returned: success
  type: dict
kube_proxy:
  description: Whether the cluster runs kube-proxy.
  returned: success
  type: bool
agent_peers:
  description: Addresses that agents may join through.
  returned: success
  type: list
  elements: str
helper:
  description: A live server that can be asked about etcd; empty when there is none.
  returned: success
  type: str
"""
