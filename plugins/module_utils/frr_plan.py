# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a router's FRR configuration: ours as wanted, every line of others as it was. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, Router, owned_name, sessions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import HIDDEN, masked
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_text import (
    Context,
    Item,
    Line,
    items,
    parse,
    rendered,
)

# Settings of a whole instance. They are ours only while nobody else peers with it: changing them drops everybody.
_SETTINGS = re.compile(
    r"bgp router-id \S+|(no )?bgp default ipv4-unicast|bgp bestpath as-path multipath-relax"
    r"|bgp graceful-restart( restart-time \d+)?|bgp log-neighbor-changes|bgp listen limit \d+"
    r"|maximum-paths( ibgp)? \d+"
)
_INSTANCE = re.compile(r"router bgp \d+")
# A peer as such; all other lines about it are its settings.
_PEER = re.compile(r"neighbor (\S+) (remote-as|peer-group|interface)\b")

_MEMBER = re.compile(r"neighbor (\S+) peer-group (\S+)")


@dataclass(frozen=True)
class Owner:
    """Whose lines are ours: by our names, and the addresses of our nodes."""

    name: str  # MW-<CLUSTER>
    addresses: frozenset[str] = frozenset()
    router_id: bool = False  # whether we set it

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(rf"{re.escape(self.name)}-IPV[46](-(IN|OUT|ACCEPT|\d+))?")

    def names(self, word: str) -> bool:
        return self.pattern.fullmatch(word) is not None


def owner_of(bgp: Bgp, router: Router) -> Owner:
    addresses = frozenset(item.node_address for item in sessions(bgp, router))
    return Owner(owned_name(bgp.cluster).upper(), addresses, bool(router.router_id))


@dataclass(frozen=True)
class Plan:
    """`before` and `after` are whole texts; `former` and `wanted` our parts of them."""

    before: str
    after: str
    former: str
    wanted: str
    left: tuple[str, ...] = ()  # settings that stay as others have them

    @property
    def changed(self) -> bool:
        return self.before != self.after


def plan(have: str, want: str, owner: Owner) -> Plan:
    """`have` is the running configuration or a file; `want` our text, or nothing to take ours away."""
    refuse_other_asn(have, want)
    lines = parse(have)
    mine = _Mine(lines, owner)
    wanted, left = _adapted(items(parse(want)), lines, mine)
    former = [item for item in items(lines) if mine.has(item)]
    if same(former, wanted, lines):
        return Plan(have, have, rendered(former), rendered(former), left)
    after = merged(lines, wanted, mine)
    now = parse(after)
    mine_now = _Mine(now, owner)
    ours_now = [item for item in items(now) if mine_now.has(item)]
    return Plan(have, after, rendered(former), rendered(ours_now), left)


def refuse_other_asn(have: str, want: str) -> None:
    ours = [text for _context, text in items(parse(want)) if _INSTANCE.fullmatch(text)]
    theirs = [text for context, text in items(parse(have)) if not context and _INSTANCE.fullmatch(text)]
    if ours and theirs and theirs[0] != ours[0]:
        raise MeshwrightError(
            "the router's own AS", seen=theirs[0].split()[-1], wanted=ours[0].split()[-1],
            remedy="FRR has one AS for its default instance: set bgp_router_asn to it, or remove that instance first",
        )  # fmt: skip


def peers_of(text: str, owner: Owner) -> frozenset[str]:
    """The addresses of our peers in a configuration."""
    return frozenset(_Mine(parse(text), owner).peers)


class _Mine:
    """Which items of one configuration are ours."""

    def __init__(self, lines: t.Sequence[Line], owner: Owner) -> None:
        self.owner = owner
        found = items(lines)
        bound = {
            match[1] for context, text in found
            if _is_instance(context) and (match := _MEMBER.fullmatch(text)) and owner.names(match[2])
        }  # fmt: skip
        self.peers = owner.addresses | bound
        self.foreign = sorted({
            match[1] for context, text in found
            if _is_instance(context) and (match := _PEER.match(text)) and not self.is_peer(match[1])
        })  # fmt: skip
        self.foreign_ranges = any(
            text.startswith("bgp listen range ") and not owner.names(text.split()[-1])
            for context, text in found if _is_instance(context)
        )  # fmt: skip

    @property
    def alone(self) -> bool:
        return not self.foreign and not self.foreign_ranges

    def is_peer(self, subject: str) -> bool:
        return subject in self.peers or self.owner.names(subject)

    def has(self, item: Item) -> bool:
        context, text = item
        words = text.split()
        if not context:
            return _is_named(words, self.owner)
        if context[0].startswith("route-map "):
            return self.owner.names(context[0].split()[1])
        if not _INSTANCE.fullmatch(context[0]):
            return False
        words = words[1:] if words[0] == "no" else words
        if words[0] == "neighbor" and len(words) > 1:
            return self.is_peer(words[1])
        if words[:3] == ["bgp", "listen", "range"]:
            return self.owner.names(words[-1])
        if words[:2] == ["bgp", "router-id"] and not self.owner.router_id:
            return False
        return self.alone and _SETTINGS.fullmatch(text) is not None


