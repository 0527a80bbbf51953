# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_kubeconfig
short_description: Bring a server's kubeconfig to the controller, for its owner alone
version_added: 0.1.0
description:
  - Reads C(/etc/rancher/k3s/k3s.yaml) on the server and stores it on the controller with mode 0600, with an address
    that leads to the cluster from elsewhere.
  - Every server has a client certificate of its own, so the file is kept fresh by the server that it names (with an
    endpoint by the first server); the others only write it when it is missing or useless.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: Nothing is written.
  diff_mode:
    support: none
    description: The file is a secret as a whole.
options:
  path:
    description: Where it is stored, on the controller.
    type: path
    required: true
  address:
    description: How the controller reaches this server.
    type: str
    required: true
  servers:
    description: The inventory's names of all servers, the first one first.
    type: list
    elements: str
    default: []
  endpoint:
    description: A name or address of the whole cluster, which then stands in the file.
    type: str
    default: ""
  name:
    description: The name of cluster, user and context in the file.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Fetch the kubeconfig
  meshwright.k3s_cilium.k3s_kubeconfig:
    path: ~/.kube/home
    address: "{{ ansible_host }}"
    name: home
"""

RETURN = r"""
path:
  description: Where it is.
  returned: success
  type: str
"""
