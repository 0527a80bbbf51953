"""Rules that every Python file of the tree keeps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tree import ROOT, tracked

PYTHON_FILES = tracked("*.py")
LONG = 400


@pytest.mark.parametrize("path", PYTHON_FILES, ids=str)
def test_begins_with_the_future_import(path: Path) -> None:
    statements = ast.parse((ROOT / path).read_text()).body
    if statements and isinstance(statements[0], ast.Expr):
        statements = statements[1:]  # the docstring
    if statements:
        first = ast.unparse(statements[0])
        assert first == "from __future__ import annotations", f"{path} begins with: {first}"


@pytest.mark.parametrize("path", PYTHON_FILES, ids=str)
def test_is_short_enough_to_read(path: Path) -> None:
    lines = len((ROOT / path).read_text().splitlines())
    assert lines <= LONG, f"{path} has {lines} lines: split it (at most {LONG})"
