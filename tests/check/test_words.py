"""Nothing in the tree names one machine, a package registry, or leaves work for later."""

from __future__ import annotations

import re

import pytest
from tree import ROOT, tracked

# Written in pieces, so that this file does not find itself.
REGISTRIES = ("py" r"pi\.org", "python" r"hosted\.org", "(proxy|sum)\\.go" r"lang\.org", "npm" r"js\.org")
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.<}])/(wo" r"rk|root)/(?!\.ssh|\.bashrc|\.kube)",
    "the address of a package registry": "|".join(REGISTRIES),
    "work left for later": r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|Not" r"ImplementedError",
}
# Checks that check nothing. A comment may speak of them.
EMPTY = ("ignore_" "errors: *true", "failed_" "when: *false", "assert" r" True\b", r"pytest\.mark\." r"skip\b")
HIDING = re.compile(rf"^[^#\n]*({'|'.join(EMPTY)})", re.MULTILINE)
# Generated from Go's own data, and long.
UNREAD = {"go.sum"}


def texts() -> list[tuple[str, str]]:
    """Every text file with its content."""
    found = []
    for path in tracked():
        if path.name in UNREAD:
            continue
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            found.append((str(path), data.decode()))
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_forbidden(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    hits = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not hits, f"{what}:\n" + "\n".join(hits)


def test_no_check_is_hidden() -> None:
    hits = [f"{name}: {hit.group(0).strip()}" for name, text in texts() for hit in HIDING.finditer(text)]
    assert not hits, "\n".join(hits)


def test_no_binary() -> None:
    binaries = [str(path) for path in tracked() if b"\0" in (ROOT / path).read_bytes()]
    assert not binaries, f"binary files are not committed: {binaries}"


def test_no_large_file() -> None:
    large = [str(path) for path in tracked() if (ROOT / path).stat().st_size > 1 << 20]
    assert not large, f"larger than 1 MiB: {large}"


def test_scripts_and_only_scripts_are_executable() -> None:
    wrong = [
        str(path)
        for path in tracked()
        if (ROOT / path).read_bytes().startswith(b"#!") != bool((ROOT / path).stat().st_mode & 0o100)
        and path.suffix != ".j2"
        and path.parts[0] != "plugins"  # Ansible runs those through the interpreter that it finds
    ]
    assert not wrong, f"a shebang and the executable bit belong together: {wrong}"
