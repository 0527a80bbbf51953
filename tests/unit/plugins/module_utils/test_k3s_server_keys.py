"""Which options are for servers alone: by the flags of the lab's k3s, which has those of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_server_keys import for_agents, is_for_servers

FLAGS = Path(__file__).resolve().parents[4] / "tests/lab/k3s/internal/config/flags.go"


def flags(table: str) -> list[str]:
    found = re.search(rf"var {table} = \[\]Flag{{(.*?)^}}", FLAGS.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return re.findall(r'Name: "([^"]+)"', found.group(1))


@pytest.mark.parametrize("name", flags("serverOnly"))
def test_an_option_of_servers_is_not_for_agents(name: str) -> None:
    assert is_for_servers(name) and is_for_servers(f"{name}+")


@pytest.mark.parametrize("name", flags("common"))
def test_an_option_that_agents_share_is_kept(name: str) -> None:
    assert not is_for_servers(name)


def test_what_is_not_known_is_kept() -> None:
    assert for_agents({"kubelet-arg+": ["a=b"], "a-new-flag": True, "kube-scheduler-arg": ["v=2"]}) == {
        "kubelet-arg+": ["a=b"],
        "a-new-flag": True,
    }
