"""Roles: the argument specs and the defaults say the same, and every variable carries its role's name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tree import ROOT, load, roles

SECRET = re.compile(r"(token|password|secret|private_key)$")


def options(role: str) -> dict[str, dict[str, Any]]:
    """The options of all entry points of a role, by name."""
    specs = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in (spec.get("options") or {}).items()}


def defaults(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "defaults/main.yml"
    return (load(path) or {}) if path.exists() else {}


def documented_defaults(role: str) -> dict[str, Any]:
    return {name: option["default"] for name, option in options(role).items() if "default" in option}


@pytest.mark.parametrize("role", roles())
def test_every_entry_point_has_a_spec(role: str) -> None:
    specs = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    assert specs
    for name, spec in specs.items():
        assert spec.get("short_description"), f"{role}/{name} has no short_description"
        assert (ROOT / "roles" / role / "tasks" / f"{name}.yml").exists(), f"{role}: no tasks/{name}.yml for the spec"


@pytest.mark.parametrize("role", roles())
def test_options_are_described(role: str) -> None:
    for name, option in options(role).items():
        assert option.get("description"), f"{role}: {name} has no description"
        assert option.get("type"), f"{role}: {name} has no type"
        assert option["type"] != "raw", f"{role}: {name}: no raw types"
        if option["type"] == "list":
            assert option.get("elements"), f"{role}: the list {name} has no elements"


@pytest.mark.parametrize("role", roles())
def test_every_default_is_in_the_spec(role: str) -> None:
    public = {name for name in defaults(role) if not name.startswith("__")}
    assert public <= set(options(role)), f"not in the spec: {sorted(public - set(options(role)))}"


@pytest.mark.parametrize("role", roles())
def test_every_documented_default_is_the_real_one(role: str) -> None:
    real = defaults(role)
    for name, value in documented_defaults(role).items():
        assert name in real, f"{role}: the spec has a default for {name}, defaults/main.yml has not"
        assert real[name] == value, f"{role}: {name} is {real[name]!r} in defaults/main.yml, {value!r} in the spec"


@pytest.mark.parametrize("role", roles())
def test_every_plain_default_is_documented(role: str) -> None:
    """Templates in defaults are described in words; every other value stands in the spec too."""
    for name, value in defaults(role).items():
        if name.startswith("__") or "{{" in str(value):
            continue
        assert name in documented_defaults(role), f"{role}: the spec does not say that {name} defaults to {value!r}"


@pytest.mark.parametrize("role", roles())
def test_variables_carry_the_roles_name(role: str) -> None:
    allowed = (f"{role}_", f"__{role}_")
    for name in defaults(role):
        assert name.startswith(allowed) or name == "meshwright_state_dir", f"{role}: {name}"


@pytest.mark.parametrize("role", roles())
def test_secrets_are_not_logged(role: str) -> None:
    for name, option in options(role).items():
        if SECRET.search(name) and option["type"] == "str":
            assert option.get("no_log") is True, f"{role}: {name} needs no_log"
