#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probers on one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_prober
short_description: Let programs on a host ask services until they are stopped
version_added: 0.2.0
description:
  - The host's half of M(meshwright.k3s_cilium.service_probe). It starts programs that go on after the task, in the
    host's own network or in that of a pod on it, stops them, and reads what they wrote.
  - They write to a directory of their own, C(/var/lib/meshwright-probe), or C(~/.cache/meshwright-probe) of a user who
    is not root.
  - In the network of a pod a program is put by C(nsenter), which needs root.
author: The meshwright developers (@meshwright)
options:
  name:
    description: Tells those of one cluster from those of others.
    type: str
    required: true
  state:
    description:
      - V(started) starts what does not run as wanted, and returns when all have begun to count.
      - V(stopped) ends them; what they wrote stays.
      - V(read) returns a piece of what one of them wrote.
      - V(absent) ends them and removes what they wrote.
    type: str
    choices: [started, stopped, read, absent]
    required: true
  program:
    description: The program's text, for O(state=started).
    type: str
  parts:
    description: The programs, for O(state=started).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Which of them.
        type: str
        choices: [outside, pod, host]
        required: true
      pod:
        description: UID of the pod from whose network it asks. Empty for the host's own.
        type: str
        default: ""
      spec:
        description: What the program is given.
        type: dict
        required: true
  part:
    description: Whose lines to read, for O(state=read).
    type: str
    choices: [outside, pod, host]
  offset:
    description: From which byte on, for O(state=read).
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: Nothing is started, stopped or removed.
  diff_mode:
    support: none
    description: There is no text to compare.
"""

EXAMPLES = r"""
- name: End what probes services here
  meshwright.k3s_cilium.service_prober:
    name: home
    state: absent
"""

RETURN = r"""
unsettled:
  description: Ways that did not work from the beginning, with what was seen.
  returned: with O(state=started)
  type: list
  elements: dict
logs:
  description: Bytes that each one has written.
  returned: with O(state=stopped)
  type: dict
data:
  description: The piece, packed by gzip and base64.
  returned: with O(state=read)
  type: str
offset:
  description: Where the next piece begins.
  returned: with O(state=read)
  type: int
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_prober import Part, Probers

PLACES = ["outside", "pod", "host"]
PART = {
    "name": {"type": "str", "choices": PLACES, "required": True},
    "pod": {"type": "str", "default": ""},
    "spec": {"type": "dict", "required": True},
}
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "read", "absent"], "required": True},
    "program": {"type": "str"},
    "parts": {"type": "list", "elements": "dict", "default": [], "options": PART},
    "part": {"type": "str", "choices": PLACES},
    "offset": {"type": "int", "default": 0},
}


def answer(given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    probers = Probers(given["name"])
    if given["state"] == "started":
        parts = [Part(part["name"], part["pod"], part["spec"]) for part in given["parts"]]
        changed, unsettled = probers.start(parts, given["program"], check)
        return {"changed": changed, "unsettled": unsettled}
    if given["state"] == "stopped":
        changed, sizes = probers.stop(check)
        return {"changed": changed, "logs": sizes}
    if given["state"] == "read":
        data, offset = probers.read(given["part"], given["offset"])
        return {"changed": False, "data": data, "offset": offset}
    return {"changed": probers.remove(check)}


def main() -> None:
    module = AnsibleModule(
        ARGUMENTS, supports_check_mode=True,
        required_if=[("state", "started", ["program"]), ("state", "read", ["part"])],
    )  # fmt: skip
    try:
        module.exit_json(**answer(module.params, module.check_mode))
    except (MeshwrightError, OSError) as error:
        told = error if isinstance(error, MeshwrightError) else MeshwrightError("the probers", seen=str(error))
        module.fail_json(**told.fail_args())


if __name__ == "__main__":
    main()
