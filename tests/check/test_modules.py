"""Modules: documented the same way, listed in meta/runtime.yml, and short at the top."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import yaml
from tree import ROOT, load, modules

NAME = "meshwright.k3s_cilium"
MAIN_LINES = 40


def parsed(module: str) -> ast.Module:
    return ast.parse((ROOT / "plugins/modules" / f"{module}.py").read_text())


def document(module: str, name: str) -> Any:
    """One of the YAML texts that a module carries."""
    for node in parsed(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def test_runtime_lists_all_modules() -> None:
    groups = load("meta/runtime.yml")["action_groups"]
    assert sorted(groups["all"]) == modules()


@pytest.mark.parametrize("module", modules())
def test_documentation(module: str) -> None:
    documentation = document(module, "DOCUMENTATION")
    assert documentation["module"] == module
    for key in ("short_description", "description", "author", "version_added"):
        assert documentation.get(key), f"{module}: no {key}"
    fragments = documentation.get("extends_documentation_fragment", [])
    attributes = documentation.get("attributes", {})
    if not fragments:
        assert {"check_mode", "diff_mode"} <= set(attributes), f"{module}: check_mode and diff_mode are not described"


@pytest.mark.parametrize("module", modules())
def test_examples_use_the_full_name(module: str) -> None:
    tasks = document(module, "EXAMPLES")
    assert any(f"{NAME}.{module}" in task for task in tasks), f"{module}: no example calls {NAME}.{module}"


@pytest.mark.parametrize("module", modules())
def test_returns_are_described(module: str) -> None:
    for name, value in document(module, "RETURN").items():
        assert value.get("description") and value.get("type") and value.get("returned"), f"{module}: {name}"


@pytest.mark.parametrize("module", modules())
def test_main_is_short(module: str) -> None:
    """The logic is in module_utils. A module that an action plugin stands for has no main."""
    functions = [node for node in parsed(module).body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    if not functions:
        assert (ROOT / "plugins/action" / f"{module}.py").exists(), f"{module} has neither main() nor an action plugin"
        return
    main = functions[0]
    assert (main.end_lineno or 0) - main.lineno < MAIN_LINES, f"{module}: main() is longer than {MAIN_LINES} lines"
