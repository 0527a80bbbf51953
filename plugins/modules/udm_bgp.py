# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: udm_bgp
short_description: Bring the BGP file of a UniFi gateway to what the description says
version_added: 0.2.0
description:
  - A UniFi gateway takes one file of FRR's configuration, which the Network application stores and hands on. This
    module renders that file, checks it (the application does not), shows the difference with passwords hidden, replaces
    the file as a whole, and reads it back. Whoever changed it by hand meanwhile is overruled.
  - A file that is not ours is not replaced unless O(replace_foreign=true). A file is ours by its name or by the names
    of our peer-groups in it.
  - Where the answer to a write is lost, the file is read instead of being written again.
  - Traffic to the addresses of a pool needs a network with that subnet on the gateway. One that is missing is warned
    of, by the name C(pool_networks).
  - It works by the API that the application's own pages use, which Ubiquiti does not document. UniFi OS 4.1.13 or
    later is needed.
  - Runs on the controller. The gateway is known by an authority, by a pinned fingerprint, or by the system's
    authorities, before anything is sent to it; proxies of the environment are not used.
author: The meshwright developers (@meshwright)
extends_documentation_fragment:
  - meshwright.k3s_cilium.bgp
  - meshwright.k3s_cilium.router_api
attributes:
  check_mode:
    support: full
    description: Reads and compares, writes nothing.
  diff_mode:
    support: full
    description: The whole file, passwords hidden; of a password that changes, that it does.
options:
  state:
    description:
      - V(present) writes the file and switches it on; a description that somebody gave it stays.
      - V(absent) removes the file if it is ours.
      - V(rendered) returns the text and asks no gateway.
      - V(restored) puts back what V(present) found before it wrote, given as O(former).
      - V(confirmed) does nothing, for a gateway has no pending changes; it is there for playbooks that treat all
        routers alike.
  url:
    description: The console, such as V(https://192.168.1.1). Needed unless V(rendered) or V(confirmed).
  site:
    description: The site's short name, as in the address bar.
    type: str
    default: default
  api_key:
    description: A key of the console's. Needed, or else O(username) and O(password).
    type: str
    default: ""
  username:
    description: A local account. Five logins a minute are allowed; more are waited for, up to 75 seconds, and told.
    type: str
    default: ""
  password:
    description: Of the account.
    type: str
    default: ""
  replace_foreign:
    description: Whether a file that is not ours is replaced. It is in RV(former).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at the file that the gateway would get
  meshwright.k3s_cilium.udm_bgp:
    description: "{{ plan.description }}"
    router: udm
    state: rendered
  register: rendered

- name: Bring the gateway's end of BGP to what the inventory says
  meshwright.k3s_cilium.udm_bgp:
    description: "{{ plan.description }}"
    router: udm
    url: https://192.168.1.1
    api_key: "{{ vault_unifi_api_key }}"
    fingerprint: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  register: written

- name: Take it back
  meshwright.k3s_cilium.udm_bgp:
    description: "{{ plan.description }}"
    router: udm
    state: restored
    former: "{{ written.former }}"
    url: https://192.168.1.1
    api_key: "{{ vault_unifi_api_key }}"
    fingerprint: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
rendered:
  description: The text, with passwords in it.
  returned: state is rendered
  type: str
former:
  description: What was stored before, for O(state=restored). It has passwords in it. Given after a failed write too.
  returned: state is present, absent or restored
  type: dict
pending:
  description: Always false; a gateway has no changes that are to be confirmed.
  returned: success
  type: bool
why:
  description: What differed, in a few words each; empty when nothing did.
  returned: state is present, absent or restored
  type: list
  elements: str
"""
