#!/usr/bin/python
# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_report
short_description: Make a page, and a document, of what happened during a rollout
version_added: 0.2.0
description:
  - Reads the lines that the callback P(meshwright.k3s_cilium.rollout#callback) and probes of the traffic wrote, and
    writes one page of HTML that needs nothing else, and the same as JSON.
  - The page has the course of each node, with what was waited for, and on the same axis the probes' latencies and
    failures; new connections apart from those that were established before; and the facts before and after.
  - Samples that a probe should have and has not count as failed.
  - A log whose run was cut off makes a page too, which says so. Several runs in one log are told as one.
author: The meshwright developers (@meshwright)
options:
  logs:
    description: Files with JSON lines, of the callback and of the probes.
    type: list
    elements: path
    required: true
  html:
    description: Where the page goes. Its directory is made if need be.
    type: path
  json:
    description: Where the document goes. Its form is docs/rollout-report.schema.json.
    type: path
  title:
    description: The page's title. By default the playbook's name.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: The logs are read and the files compared, but nothing is written.
  diff_mode:
    support: none
    description: The report is no state.
"""

EXAMPLES = r"""
- name: Show how it went
  meshwright.k3s_cilium.rollout_report:
    logs:
      - ~/rollout.jsonl
      - ~/probes.jsonl
    html: ~/rollout.html
    json: ~/rollout.json
    title: Stage 2 at home
"""

RETURN = r"""
result:
  description: How the run ended, V(ok), V(failed) or V(cut off).
  returned: success
  type: str
totals:
  description: Numbers of nodes and requests, and the longest gaps, as in the document.
  returned: success
  type: dict
"""
