# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: router_bgp_wait
short_description: Wait for sessions and routes on a router, and say why they do not come
version_added: 0.2.0
description:
  - For hosts of group C(routers), or delegated to one; see M(meshwright.k3s_cilium.router_bgp_info) for what it asks.
  - Prints what is missing as it changes. After the time-out it says why, as far as the router can tell. A wrong
    password shows in the kernel's counters, a wrong ASN in the notification, too many prefixes in the session's state;
    a missing route and a port on which nothing listens are told as such.
  - A router that cannot be asked ends the wait at once, with RV(can_look=false).
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: Nothing is waited for.
  diff_mode:
    support: none
    description: It changes nothing.
options:
  established:
    description:
      - Sessions that must be Established, each with C(neighbor) (the node's address) and C(family) (ipv4 or ipv6).
      - With C(asn), and with C(port) of the router, the diagnosis knows more.
    type: list
    elements: dict
    default: []
  gone_next_hops:
    description: Addresses by which no route may lead any more.
    type: list
    elements: str
    default: []
  present_next_hops:
    description: Addresses by which a route must lead.
    type: list
    elements: str
    default: []
  prefixes:
    description: Where next hops are looked for; each of these must have them. None at all means anywhere.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
  description:
    description:
      - BGP as M(meshwright.k3s_cilium.bgp_plan) returns it. With it, a UniFi gateway with SSH is first given half a
        minute to take over what it has stored, since until then it shows its former sessions.
    type: dict
"""

EXAMPLES = r"""
- name: Wait until no traffic is sent to the node any more
  meshwright.k3s_cilium.router_bgp_wait:
    gone_next_hops: [192.0.2.11]
  delegate_to: edge1
"""

RETURN = r"""
took:
  description: Seconds that it took.
  returned: success
  type: float
can_look:
  description: Whether the router could be asked; if not, nothing is known, and RV(why_not) says why.
  returned: success
  type: bool
why_not:
  description: Why it cannot be asked.
  returned: success
  type: str
"""
