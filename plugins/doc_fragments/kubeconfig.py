# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module that works from the controller is told the way to the cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """For extends_documentation_fragment."""

    DOCUMENTATION = r"""
requirements:
  - kubernetes (Python)
options:
  kubeconfig:
    description: File with the way to the cluster.
    type: path
    required: true
"""
