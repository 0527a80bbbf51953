"""Writes docs/reference from the roles' argument specs and the plugins' documentation.

`--check` writes nothing and fails when what is there is not what would be written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from plugin_docs import NAME, ROOT, documentation_in, texts_in

TARGET = ROOT / "docs/reference"
HEAD = "<!-- Written by `make docs`; change the argument specs or the modules instead. -->\n\n"


def main(argv: list[str]) -> int:
    pages = {f"role-{path.parents[1].name}.md": role_page(path) for path in specs()}
    pages |= {f"module-{path.stem}.md": module_page(path) for path in sorted((ROOT / "plugins/modules").glob("*.py"))}
    pages |= {
        f"callback-{path.stem}.md": callback_page(path) for path in sorted((ROOT / "plugins/callback").glob("*.py"))
    }
    pages["README.md"] = index(pages)
    if argv == ["--check"]:
        return check(pages)
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (TARGET / name).write_text(text)
    return 0


def check(pages: dict[str, str]) -> int:
    there = {path.name: path.read_text() for path in TARGET.glob("*.md")}
    stale = sorted(name for name in pages.keys() | there.keys() if pages.get(name) != there.get(name))
    if stale:
        print(f"docs/reference is not what the code says ({', '.join(stale)}): run `make docs` and commit it")
    return 1 if stale else 0


def specs() -> list[Path]:
    return sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))


def index(pages: Iterable[str]) -> str:
    links = "\n".join(f"- [{re.sub('-', ' ', page[:-3], count=1)}]({page})" for page in sorted(pages))
    return f"{HEAD}# Reference\n\nVariables of the roles, options of the plugins.\n\n{links}\n"


def role_page(path: Path) -> str:
    role = path.parents[1].name
    entries = yaml.safe_load(path.read_text())["argument_specs"]
    parts = [f"{HEAD}# Role `{NAME}.{role}`\n"]
    for name, entry in entries.items():
        if len(entries) > 1:
            parts.append(f"## Entry point `{name}`\n")
        parts.append(prose(entry.get("description") or entry["short_description"]) + "\n")
        parts.append(table(entry.get("options") or {}))
    return "\n".join(parts).rstrip() + "\n"


def callback_page(path: Path) -> str:
    documentation = documentation_in(path)
    options = documentation["options"]
    rows = [
        f"| `{name}` | {option['env'][0]['name']} | {option['ini'][0]['section']}: {option['ini'][0]['key']} "
        f"| {default(option)} | {about(option)} |"
        for name, option in options.items()
    ]
    return "\n".join([
        f"{HEAD}# Callback `{NAME}.{path.stem}`\n",
        prose(documentation["description"]) + "\n",
        "| option | environment | ansible.cfg | default | |\n| --- | --- | --- | --- | --- |",
        *rows,
    ]) + "\n"  # fmt: skip


def module_page(path: Path) -> str:
    texts, documentation = texts_in(path), documentation_in(path)
    found = yaml.safe_load(texts.get("RETURN", "")) or {}
    rows = "".join(f"| `{name}` | {value['type']} | {cell(value['description'])} |\n" for name, value in found.items())
    return "\n".join([
        f"{HEAD}# Module `{NAME}.{path.stem}`\n",
        prose(documentation["description"]) + "\n",
        *needs(documentation["requirements"]),
        table(documentation["options"]),
        f"## Example\n\n```yaml\n{texts['EXAMPLES'].strip()}\n```\n",
        f"## Returns\n\n| value | type | |\n| --- | --- | --- |\n{rows}",
    ])  # fmt: skip


def needs(requirements: list[str]) -> list[str]:
    return [f"Needs {'; '.join(map(plain, requirements))}.\n"] if requirements else []


def table(options: dict[str, Any]) -> str:
    if not options:
        return "No options.\n"
    rows = [f"| `{name}` | {kind(option)} | {default(option)} | {about(option)} |" for name, option in options.items()]
    return "| variable | type | default | |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def kind(option: dict[str, Any]) -> str:
    elements = f" of {option['elements']}" if "elements" in option else ""
    return f"{option.get('type', 'str')}{elements}"


def default(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "required"
    if "default" not in option:
        return ""
    value = option["default"]
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix('...' + chr(10)).strip()}`"


def about(option: dict[str, Any]) -> str:
    choices = option.get("choices")
    more = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return cell(option.get("description", "")) + more


def prose(text: str | list[str]) -> str:
    lines = [text] if isinstance(text, str) else text
    return "\n\n".join(plain(line) for line in lines)


def cell(text: str | list[str]) -> str:
    lines = [text] if isinstance(text, str) else text
    return " ".join(plain(line) for line in lines).replace("|", "\\|")


def plain(text: str) -> str:
    """Ansible's markup as Markdown: C(x), V(x), O(x), RV(x) and M(x) are code."""
    text = re.sub(r"\bB\(([^)]*)\)", r"**\1**", " ".join(text.split()))
    return re.sub(r"\b(?:RV|[CEVOMP])\((?:ignore:)?([^)#]*)(?:#\w+)?\)", r"`\1`", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
