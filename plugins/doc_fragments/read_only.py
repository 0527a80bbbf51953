# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that only reads says of itself."""

from __future__ import annotations


class ModuleDocFragment:
    """For extends_documentation_fragment."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: It changes nothing.
  diff_mode:
    support: none
    description: It changes nothing.
"""
