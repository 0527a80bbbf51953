"""Nodes: what is waited for, and which may be forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_nodes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_nodes import Look


def node(ready: str = "True", voter: str | None = None, address: str = "192.0.2.1") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    conditions += [{"type": "EtcdIsVoter", "status": voter}] if voter else []
    addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": "server1"}]
    return {"metadata": {"name": "server1"}, "status": {"conditions": conditions, "addresses": addresses}}


def lease(time: str) -> dict[str, Any]:
    return {"spec": {"renewTime": time}}


@pytest.mark.parametrize(
    ("look", "wanted", "missing"),
    [
        (Look(None), [], ("its Node",)),
        (Look(node()), [], ()),
        (Look(node(), lease("2026-11-21T14:00:10.000000Z")), ["Ready"], ()),
        (Look(node("False"), lease("2026-11-21T14:00:10.000000Z")), ["Ready"], ("Ready",)),
        (Look(node("Unknown", "True")), ["EtcdIsVoter"], ()),
        (Look(node("True", "False")), ["EtcdIsVoter"], ("EtcdIsVoter",)),
        (Look(node()), ["EtcdIsVoter"], ("EtcdIsVoter",)),
    ],
)
def test_conditions(look: Look, wanted: list[str], missing: tuple[str, ...]) -> None:
    assert look.missing(wanted) == missing


def test_a_node_that_is_only_remembered_as_ready() -> None:
    look = Look(node(), lease("2026-11-21T14:00:10.000000Z"))
    restarted = k3s_nodes.renewed(look.lease) + 1
    assert look.missing(["Ready"], restarted) == ("a sign of life from its kubelet",)
    assert look.missing(["Ready"], restarted - 2) == ()
    assert Look(node()).missing(["Ready"], restarted) == ("a sign of life from its kubelet",)


def test_who_may_be_forgotten() -> None:
    own = ["192.0.2.1"]
    assert k3s_nodes.may_be_forgotten(None, own)
    assert k3s_nodes.may_be_forgotten(node("Unknown", address="192.0.2.9"), own)
    assert k3s_nodes.may_be_forgotten(node(), own), "this machine itself, wiped a moment ago"
    assert not k3s_nodes.may_be_forgotten(node(address="192.0.2.9"), own)
    assert "192.0.2.9" in str(k3s_nodes.still_alive(node(address="192.0.2.9")))
