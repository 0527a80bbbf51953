"""The NodePort by which nodes are tried, against an API that only keeps things."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_door as door
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

CONTROL = {"node-role.kubernetes.io/control-plane": "true"}


def node(name: str, *addresses: str, **labels: str) -> dict[str, Any]:
    told = [{"type": "InternalIP", "address": address} for address in addresses]
    return {"metadata": {"name": name, "labels": labels}, "status": {"addresses": told}}


class Api:
    def __init__(self, family: str, *nodes: dict[str, Any]) -> None:
        self.family, self._nodes, self.kept = family, list(nodes), dict[str, Any]()

    def nodes(self) -> list[dict[str, Any]]:
        return self._nodes

    def apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self.kept[wanted["kind"]] = wanted
        spec = {**wanted.get("spec", {}), "ipFamilies": [self.family], "ports": [{"nodePort": 30123}]}
        return {**wanted, "spec": spec}

    def delete(self, kind: str, *_rest: str) -> bool:
        return self.kept.pop(kind, None) is not None


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_it_leads_to_the_servers_by_the_services_family(family: str) -> None:
    both = ("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2")
    api = Api(family, node("one", *both[0], **CONTROL), node("two", *both[1]))
    at = ["IPv4", "IPv6"].index(family)
    found = door.open_door(api, "two")  # type: ignore[arg-type]
    assert found == door.Door(30123, (both[1][at],))
    told = api.kept["EndpointSlice"]
    assert [entry["addresses"] for entry in told["endpoints"]] == [[both[0][at]]]
    assert (told["addressType"], told["ports"][0]["port"]) == (family, 6443)
    assert "selector" not in api.kept["Service"]["spec"]
    assert door.close_door(api) and not api.kept  # type: ignore[arg-type]
    assert not door.close_door(api)  # type: ignore[arg-type]


def test_a_node_without_an_address_of_that_family_is_named() -> None:
    api = Api("IPv6", node("one", "2001:db8::1", **CONTROL), node("two", "192.0.2.2"))
    with pytest.raises(MeshwrightError, match="the node two is without an InternalIP of IPv6"):
        door.open_door(api, "two")  # type: ignore[arg-type]
