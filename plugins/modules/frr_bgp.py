# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name, which needs only a shell on the router."""

from __future__ import annotations

DOCUMENTATION = r"""
module: frr_bgp
short_description: Bring the BGP of a router with FRR to what the inventory says, and back unless confirmed
version_added: 0.2.0
description:
  - Works over the host's own connection with its shell alone; no Python is needed there. It must be root.
  - Ours are the peer-groups, lists and maps named C(MW-<CLUSTER>-…) and the neighbours that are our nodes. Every other
    line stays byte for byte, in a C(router bgp) that others use too; settings of such a whole instance stay as well.
  - Before anything is sent the references are checked here, then C(vtysh -C) and C(bgpd -C) check it on the router.
  - Only what differs is sent, so that sessions that stay the same stay up.
  - A change is taken back after O(confirm_seconds) by a timer on the router itself, whatever becomes of the controller,
    unless O(state=confirmed) came. The configuration file is written with the confirmation, so a router that starts
    anew before it comes up with its former configuration too.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.bgp
attributes:
  check_mode:
    support: full
    description: The same plan and the same checks on the router, nothing changed.
  diff_mode:
    support: full
    description: Our part of the configuration, before and after; passwords are hidden, a changed one is told.
options:
  router:
    description: The router's name in it; left out, the host's.
    type: str
  state:
    description:
      - V(present) brings the router to what is described; V(confirmed) makes that last.
      - V(absent) takes ours away, V(restored) puts RV(former) of an earlier run back; both at once, without a timer.
      - V(rendered) only answers with the text. V(checked) has the router's FRR judge it, for a router that gets it by
        other means, as a UniFi gateway does; it changes nothing.
    type: str
    choices: [present, absent, rendered, checked, confirmed, restored]
    default: present
  former:
    description: For V(restored), RV(former) of the run that is to be undone.
    type: dict
  config_path:
    description: FRR's file for all daemons. It keeps its owner and mode; a new one gets C(frr:frr) and 0640.
    type: path
    default: /etc/frr/frr.conf
  confirm_seconds:
    description: After which an unconfirmed change is taken back; 0 makes changes last at once.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Change it for two minutes
  meshwright.k3s_cilium.frr_bgp:
    description: "{{ plan.description }}"
  register: sent
  no_log: true

- name: Look
  meshwright.k3s_cilium.router_bgp_wait:
    established:
      - {neighbor: 192.0.2.11, family: ipv4}

- name: Keep it
  meshwright.k3s_cilium.frr_bgp:
    description: "{{ plan.description }}"
    state: confirmed
  when: sent.pending
  no_log: true
"""

RETURN = r"""
pending:
  description: Whether a timer on the router waits for the confirmation.
  returned: success
  type: bool
former:
  description: Our part of the running configuration before, for O(state=restored). It has passwords in it.
  returned: state is not rendered
  type: dict
rendered:
  description: The text, with passwords in it.
  returned: state is rendered
  type: str
"""
