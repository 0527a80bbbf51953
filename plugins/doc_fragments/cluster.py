# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that speaks to the Kubernetes API is given."""

from __future__ import annotations


class ModuleDocFragment:
    """For extends_documentation_fragment."""

    DOCUMENTATION = r"""
requirements:
  - kubernetes (Python), on the controller
options:
  kubeconfig:
    description: File on the controller with the way to the cluster.
    type: path
    required: true
"""
