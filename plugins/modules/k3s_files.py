# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_files
short_description: Write or remove files of k3s' configuration
version_added: 0.1.0
description:
  - The host's half of M(meshwright.k3s_cilium.k3s_config). Every file is written as a whole or not at all, for
    root alone.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: Nothing is written.
  diff_mode:
    support: none
    description: The files hold secrets; k3s_config shows a masked difference.
options:
  files:
    description: The files, below /etc/rancher/k3s.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where.
        type: path
        required: true
      text:
        description: What. Without it the file is removed.
        type: str
"""

EXAMPLES = r"""
- name: Remove a file
  meshwright.k3s_cilium.k3s_files:
    files:
      - path: /etc/rancher/k3s/config.yaml.d/60-kube-proxy.yaml
"""

RETURN = r"""
paths:
  description: The files that differed.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

FOLDER = "/etc/rancher/k3s/"


def main() -> None:
    options = {"path": {"type": "path", "required": True}, "text": {"type": "str", "no_log": True}}
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": options}},
        supports_check_mode=True,
    )
    files = [(file["path"], file["text"]) for file in module.params["files"]]
    foreign = [path for path, _text in files if not path.startswith(FOLDER) or ".." in path]
    if foreign:
        module.fail_json(msg=f"{foreign[0]} is not below {FOLDER}")
    due = [(path, text) for path, text in files if client_host.text_of(path) != text]
    try:
        for path, text in () if module.check_mode else due:
            if text is None:
                client_host.remove_file(path)
            else:
                client_host.write_file(path, text)
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(changed=bool(due), paths=[path for path, _text in due])


if __name__ == "__main__":
    main()
