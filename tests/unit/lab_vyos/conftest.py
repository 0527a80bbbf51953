from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from vyos.testing import VERSIONS, Make, Router


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Router] = []

    def router(version: str) -> Router:
        made.append(Router(version, tmp_path / f"{version}-{len(made)}"))
        return made[-1]

    yield router
    for each in made:
        each.device.stop()


@pytest.fixture(params=VERSIONS)
def router(request: pytest.FixtureRequest, make: Make) -> Router:
    return make(request.param)


@pytest.fixture
def new(make: Make) -> Router:
    return make("1.5")
