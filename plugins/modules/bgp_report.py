#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on both ends of BGP."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bgp_report
short_description: Compare what routers and cluster see of BGP with the description, and report what is wrong
version_added: 0.2.0
description:
  - Takes what each router sees, as M(meshwright.k3s_cilium.router_bgp_info) returns it, reads sessions and services off
    the cluster, and finds missing sessions, speakers and next hops that are none of our nodes, routes that the filters
    do not name, prefixes that a router refused, sessions that ended by too many prefixes, and services whose
    addresses have no route or lead to fewer nodes than they should.
  - Of a router that cannot be looked into, the cluster's view of its sessions is judged.
  - Runs on the controller and changes nothing.
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.cluster
  - meshwright.k3s_cilium.bgp
  - meshwright.k3s_cilium.read_only
options:
  views:
    description: For each router's name, what M(meshwright.k3s_cilium.router_bgp_info) returned.
    type: dict
    default: {}
  fail:
    description: Whether findings are a failure.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Report on BGP
  meshwright.k3s_cilium.bgp_report:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    description: "{{ plan.description }}"
    views: "{{ views }}"
"""

RETURN = r"""
findings:
  description: What is not as described.
  returned: always
  type: list
  elements: dict
  contains:
    router:
      description: The router's name.
      type: str
    kind:
      description: Which sort of thing it is.
      type: str
    text:
      description: What is seen.
      type: str
table:
  description: For people, one line for each router, then one for each finding.
  returned: always
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_services, bgp_validate, client_kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp import description
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    arguments = {
        "kubeconfig": {"type": "path", "required": True},
        "description": {"type": "dict", "required": True, "no_log": True},
        "views": {"type": "dict", "default": {}},
        "fail": {"type": "bool", "default": True},
    }
    module = AnsibleModule(arguments, supports_check_mode=True)
    try:
        bgp, views = description(module), module.params["views"]
        kube = client_kube.Kube.from_kubeconfig(module.params["kubeconfig"])
        found, cluster = bgp_services.compare(kube, bgp, views)
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    answer = {
        "findings": [asdict(item) for item in found],
        "table": bgp_validate.table(bgp, views, found, cluster),
    }
    if found and module.params["fail"]:
        module.fail_json(msg="\n".join(str(item) for item in found), **answer)
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
