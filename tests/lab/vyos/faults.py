# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand, from a control file that is read at each request; see README.md for its keys."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path


class Faults:
    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, t.Any]:
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def get(self, name: str) -> t.Any:
        return self.read().get(name)

    def once(self, name: str) -> t.Any:
        """The fault, which then is over."""
        found = self.read()
        value = found.pop(name, None)
        if value:
            self.path.write_text(json.dumps(found))
        return value
