# SPDX-License-Identifier: GPL-3.0-or-later
"""FRR's configuration as lines that know where they stand; what is not touched stays byte for byte. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

Context = tuple[str, ...]

# What may stand in these blocks. It decides where a block ends that was written without indentation or `exit`.
_IN_ROUTER = frozenset((
    "neighbor", "no", "bgp", "address-family", "exit-address-family", "network", "redistribute", "maximum-paths",
    "timers", "aggregate-address", "distance", "table-map", "import", "export", "vnc", "vni", "coalesce-time",
    "read-quanta", "write-quanta", "update-delay", "segment-routing", "sid", "label", "rd", "rt", "default",
    "advertise-all-vni", "advertise",
))  # fmt: skip
_IN_MAP = frozenset(("match", "set", "on-match", "call", "continue", "description", "no"))
_LISTS = re.compile(r"(no )?bgp (community-list|large-community-list|extcommunity-list|as-path)\b")


@dataclass(frozen=True)
class Line:
    raw: str  # with its end of line
    text: str  # words with one space between them; empty for comments, separators and the end of a block
    context: Context = ()
    ends: bool = False  # `exit` and the like

    @property
    def inside(self) -> Context:
        """The context that this line opens."""
        return (*self.context, self.text)


Item = tuple[Context, str]


def parse(text: str) -> list[Line]:
    found: list[Line] = []
    context: Context = ()
    for raw in text.splitlines(keepends=True):
        words = raw.split()
        if not words or words[0][0] in "!#":
            found.append(Line(raw, "", context))
            continue
        line = _normal(words)
        if _is_end(line):
            found.append(Line(raw, "", context, ends=True))
            context = () if line in ("end", "exit-vrf") else context[:-1]
            continue
        context = _where(context, line, raw)
        found.append(Line(raw, line, context))
        if _opens(context, line):
            context = (*context, line)
    return found


def _normal(words: t.Sequence[str]) -> str:
    """One spelling for what has two, and a route-map's header without what is its default."""
    if words[0] == "address-family" and len(words) == 2 and words[1] in ("ipv4", "ipv6"):
        return f"{words[0]} {words[1]} unicast"
    return " ".join(words)


def _is_end(line: str) -> bool:
    return line in ("exit", "end", "quit") or line.startswith("exit-")


def _opens(context: Context, line: str) -> bool:
    if context:
        return context[0].startswith("router bgp ") and line.startswith("address-family ")
    words = line.split()
    return (
        words[0] in ("router", "interface", "vrf", "line", "pbr-map", "nexthop-group", "segment-routing", "bfd", "rpki")
        or line.startswith("key chain ")
        or (words[0] == "route-map" and len(words) == 4)
    )


def _where(context: Context, line: str, raw: str) -> Context:
    """The context in which this line stands: blocks may end without saying so."""
    if not context:
        return ()
    head, word = context[0], line.split()[0]
    if raw[0] not in " \t" and not _fits(head, line, word):
        return ()
    if len(context) == 2 and word == "address-family":
        return context[:1]
    return context


def _fits(head: str, line: str, word: str) -> bool:
    if head.startswith("router bgp"):
        return word in _IN_ROUTER and not _LISTS.match(line)
    if head.startswith("route-map "):
        return word in _IN_MAP and not _is_list_removal(line)
    return False


def _is_list_removal(line: str) -> bool:
    return line.startswith(("no ip ", "no ipv6 ", "no route-map ", "no router ", "no bgp "))


def items(lines: t.Iterable[Line]) -> list[Item]:
    """What a configuration says, without its form; in order, each once."""
    return list(dict.fromkeys((line.context, line.text) for line in lines if line.text))


def rendered(found: t.Iterable[Item]) -> str:
    """Items as text again, those of one context together, as FRR would show them."""
    top: list[str] = []
    blocks: dict[str, tuple[list[str], dict[str, list[str]]]] = {}
    for context, text in found:
        if not context and _opens((), text):
            blocks.setdefault(text, ([], {}))
        elif not context:
            top.append(text)
        elif len(context) == 1 and _opens(context, text):
            blocks.setdefault(context[0], ([], {}))[1].setdefault(text, [])
        elif len(context) == 1:
            blocks.setdefault(context[0], ([], {}))[0].append(text)
        else:
            blocks.setdefault(context[0], ([], {}))[1].setdefault(context[1], []).append(text)
    lines = [*top, *(["!"] if top else [])]
    for head in sorted(blocks, key=lambda head: head.startswith("router ")):
        main, families = blocks[head]
        lines += [head, *(f" {text}" for text in main)]
        for family, inner in families.items():
            lines += [" !", f" {family}", *(f"  {text}" for text in inner), " exit-address-family"]
        lines += ["exit", "!"]
    return "".join(f"{line}\n" for line in lines)
