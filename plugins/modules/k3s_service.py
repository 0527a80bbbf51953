# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_service
short_description: Start or restart k3s, and say why it does not come up
version_added: 0.1.0
description:
  - Starts the unit when it is not running, restarts it when there are reasons to, and waits until k3s tells systemd
    that it is up.
  - When k3s cannot come up, the answer is what k3s says itself, and what to do about it.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: Says what it would do.
  diff_mode:
    support: none
    description: A service has no content.
options:
  name:
    description: The unit.
    type: str
    choices: [k3s, k3s-agent]
    required: true
  reasons:
    description: Why a running k3s has to be restarted. None means that it stays as it is.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds until k3s has to be up.
    type: int
    default: 300
  secrets:
    description: Texts that must not appear in what k3s is quoted with.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Start or restart k3s
  meshwright.k3s_cilium.k3s_service:
    name: k3s
    reasons: "{{ __k3s_configuration.restart_reasons }}"
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: str
seconds:
  description: How long k3s took to come up.
  returned: always
  type: float
begun:
  description: The host's clock before that, in seconds since the epoch.
  returned: always
  type: float
"""

import socket
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host, k3s_service
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True, "choices": ["k3s", "k3s-agent"]},
            "reasons": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 300},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    name, wanted = module.params["name"], module.params
    unit = client_host.unit(name)
    steps = k3s_service.plan(unit, wanted["reasons"])
    begun = time.time()
    try:
        if not module.check_mode:
            cursor = client_host.journal_cursor(name)
            k3s_service.apply(name, steps)
            moved = unit["InvocationID"] if {"start", "restart"} & set(steps) else ""
            k3s_service.Start(name, moved, cursor, wanted["timeout"], wanted["secrets"]).wait()
    except MeshwrightError as error:
        module.fail_json(**error.with_host(socket.gethostname()).fail_args())
    module.exit_json(changed=bool(steps), steps=list(steps), seconds=round(time.time() - begun, 1), begun=begun)


if __name__ == "__main__":
    main()
