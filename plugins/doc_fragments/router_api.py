# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that speaks to a router's HTTPS API is given, beside the description of BGP.

What O(state) and O(url) mean is for each module to say.
"""

from __future__ import annotations


class ModuleDocFragment:
    """For extends_documentation_fragment."""

    DOCUMENTATION = r"""
options:
  router:
    description: The router's name in the description.
    type: str
    required: true
  state:
    type: str
    choices: [present, absent, rendered, confirmed, restored]
    default: present
  url:
    type: str
    default: ""
  ca_path:
    description: File on the controller with the authority that the router's certificate is from.
    type: str
    default: ""
  fingerprint:
    description:
      - SHA-256 of the router's certificate, in hexadecimal digits. With O(ca_path) both must hold.
      - With neither, the system's authorities decide.
    type: str
    default: ""
  timeout:
    description: For one request, in seconds.
    type: int
    default: 30
  former:
    description: For V(restored), RV(former) of the run that is to be undone.
    type: dict
"""
