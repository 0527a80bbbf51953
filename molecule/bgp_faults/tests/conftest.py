"""Each test leaves the lab as it found it: the same configuration at both ends, and all sessions up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from meshlab import fingerprint
from meshlab.ends import Ends
from meshlab.lab import Lab


@pytest.fixture(scope="module")
def ends(lab: Lab) -> Ends:
    return Ends(lab)


@pytest.fixture(autouse=True)
def as_found(ends: Ends) -> Iterator[dict[str, str]]:
    ends.established()
    before = ends.state()
    yield before
    ends.established()
    assert fingerprint.difference(before, ends.state()) == []
