from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from frr_box import Box
from meshlab import podman
from meshlab.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Routers alone. They are taken down unless they were there before."""
    found = Lab.open(prefix=os.environ.get("MESHLAB_PREFIX", "frr"), topology="routers")
    kept = bool(os.environ.get("MESHLAB_KEEP"))
    found.up()
    yield found
    if not kept:
        found.down()


@pytest.fixture(scope="session")
def box(lab: Lab) -> Box:
    """FRR without anybody's configuration to be careful with: the one below the UniFi gateway."""
    return Box(lab.hosts["udm"].name, podman.environment())
