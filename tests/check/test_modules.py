"""Modules: documented the same way and as they are, listed in meta/runtime.yml, and short at the top."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from plugin_docs import NAME, documentation_in, texts_in
from tree import ROOT, load, modules

MAIN_LINES = 40


def path(module: str) -> Path:
    return ROOT / "plugins/modules" / f"{module}.py"


def actions() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))


def mains(module: str) -> list[ast.FunctionDef]:
    body = ast.parse(path(module).read_text()).body
    return [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "main"]


def document(module: str, name: str) -> Any:
    """One of the YAML texts that a module carries."""
    return yaml.safe_load(texts_in(path(module))[name])


def test_runtime_lists_all_modules() -> None:
    groups = load("meta/runtime.yml")["action_groups"]
    assert sorted(groups["all"]) == modules()


@pytest.mark.parametrize("module", modules())
def test_documentation(module: str) -> None:
    documentation = documentation_in(path(module))
    assert documentation["module"] == module
    for key in ("short_description", "description", "author", "version_added"):
        assert documentation.get(key), f"{module}: no {key}"
    attributes = set(documentation["attributes"])
    assert {"check_mode", "diff_mode"} <= attributes, f"{module}: check_mode and diff_mode are not described"


def test_fragments_are_read_as_ansible_reads_them() -> None:
    names = {f"{NAME}.{module}": documentation_in(path(module)) for module in modules()}
    told = subprocess.run(
        [Path(sys.executable).with_name("ansible-doc"), "--json", "--type", "module", *names],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    answers = json.loads(told)
    assert answers.keys() == names.keys()
    for name, answer in answers.items():
        assert answer["doc"].get("options", {}) == names[name]["options"], name
        assert sorted(answer["doc"].get("requirements", [])) == sorted(names[name]["requirements"]), name


@pytest.mark.parametrize("module", actions())
def test_an_action_takes_the_documented_options(module: str) -> None:
    """What it hands on to a module is judged by that one's own spec, and that by ansible-test."""
    options = documentation_in(path(module))["options"]
    known = importlib.import_module(f"ansible_collections.{NAME}.plugins.action.{module}")
    specs = getattr(known, "ARGUMENTS", {})
    taken = specs.keys() or known.ActionModule._VALID_ARGS
    assert taken == options.keys() or (mains(module) and not taken), module
    for name, spec in specs.items():
        told = {key: options[name].get(key) for key in ("type", "default", "choices", "required")}
        assert told == {key: spec.get(key) for key in told}, f"{module}: {name}"


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
    functions = mains(module)
    if not functions:
        assert (ROOT / "plugins/action" / f"{module}.py").exists(), f"{module} has neither main() nor an action plugin"
        return
    main = functions[0]
    assert (main.end_lineno or 0) - main.lineno < MAIN_LINES, f"{module}: main() is longer than {MAIN_LINES} lines"
