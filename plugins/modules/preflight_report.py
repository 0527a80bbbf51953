# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Judge what was gathered, print one table, refuse what would not work
version_added: 0.1.0
description:
  - Reads the results that the role preflight registered for each host, judges them together with the inventory, prints
    one table and writes it, with every finding as JSON, below C(preflight_report_dir).
  - Fails with all refusals at once.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: Nothing is written in check mode.
  diff_mode:
    support: none
    description: The report is no state.
"""

EXAMPLES = r"""
- name: Judge all hosts
  meshwright.k3s_cilium.preflight_report:
  run_once: true
"""

RETURN = r"""
live:
  description: Whether there is a cluster already.
  returned: always
  type: bool
stage:
  description: The stage of the live cluster, or the one that a new one starts with.
  returned: always
  type: int
findings:
  description: Every finding, those that are in order too. The report on disk has them after a failure as well.
  returned: success
  type: list
  elements: dict
report:
  description: Where the report was written; empty in check mode.
  returned: always
  type: str
"""
