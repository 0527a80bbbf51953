"""What k3s documents, as tests: black box, so that they run against the lab's stand-in and against a real binary."""

from __future__ import annotations