def _is_instance(context: Context) -> bool:
    return len(context) == 1 and _INSTANCE.fullmatch(context[0]) is not None


def _is_named(words: t.Sequence[str], owner: Owner) -> bool:
    """A list or a map that carries one of our names, where its name stands."""
    places = {"ip": 2, "ipv6": 2, "route-map": 1, "bgp": 3}
    place = places.get(words[0], 0)
    return bool(place and len(words) > place and owner.names(words[place]))


def _adapted(want: list[Item], lines: t.Sequence[Line], mine: _Mine) -> tuple[list[Item], tuple[str, ...]]:
    """Where others peer too, the instance's settings are theirs, and the families' defaults hold for us as well."""
    if not want or mine.alone:
        return want, ()
    have = set(items(lines))
    settings = [item for item in want if _SETTINGS.fullmatch(item[1])]
    left = tuple(text for context, text in settings if (context, text) not in have)
    kept = [item for item in want if item not in settings]
    head = next((text for context, text in kept if not context and _INSTANCE.fullmatch(text)), "")
    if not head or ((head,), "no bgp default ipv4-unicast") in have:
        return kept, left
    family = (head, "address-family ipv4 unicast")
    groups = [text.split()[1] for context, text in kept if context == (head,) and text.endswith(" peer-group")]
    v4 = {text.split()[1] for context, text in kept if context == family and text.startswith("neighbor ")}
    kept = [item for item in kept if not (item[0] == family and re.match(r"neighbor \S+ activate", item[1]))]
    off = [(family, f"no neighbor {group} activate") for group in groups if group not in v4]
    missing = [((head,), family[1])] if off and ((head,), family[1]) not in kept else []
    return list(dict.fromkeys((*kept, *missing, *off))), left


def same(have: t.Iterable[Item], want: t.Iterable[Item], lines: t.Sequence[Line]) -> bool:
    """Whether nothing but headers and vanishing defaults tells them apart."""
    before, after = _telling(have), _telling(want)
    vanished = {item for item in after - before if _vanishes(item[1], lines)}
    return before == after - vanished


def _telling(found: t.Iterable[Item]) -> set[Item]:
    return {item for item in found if not _INSTANCE.fullmatch(item[1]) and not item[1].startswith("address-family ")}


def _vanishes(text: str, lines: t.Sequence[Line]) -> bool:
    """Defaults are not shown: of FRR's data centre profile, and the most paths that it was built for."""
    profile = any(line.text == "frr defaults datacenter" for line in lines)
    return (profile and text == "bgp log-neighbor-changes") or text in ("maximum-paths 256", "maximum-paths ibgp 256")


# -- putting ours among the lines of others


@dataclass
class _Places:
    """Wanted texts by where they go: above all, in the instance, in its families."""

    top: list[Item] = field(default_factory=list)
    head: str = ""
    main: list[str] = field(default_factory=list)
    families: dict[str, list[str]] = field(default_factory=dict)


def merged(lines: t.Sequence[Line], want: t.Sequence[Item], mine: _Mine) -> str:
    kept = _without(lines, mine, whole=not want)
    if not want:
        return "".join(line.raw for line in kept)
    places = _places(want)
    out = _into_instance(kept, places)
    return _appended(out, places, any(line.text == places.head for line in kept))


def _without(lines: t.Sequence[Line], mine: _Mine, whole: bool) -> list[Line]:
    """All but ours: with a block goes its end, with a line the bare separator behind it."""
    gone = {line.inside for line in lines if line.text and not line.context and mine.has(((), line.text))}
    if whole:
        gone |= {(head,) for head in _left_empty(lines, mine)}
    kept: list[Line] = []
    removed = False
    for line in lines:
        if line.context[:1] in gone or (line.text and not line.context and line.inside in gone):
            removed = True
        elif line.text and mine.has((line.context, line.text)) and not (whole and _is_setting(line)):
            removed = not line.context
        elif removed and not line.text and not line.ends and line.raw.strip() == "!" and not line.context:
            removed = False
        else:
            kept.append(line)
            removed = False
    return _without_empty_families(kept, lines)


def _without_empty_families(kept: list[Line], lines: t.Sequence[Line]) -> list[Line]:
    """A family in which nothing is left without us, and the separator before it."""
    filled = {line.context for line in lines if line.text}
    left = {line.context for line in kept if line.text}
    empty = {context for context in filled - left if len(context) == 2}
    out: list[Line] = []
    for line in kept:
        if line.text and line.inside in empty:
            if out and out[-1].raw.strip() == "!" and out[-1].context:
                out.pop()
        elif line.context not in empty:
            out.append(line)
    return out


def _is_setting(line: Line) -> bool:
    return bool(line.context) and _SETTINGS.fullmatch(line.text) is not None


