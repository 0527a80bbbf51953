# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of all checks: what preflight_skip may say."""

from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cluster import HOST_CHECKS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_inventory import INVENTORY_CHECKS

CHECKS: tuple[str, ...] = tuple(dict.fromkeys((*INVENTORY_CHECKS, *HOST_CHECKS)))
