# SPDX-License-Identifier: GPL-3.0-or-later
"""The last rows of a terminal, kept for a block that is painted again and again while the rest scrolls above it.

The rows are taken out of the scrolling region, so whatever else writes to the terminal needs to know nothing of them.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

_SAVE, _RESTORE = "\x1b7", "\x1b8"
_LEAST = 10  # rows that a terminal must have


def reserve(height: int, rows: int) -> str:
    """Room is made first, so that nothing that stands there is painted over."""
    return "\n" * rows + f"{_SAVE}\x1b[1;{height - rows}r{_RESTORE}\x1b[{rows}A"


def paint(lines: t.Sequence[str], height: int, rows: int) -> str:
    shown = [*lines[:rows], *[""] * (rows - len(lines))]
    rest = "".join(f"\x1b[{height - rows + 1 + row};1H\x1b[0m\x1b[2K{line}" for row, line in enumerate(shown))
    return f"{_SAVE}{rest}{_RESTORE}"


def release(height: int, rows: int) -> str:
    return f"{_SAVE}\x1b[r\x1b[{height - rows + 1};1H\x1b[0m\x1b[J{_RESTORE}"


class Screen:
    """Writes to the descriptor itself: a stream's lock, held by a thread while Ansible forks, would stop the child."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._owner = descriptor, os.getpid()
        self._held: tuple[int, int] | None = None  # height and rows that are reserved

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return tuple(os.get_terminal_size(self._descriptor))  # type: ignore[return-value]

    def show(self, lines: t.Sequence[str]) -> None:
        height, rows = self.size()[1], len(lines)
        if height < max(_LEAST, rows + 2):
            self.close()
            return
        text = ""
        # More rows are taken as they are needed, and none given back: what scrolls would jump.
        if self._held is None or self._held[0] != height or self._held[1] < rows:
            text += release(*self._held) if self._held else ""
            self._held = (height, rows)
            text += reserve(height, rows)
        self._write(text + paint(lines, *self._held))

    def close(self) -> None:
        if self._held is not None and self._owner == os.getpid():
            text, self._held = release(*self._held), None
            self._write(text)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone
            os.write(self._descriptor, text.encode(errors="replace"))
