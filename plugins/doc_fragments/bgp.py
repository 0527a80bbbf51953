# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that works by the description of BGP is given."""

from __future__ import annotations


class ModuleDocFragment:
    """For extends_documentation_fragment."""

    DOCUMENTATION = r"""
options:
  description:
    description: All of BGP, as M(meshwright.k3s_cilium.bgp_plan) returns it. It has passwords in it.
    type: dict
    required: true
"""
