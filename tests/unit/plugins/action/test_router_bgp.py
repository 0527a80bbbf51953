"""Actions that look at a router, as Ansible's executor finds them."""

from __future__ import annotations

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.action import router_bgp_info, router_bgp_wait


@pytest.mark.parametrize("action", [router_bgp_info.ActionModule, router_bgp_wait.ActionModule])
def test_they_get_a_connection(action: type[ActionBase]) -> None:
    """Without it Ansible gives no socket to a router that is spoken to by its command line."""
    assert getattr(action, "_requires_connection", True)
