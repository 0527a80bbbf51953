#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves a cluster with traffic."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_traffic
short_description: Prove a cluster with the traffic of a small workload
version_added: 0.1.0
description:
  - Brings up one pod on each node and a service before them, in a namespace of its own, and tries the ways between
    them. Pods reach each other across nodes by TCP and UDP, the service by its ClusterIP, by its name and by its
    NodePort on every node, and a port of each host; the controller reaches the NodePorts; pods reach what is outside.
  - The service must be answered by backends of more than one node.
  - The namespace is removed afterwards, also after a failure. What a run left that was killed is removed at the start.
  - Runs on the controller. It reports no change, since it leaves the cluster as it was.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  namespace:
    description: Beginning of the namespace's name.
    type: str
    default: meshwright-validate
  image:
    description: Image of agnhost.
    type: str
    required: true
  host_port:
    description: Port of the hosts by which the pods are tried too. V(0) leaves that out.
    type: int
    default: 0
  egress_targets:
    description: Addresses outside, C(http://), C(https://) or C(tcp://host:port), which every pod has to reach.
    type: list
    elements: str
    default: []
  from_controller:
    description: Whether the controller tries the NodePorts as well.
    type: bool
    default: true
  timeout:
    description: How long the pods may take to be ready, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Then nothing is tried.
  diff_mode:
    support: none
    description: It leaves nothing changed.
"""

EXAMPLES = r"""
- name: Prove the cluster with traffic
  meshwright.k3s_cilium.validate_traffic:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    image: registry.k8s.io/e2e-test-images/agnhost:2.57
    egress_targets:
      - https://example.org/
"""

RETURN = r"""
summary:
  description: For people, one line for each check and one for each way that failed.
  returned: when ways were tried
  type: list
  elements: str
matrix:
  description: For each check, from where to where, V(ok) or what was seen instead.
  returned: when ways were tried
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_kube, validate_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_probes import failure, matrix, summary

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "namespace": {"type": "str", "default": "meshwright-validate"},
    "image": {"type": "str", "required": True},
    "host_port": {"type": "int", "default": 0},
    "egress_targets": {"type": "list", "elements": "str", "default": []},
    "from_controller": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 60},
}


def main() -> None:
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False)
    try:
        kube = client_kube.Kube.from_kubeconfig(module.params["kubeconfig"])
        results = validate_run.run(kube, validate_run.settings_from(module.params))
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    answer = {"summary": summary(results), "matrix": matrix(results)}
    broken = failure(results)
    if broken is not None:
        module.fail_json(**answer, **broken.fail_args())
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
