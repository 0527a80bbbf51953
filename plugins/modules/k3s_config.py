# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name, which plans on the controller and writes with k3s_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_config
short_description: Bring k3s' configuration files to what is wanted, secrets masked, critical values guarded
version_added: 0.1.0
description:
  - Merges wanted keys into C(/etc/rancher/k3s/config.yaml). The file's head lists the keys that were written; of these
    the ones that are not wanted any more go, all others are left as they are.
  - Writes the stage into C(config.yaml.d/60-kube-proxy.yaml) alone, and C(registries.yaml).
  - With O(kube_proxy) and without O(config) nothing but that one file is touched, and no secret is needed.
  - Refuses a stage that another file would overrule.
  - Other drop-ins are respected; what they change of the wanted values is told as a warning.
  - Refuses to change a value of a live server that is fixed for the cluster's life.
  - Nothing is restarted; the answer says whether a restart is due.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: The same plan, nothing written.
  diff_mode:
    support: full
    description: Secrets are shown as the first digits of their sum.
options:
  role:
    description: What the host is.
    type: str
    choices: [server, agent]
    default: server
  config:
    description:
      - Wanted keys and values; an empty value means that the key is not to be there.
      - Left out, only the stage is written. Then there must be O(kube_proxy), and none of O(extra), O(peers) and
        O(registries).
    type: dict
  extra:
    description: More keys, over the others. On an agent those that only servers know are left out.
    type: dict
    default: {}
  peers:
    description:
      - Addresses that C(server:) may name, the best first. One that it names already stays.
      - None on a server makes it C(cluster-init).
    type: list
    elements: str
    default: []
  kube_proxy:
    description: Whether the server is to run kube-proxy. Left out, the stage stays as it is.
    type: bool
  registries:
    description: The content of C(registries.yaml). Empty leaves a foreign file alone.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write the configuration
  meshwright.k3s_cilium.k3s_config:
    role: server
    config:
      token: "{{ k3s_token }}"
      flannel-backend: none
    peers:
      - https://192.0.2.12:6443

- name: Write stage 2 on a server, and nothing else
  meshwright.k3s_cilium.k3s_config:
    kube_proxy: false
"""

RETURN = r"""
writes:
  description: The files that differed.
  returned: success
  type: list
  elements: str
restart_reasons:
  description: Why k3s has to be started or restarted; empty when it runs with what the files say.
  returned: success
  type: list
  elements: str
kube_proxy:
  description: Whether the server runs kube-proxy, by all files together.
  returned: success
  type: bool
overruled:
  description: Wanted values that a foreign drop-in changes, one sentence each.
  returned: success
  type: list
  elements: str
errors:
  description: Each refused change of a critical value, with host, thing, what was seen and wanted, and the remedy.
  returned: when refused
  type: list
  elements: dict
"""
