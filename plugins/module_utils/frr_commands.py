# SPDX-License-Identifier: GPL-3.0-or-later
"""From one FRR configuration to another by the fewest commands: sessions that stay the same stay up. Pure.

frr-reload.py does the same for whole configurations, but needs Python on the router, and touches every line that the
device shows in another form than it was given; here only lines that differ are named at all.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_text import Context, Item, items, parse

_INSTANCE = re.compile(r"router bgp \d+")
# How many words say what a setting is; what follows is its value, which a new line replaces.
_KEYS = (
    (re.compile(r"neighbor \S+ timers connect\b"), 4),
    (re.compile(r"neighbor \S+ (timers|password|remote-as|ebgp-multihop|maximum-prefix|description)\b"), 3),
    (re.compile(r"bgp (router-id|cluster-id)\b"), 2),
    (re.compile(r"bgp graceful-restart (restart-time|stalepath-time)\b"), 3),
    (re.compile(r"bgp listen limit\b"), 3),
    (re.compile(r"maximum-paths ibgp\b"), 2),
    (re.compile(r"maximum-paths \d"), 1),
    (re.compile(r"set (local-preference|metric|weight)\b"), 2),
)


def commands(before: str, after: str) -> str:
    """What `vtysh -f` is to read; empty where nothing differs.

    Peers go first, then lists and maps become as wanted, then peers come: no session is without its filters. Of lists
    what goes does so before what comes, since FRR takes no prefix twice; it looks at changed lists after some seconds.
    """
    have, want = items(parse(before)), items(parse(after))
    was, shall = set(have), set(want)
    gone = [item for item in have if item not in shall]
    new = [item for item in want if item not in was]
    dropped, again = _dropped(have, want)
    heads = {text for context, text in gone if not context and _INSTANCE.fullmatch(text)}
    script = _Script()
    for head in sorted(heads):
        script.add((), f"no {head}")
    gone = [item for item in gone if not heads & set(item[0][:1])]
    _remove_peers(script, have, dropped, heads)
    came = _came(new, want, again)
    for context, text in gone:
        if _is_bgp(context) and not _covered(text, dropped) and not _replaced((context, text), came):
            script.add(context, negated(text))
    _lists_and_maps(script, gone, new)
    for context, text in came:
        script.add(context, text)
    for context, text in gone:
        if not context and text.startswith("route-map "):
            script.add((), f"no {text}")
    return script.text()


def limits(script: str) -> bool:
    """Whether a limit of prefixes is among what changes."""
    return " maximum-prefix" in script


def negated(text: str) -> str:
    return text[3:] if text.startswith("no ") else f"no {text}"


def _is_bgp(context: Context) -> bool:
    return bool(context) and _INSTANCE.fullmatch(context[0]) is not None


def _definitions(found: t.Iterable[Item]) -> dict[tuple[str, str], set[str]]:
    """What makes each peer one: a group, or its AS, or the group it is in."""
    peers: dict[tuple[str, str], set[str]] = {}
    for context, text in found:
        match = re.match(r"neighbor (\S+) (peer-group|remote-as|interface)\b", text)
        if match and _is_bgp(context) and len(context) == 1:
            peers.setdefault((context[0], match[1]), set()).add(text)
    return peers


def _is_group(texts: t.Iterable[str]) -> bool:
    return any(text.endswith(" peer-group") for text in texts)


def _dropped(have: list[Item], want: list[Item]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Peers that go, and those of them that come back as something else: a group is not joined afterwards."""
    was, shall = _definitions(have), _definitions(want)
    again = {peer for peer in was.keys() & shall.keys() if was[peer] != shall[peer] and not _is_group(shall[peer])}
    lost = {peer for peer in was if peer not in shall}
    groups = {text.split()[1] for peer in lost if _is_group(was[peer]) for text in was[peer]}
    orphans = {
        peer for peer, texts in was.items() if any(text.split()[-1] in groups for text in texts) and peer in shall
    }  # fmt: skip
    return lost | again | orphans, again | orphans