def _left_empty(lines: t.Sequence[Line], mine: _Mine) -> list[str]:
    """Instances of which nothing is left without us."""
    heads = [line.text for line in lines if not line.context and _INSTANCE.fullmatch(line.text)]
    used = {
        line.context[0] for line in lines
        if line.text and line.context and not line.text.startswith("address-family ")
        and not mine.has((line.context, line.text))
    }  # fmt: skip
    ours = {line.context[0] for line in lines if line.context and line.text and mine.has((line.context, line.text))}
    return [head for head in heads if head not in used and head in ours]


def _places(want: t.Sequence[Item]) -> _Places:
    places = _Places()
    for context, text in want:
        if not context and _INSTANCE.fullmatch(text):
            places.head = text
        elif not context or not _INSTANCE.fullmatch(context[0]):
            places.top.append((context, text))
        elif len(context) == 2:
            places.families.setdefault(context[1], []).append(text)
        elif text.startswith("address-family "):
            places.families.setdefault(text, [])
        else:
            places.main.append(text)
    return places


def _into_instance(kept: t.Sequence[Line], places: _Places) -> list[str]:
    """Our lines at the end of the instance's own and at the end of each family's; then the families it lacks."""
    block = [number for number, line in enumerate(kept) if places.head in (line.text, *line.context[:1])]
    if not places.head or not block:
        return [line.raw for line in kept]
    inside = [number for number in block if kept[number].context]
    there = {line.text for line in kept if line.context == (places.head,)}
    family_heads = [number for number in inside if kept[number].text.startswith("address-family ")]
    closing = [number for number in inside if kept[number].ends and len(kept[number].context) == 1]
    last = closing[0] if closing else block[-1] + 1
    before: dict[int, list[str]] = {}
    main_end = min([*family_heads, last])
    if main_end and main_end in family_heads and kept[main_end - 1].raw.strip() == "!":
        main_end -= 1
    before[main_end] = [f" {text}\n" for text in places.main]
    for family, texts in places.families.items():
        if family in there:
            end = _end_of(kept, (places.head, family), last)
            before.setdefault(end, []).extend(f"  {text}\n" for text in texts)
    new = [family for family in places.families if family not in there]
    before.setdefault(last, []).extend(line for family in new for line in _family(family, places.families[family]))
    out: list[str] = []
    for number in range(len(kept) + 1):
        out += before.get(number, [])
        out += [kept[number].raw] if number < len(kept) else []
    return out


def _end_of(kept: t.Sequence[Line], context: Context, last: int) -> int:
    """Where a family's block ends: at what ends it, or behind its last line."""
    ends = [number for number, line in enumerate(kept) if line.context == context and line.ends]
    if ends:
        return ends[0]
    inner = [number for number, line in enumerate(kept) if context in (line.context, line.inside)]
    return min(max(inner) + 1, last)


def _family(family: str, texts: t.Iterable[str]) -> list[str]:
    return [" !\n", f" {family}\n", *(f"  {text}\n" for text in texts), " exit-address-family\n"]


def _appended(out: list[str], places: _Places, has_instance: bool) -> str:
    """Lists and maps, and the instance where there was none, at the end, but before `end`."""
    tail = len(out)
    while tail and out[tail - 1].strip() in ("", "end"):
        tail -= 1
    if tail and not out[tail - 1].endswith("\n"):
        out[tail - 1] += "\n"
    extra = rendered(places.top)
    if places.head and not has_instance:
        own = [((), places.head), *(((places.head,), text) for text in places.main)]
        for family, texts in places.families.items():
            own += [((places.head,), family), *(((places.head, family), text) for text in texts)]
        extra += rendered(own)
    return "".join([*out[:tail], extra, *out[tail:]])


# -- for people


def shown(former: str, wanted: str) -> dict[str, str]:
    """Before and after with secrets hidden; a password that changes is told apart."""
    before, after = masked(former), masked(wanted)
    secrets = {line.strip() for line in former.splitlines() if " password " in line}
    marked = [
        line.replace(HIDDEN, "(hidden, another)")
        if HIDDEN in line and secrets and text.strip() not in secrets else line
        for line, text in zip(after.splitlines(keepends=True), wanted.splitlines())
    ]  # fmt: skip
    return {"before": before, "after": "".join(marked)}


def unified(diff: t.Mapping[str, str]) -> str:
    return "".join(difflib.unified_diff(diff["before"].splitlines(True), diff["after"].splitlines(True), n=1))


def differing(have: str, want: str, owner: Owner) -> set[Item]:
    """Our items that only one of two configurations has; defaults that are not shown apart."""
    one, other = parse(have), parse(want)
    here = _telling(item for item in items(one) if _Mine(one, owner).has(item))
    there = _telling(item for item in items(other) if _Mine(other, owner).has(item))
    return (here - there) | {item for item in there - here if not _vanishes(item[1], one)}
