# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vyos_bgp
short_description: Bring BGP of a VyOS router to what the description says, and nothing else
version_added: 0.2.0
description:
  - Renders the paths for the router's version of VyOS, checks each against those that the version knows, compares with
    what is there, and commits the smallest set of settings and deletions.
  - Ours are the policies and peer-groups with our names, the neighbours in those groups (on 1.3, which cannot have
    timers in groups, those with our route-maps), and the listen ranges of those groups. All other configuration stays.
  - What is there once for everybody (AS number, router id, C(maximum-paths), C(ebgp-requires-policy)) is set where it
    is missing. Where it differs and other BGP is configured, the run is refused. C(ebgp-requires-policy) is not set
    where a neighbour of somebody else's has no policy, for it would lose all its routes.
  - With listen ranges no timers are written; of both ends' hold times the lower one holds, which is the cluster's.
  - A commit that fails in one part is taken back in the others. Where the answer to a commit is lost, the configuration
    is read instead of committing again.
  - On 1.5 the HTTP API's commit takes itself back unless it is confirmed. By default the router does that by a reboot;
    with C(set system config-management commit-confirm action reload), which needs C(commit-revisions), by a reload. On
    the command line it is used only where the router reloads. On 1.3 and 1.4 the HTTP API has no such commit. There
    nothing is saved before V(confirmed), so that a reboot is the way back.
  - Runs on the controller.
author: The meshwright developers (@meshwright)
requirements:
  - ansible.netcommon and vyos.vyos, with O(transport=network_cli) only
extends_documentation_fragment:
  - meshwright.k3s_cilium.bgp
  - meshwright.k3s_cilium.router_api
attributes:
  check_mode:
    support: full
    description: Reads and compares, commits nothing.
  diff_mode:
    support: full
    description: Our part and what is there once for everybody, as lines; passwords as the beginning of their digest.
options:
  state:
    description:
      - V(present) commits what is wanted, for O(confirm_minutes) at first where the router can do so. It is not saved.
      - V(confirmed) makes that last, and saves it. It fails when the router has gone back meanwhile.
      - V(restored) puts back what V(present) found, given as O(former), stops a clock that still runs, and saves.
      - V(absent) takes ours away, and BGP as a whole when nobody else's is left; it is saved.
      - V(rendered) returns the commands and asks no router.
  transport:
    description:
      - V(http) is the router's HTTP API.
      - V(network_cli) is the task's own connection, C(ansible.netcommon.network_cli) with
        C(ansible_network_os=vyos.vyos.vyos).
    type: str
    choices: [http, network_cli]
    default: http
  url:
    description: The API, such as V(https://192.0.2.3).
  key:
    description: One of the keys in C(service https api keys).
    type: str
    default: ""
  timeout:
    description: For one request, in seconds. A commit has three minutes.
  confirm_minutes:
    description: How long the router waits to be confirmed before it goes back. 0 commits for good.
    type: int
    default: 2
  unsaved:
    description: For V(confirmed), whether to save even if there was no clock to stop.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Look at the commands
  meshwright.k3s_cilium.vyos_bgp:
    description: "{{ plan.description }}"
    router: vyos1
    state: rendered

- name: Bring the router's end of BGP to what the inventory says
  meshwright.k3s_cilium.vyos_bgp:
    description: "{{ plan.description }}"
    router: vyos1
    url: https://192.0.2.3
    key: "{{ vault_vyos_key }}"
    fingerprint: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  delegate_to: localhost
  register: sent

- name: Keep it
  meshwright.k3s_cilium.vyos_bgp:
    description: "{{ plan.description }}"
    router: vyos1
    state: confirmed
    url: https://192.0.2.3
    key: "{{ vault_vyos_key }}"
    fingerprint: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  delegate_to: localhost
  when: sent.pending
"""

RETURN = r"""
rendered:
  description: The commands, with passwords in them.
  returned: state is rendered
  type: str
masked:
  description: The same without passwords.
  returned: state is rendered
  type: str
former:
  description: What was there before, for O(state=restored). It has passwords in it. Given after a failed commit too.
  returned: state is not rendered
  type: dict
pending:
  description:
    - Whether V(confirmed) is still to come - a clock runs, or nothing is saved yet.
    - Where the router's commits can take themselves back this is true even if nothing changed, since the clock of a run
      that was cut off may be running.
  returned: state is not rendered
  type: bool
"""
