"""The action that takes a step by way of the API: it knows each of them."""

from __future__ import annotations

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.action import stage2_step
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps


@pytest.mark.parametrize("kind", sorted({*steps.API, steps.ANSWERED, steps.JOINED}))
def test_it_knows_each_step_of_the_api(kind: str) -> None:
    assert hasattr(stage2_step._Taking, f"_{kind.replace('-', '_')}")