def _remove_peers(script: _Script, have: list[Item], dropped: set[tuple[str, str]], heads: set[str]) -> None:
    """Members first, then the groups' ranges, then the groups."""
    was = _definitions(have)
    leaving = sorted((peer for peer in dropped if peer[0] not in heads), key=lambda peer: (_is_group(was[peer]), peer))
    groups = {name for head, name in leaving if _is_group(was[head, name])}
    for head, name in leaving:
        if name not in groups:
            script.add((head,), f"no neighbor {name}")
    for context, text in have:
        if _is_bgp(context) and text.startswith("bgp listen range ") and text.split()[-1] in groups:
            script.add(context, f"no {text}")
    for head, name in leaving:
        if name in groups:
            script.add((head,), f"no neighbor {name} peer-group")


def _covered(text: str, dropped: set[tuple[str, str]]) -> bool:
    """It goes with its peer, or it only opens a block."""
    words = text.split()
    words = words[1:] if words[0] == "no" else words
    names = {name for _head, name in dropped}
    return (
        words[0] == "address-family"
        or (words[0] == "neighbor" and words[1] in names)
        or (words[:3] == ["bgp", "listen", "range"] and words[-1] in names)
    )


def _came(new: list[Item], want: list[Item], again: set[tuple[str, str]]) -> list[Item]:
    """New lines of instances, and every line of a peer that comes back."""
    back = {name for _head, name in again}
    return [
        item for item in want
        if (_is_bgp(item[0]) or _INSTANCE.fullmatch(item[1])) and not item[1].startswith("address-family ")
        and (item in new or (item[1].startswith("neighbor ") and item[1].split()[1] in back))
    ]  # fmt: skip


def _key(text: str) -> str:
    return next((" ".join(text.split()[:count]) for pattern, count in _KEYS if pattern.match(text)), "")


def _replaced(item: Item, came: list[Item]) -> bool:
    context, text = item
    key = _key(text)
    opposite = negated(text)
    return any(
        context == other and ((key and _key(line) == key) or line == opposite) for other, line in came
    )  # fmt: skip


def _lists_and_maps(script: _Script, gone: list[Item], new: list[Item]) -> None:
    for context, text in gone:
        if _is_list(context, text):
            script.add((), negated(text))
    for context, text in new:
        if _is_list(context, text):
            script.add((), text)
    lost = {text for context, text in gone if not context}
    come = [(context, text) for context, text in new if _is_map(context)]
    for context, text in gone:
        if _is_map(context) and context[0] not in lost and not _replaced((context, text), come):
            script.add(context, negated(text))
    for context, text in new:
        if _is_map((text,)) and not context:
            script.add((text,), "")
        elif _is_map(context):
            script.add(context, text)


def _is_list(context: Context, text: str) -> bool:
    return not context and not _INSTANCE.fullmatch(text) and not _is_map((text,))


def _is_map(context: Context) -> bool:
    return bool(context) and context[0].startswith("route-map ")


class _Script:
    """Commands with the blocks they need around them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._context: Context = ()

    def add(self, context: Context, text: str) -> None:
        self._enter(context)
        if text and _INSTANCE.fullmatch(text):
            self._enter((text,))
        elif text:
            self._lines.append(f"{' ' * len(context)}{text}")

    def _enter(self, context: Context) -> None:
        shared = 0
        while shared < min(len(context), len(self._context)) and context[shared] == self._context[shared]:
            shared += 1
        for depth in range(len(self._context), shared, -1):
            self._lines.append("exit" if depth == 1 else " exit-address-family")
        for depth in range(shared, len(context)):
            self._lines.append(f"{' ' * depth}{context[depth]}")
        self._context = context

    def text(self) -> str:
        self._enter(())
        return "".join(f"{line}\n" for line in self._lines)
