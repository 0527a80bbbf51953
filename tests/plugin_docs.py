"""What a plugin says of itself, read off its file, with what its documentation fragments add."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
NAME = "meshwright.k3s_cilium"


def texts_of(body: list[ast.stmt]) -> dict[str, str]:
    """The texts that a plugin, or a fragment's class, assigns to names."""
    return {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def texts_in(path: Path) -> dict[str, str]:
    return texts_of(ast.parse(path.read_text()).body)


def fragment(name: str) -> dict[str, Any]:
    tree = ast.parse((ROOT / "plugins/doc_fragments" / f"{name.removeprefix(NAME + '.')}.py").read_text())
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef))
    return dict(yaml.safe_load(texts_of(body)["DOCUMENTATION"]))


def documentation_in(path: Path) -> dict[str, Any]:
    """A plugin's documentation with what its fragments add. Theirs comes first; its own words stand over theirs."""
    own: dict[str, Any] = yaml.safe_load(texts_in(path)["DOCUMENTATION"])
    named = own.get("extends_documentation_fragment", [])
    parts = [*(fragment(name) for name in ([named] if isinstance(named, str) else named)), own]
    for key in ("options", "attributes"):
        own[key] = merged([part.get(key) or {} for part in parts])
    own["requirements"] = [line for part in parts for line in part.get("requirements", [])]
    return own


def merged(parts: Iterable[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for name, value in part.items():
            found[name] = {**found.get(name, {}), **value}
    return found
