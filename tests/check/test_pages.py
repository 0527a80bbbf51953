"""README and docs: the commands they name exist, and so do the files they point at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tree import ROOT, tracked

PAGES = tracked("*.md")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code(text: str) -> str:
    """What stands in code spans and code blocks."""
    blocks = re.findall(r"```.*?```", text, re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return "\n".join(blocks + spans)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_make_commands_exist(page: Path) -> None:
    named = set(re.findall(r"(?:^|[\s(&;])make ([a-z][a-z0-9-]*)", code((ROOT / page).read_text()), re.MULTILINE))
    assert named <= make_targets(), f"{page} names targets that the Makefile has not: {named - make_targets()}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text())
    local = [link for link in links if "://" not in link]
    missing = [link for link in local if not (ROOT / page.parent / link).exists()]
    assert not missing, f"{page} links to nothing: {missing}"


def test_readme_names_existing_playbooks_and_inventories() -> None:
    text = code((ROOT / "README.md").read_text())
    named = set(re.findall(r"\b((?:playbooks|inventories|docs|tests|roles)/[\w./-]*\w)", text))
    missing = sorted(path for path in named if not (ROOT / path).exists())
    assert not missing, f"README.md names what is not there: {missing}"


def test_every_scenario_is_run() -> None:
    """A scenario that no list of tests/steps.py names would never run."""
    text = (ROOT / "tests/steps.py").read_text()
    there = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    unnamed = sorted(name for name in there if f'"{name}"' not in text)
    assert not unnamed, f"tests/steps.py does not know the scenarios {unnamed}"
