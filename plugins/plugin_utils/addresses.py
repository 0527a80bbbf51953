# SPDX-License-Identifier: GPL-3.0-or-later
"""How hosts are reached, by their variables."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


def for_controller(name: str, variables: t.Any) -> str:
    return str(plain(variables.get("ansible_host")) or name)


def for_nodes(name: str, variables: t.Any) -> str:
    """The first address that the node registers with, else how the controller reaches it."""
    own = str(plain(variables.get("k3s_node_ip")) or "").split(",")[0].strip()
    return own or for_controller(name, variables)
