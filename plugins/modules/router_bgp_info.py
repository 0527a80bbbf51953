# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: router_bgp_info
short_description: Sessions and routes as a router sees them, the same for every kind of router
version_added: 0.2.0
description:
  - For hosts of group C(routers), or delegated to one. What it asks through follows from the router's group and
    variables. FRR is asked over Ansible's own connection, VyOS through its API (C(bgp_vyos_*)), a UniFi gateway over
    Ansible's own connection where C(bgp_unifi_ssh) is on. Without that it answers with RV(can_look=false).
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.read_only
options:
  addresses:
    description: Addresses whose paths from the router are to be told too (FRR, UniFi).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Look from the router
  meshwright.k3s_cilium.router_bgp_info:
  delegate_to: edge1
  register: seen
"""

RETURN = r"""
can_look:
  description: Whether the router can be asked; if not, RV(why_not) says why, and all else is empty.
  returned: success
  type: bool
why_not:
  description: Why it cannot be asked.
  returned: success
  type: str
peers:
  description: Each session, with neighbor, family, state, remote_asn, received, sent, uptime_s, dynamic, reason.
  returned: success
  type: list
  elements: dict
routes:
  description: Each prefix with its used next_hops, communities and local_preference.
  returned: success
  type: list
  elements: dict
md5_failures:
  description: Segments with another MD5 password since the router started (TcpExtTCPMD5Failure); null if not told.
  returned: success
  type: int
ports:
  description: Ports on which the router takes TCP connections; null if not told.
  returned: success
  type: list
  elements: int
paths:
  description: For each of O(addresses) whether it is reached on the link, has no route, or does not answer.
  returned: success
  type: dict
"""
