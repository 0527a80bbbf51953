# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for VyOS: its configuration, HTTP API and command line in front of real FRR."""

from __future__ import annotations
