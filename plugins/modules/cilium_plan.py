#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what is to be done about Cilium, before anything is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_plan
short_description: Say what is to be done about Cilium in a cluster, and which pods that restarts
version_added: 0.1.0
description:
  - Reads the cluster and Helm's record of the release C(cilium) in C(kube-system), makes the chart's values from typed
    options, the stage and the free values, and compares.
  - Where Helm has to run, it writes the values to O(values_path) and says, from both sides' rendered manifests, which
    DaemonSets and Deployments restart.
  - The agents' pods carry a checksum of their settings at both stages as an annotation, so that each change of a
    setting restarts them and a change of the stage does not. It stays while the values do; else both stages are
    rendered for it.
  - The stage of a live cluster is read, from the release and from the arguments that k3s notes on its servers' nodes,
    and kept; O(initial_stage) counts only where neither tells.
  - Runs on the controller.
author: The meshwright developers (@meshwright)
requirements:
  - helm
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  kubeconfig:
    description:
      - File on the controller with the way to the cluster.
      - In check mode it may be missing, which stands for a cluster to come.
  chart:
    description: Name in O(chart_repo_url), C(oci://) reference, or path of a chart's directory or archive.
    type: str
    required: true
  chart_repo_url:
    description: Address of the repository; not used for C(oci://) references and paths.
    type: str
    default: ''
  version:
    description: Version of the chart.
    type: str
    required: true
  helm_binary:
    description: Name or path of C(helm).
    type: str
    default: helm
  options:
    description: The typed options, named as the fields of CiliumOptions. Null takes the default.
    type: dict
    default: {}
  values:
    description: Free values, merged over those made from the options. Older spellings are translated.
    type: dict
    default: {}
  cluster_cidr:
    description: The pods' networks.
    type: list
    elements: str
    required: true
  nodes:
    description: Number of nodes that a cluster which is still to come will have.
    type: int
    default: 1
  initial_stage:
    description: The stage of a cluster that does not have Cilium yet.
    type: int
    choices: [1, 2]
    default: 1
  stage:
    description:
      - The stage to make the values for, whatever the live cluster is at. V(0) keeps the cluster's.
      - The agents restart neither for it nor by it. They are to be at that stage already, node by node.
    type: int
    choices: [0, 1, 2]
    default: 0
  gateway_api_version:
    description: Version of the Gateway API's CRDs. Empty takes the one that this Cilium expects.
    type: str
    default: ''
  gateway_api_crds:
    description: File, directory or address of the CRDs. Empty takes the project's release.
    type: str
    default: ''
  values_path:
    description: Where the values are written for Helm, with mode 0600.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Then O(values_path) is not written either.
  diff_mode:
    support: full
    description: The values before and after, secrets as the beginning of their digest.
notes:
  - RV(ignore:changed) says that there is something to do. The module itself changes nothing in the cluster.
"""

EXAMPLES = r"""
- name: Say what is to be done
  meshwright.k3s_cilium.cilium_plan:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
    chart: cilium
    chart_repo_url: https://helm.cilium.io/
    version: 1.20.2
    cluster_cidr: [10.42.0.0/16]
    values_path: ~/.local/state/meshwright/k3s_cilium/home/cilium-values.yaml
  register: plan
"""

RETURN = r"""
there:
  description: Whether there is a cluster.
  returned: always
  type: bool
stage:
  description: The stage that the values are made for.
  returned: always
  type: int
action:
  description: One of V(install), V(upgrade), V(none).
  returned: always
  type: str
summary:
  description: For people, what is going to happen and why, in sentences.
  returned: always
  type: list
  elements: str
restarts:
  description: The workloads whose pods the change restarts, with what changed in them.
  returned: always
  type: list
  elements: str
config_only:
  description: ConfigMaps that change without a pod that restarts.
  returned: always
  type: list
  elements: str
notes:
  description: What was translated or left out of the free values.
  returned: always
  type: list
  elements: str
chart:
  description: What Helm is called with; C(ref), C(repo_url) and C(version).
  returned: always
  type: dict
secret_values:
  description: Whether the values hold secrets, so that what reads them back must not be shown.
  returned: always
  type: bool
stale_record:
  description: Name of the Secret that a Helm left which was killed, or empty. It goes before Helm runs again.
  returned: always
  type: str
rollback:
  description: Revision to which Helm returns after that, because it has what is wanted; V(0) where it upgrades.
  returned: always
  type: int
gateway_api:
  description: Version, sources, and whether they are to be applied and the operator restarted. Null when not asked for.
  returned: always
  type: dict
"""

import functools

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_call
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import plan as make_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    values_path = {"type": "path", "required": True}
    module = AnsibleModule({**cilium_call.ARGUMENTS, "values_path": values_path}, supports_check_mode=True)
    try:
        wish = cilium_call.wish_from(module.params)
        secrets = cilium_call.secrets_of(wish)
        module.no_log_values.update(secrets)
        seen = cilium_call.observe_cluster(module.params["kubeconfig"], absent_is_well=module.check_mode)
        chart = cilium_call.chart_of(module.params)
        render = cilium_call.renderer(module.run_command, module.params["helm_binary"], chart, seen)
        plan = make_plan(wish, seen, functools.partial(cilium_call.checksum, render))
        effect = cilium_call.effect(render, seen, plan)
        if not module.check_mode:
            cilium_call.write_values(plan, module.params["values_path"])
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(**cilium_call.told(plan, seen, chart, effect, secrets))


if __name__ == "__main__":
    main()
