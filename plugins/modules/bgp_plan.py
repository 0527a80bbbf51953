# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bgp_plan
short_description: Make one description of BGP out of the variables of the cluster and its routers
version_added: 0.2.0
description:
  - Reads the variables of all hosts of the groups C(k3s_cluster) and C(routers), and the nodes of the running cluster
    where there is one, for their names, addresses and labels.
  - Refuses, all at once, what would not work. Values of secrets are never shown.
  - What both ends are made from is in RV(description). It has passwords in it, so a result that is good is not printed.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.read_only
notes:
  - It looks at all hosts of the inventory, whatever the limit.
"""

EXAMPLES = r"""
- name: Describe BGP
  meshwright.k3s_cilium.bgp_plan:
  register: plan
"""

RETURN = r"""
wanted:
  description: Whether the inventory has routers, pools or L2 policies at all. Without any, there is no RV(description).
  returned: success
  type: bool
description:
  description: BGP, as M(meshwright.k3s_cilium.cilium_bgp) and the modules of routers take it. It is
    empty where nothing is wanted, so that what was there before goes.
  returned: success
  type: dict
summary:
  description: For people, the sessions, pools and filters, one line each. It has no passwords in it.
  returned: success
  type: list
  elements: str
sessions:
  description: The sessions that there have to be, by router. Each has the neighbour's address, its family and ASN, and
    the port.
  returned: something is wanted
  type: dict
timeout:
  description: How long sessions may take to be Established, in seconds.
  returned: something is wanted
  type: int
kubeconfig:
  description: File with the way to the cluster.
  returned: success
  type: str
"""
