# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a configuration right before FRR is given it? What FRR's own checks do not see, and what they say. Pure.

`vtysh -C` finds words that do not belong; `bgpd -C` finds what does not go together, and ends with 0 all the same;
neither finds a name that nothing defines, with which FRR lets nothing in, or everything out.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import masked
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_text import Item, items, parse

_DEFINED = (
    ("prefix-list", re.compile(r"ip prefix-list (\S+) ")),
    ("ipv6 prefix-list", re.compile(r"ipv6 prefix-list (\S+) ")),
    ("route-map", re.compile(r"route-map (\S+) ")),
    ("community-list", re.compile(r"bgp community-list (?:standard |expanded )?(\S+) ")),
    ("large-community-list", re.compile(r"bgp large-community-list (?:standard |expanded )?(\S+) ")),
    ("peer-group", re.compile(r"neighbor (\S+) peer-group$")),
)
_USED = (
    ("prefix-list", re.compile(r"match ip address prefix-list (\S+)")),
    ("ipv6 prefix-list", re.compile(r"match ipv6 address prefix-list (\S+)")),
    ("route-map", re.compile(r"neighbor \S+ route-map (\S+) (?:in|out)")),
    ("community-list", re.compile(r"match community (\S+)")),
    ("large-community-list", re.compile(r"match large-community (\S+)")),
    ("peer-group", re.compile(r"neighbor \S+ peer-group (\S+)")),
    ("peer-group", re.compile(r"bgp listen range \S+ peer-group (\S+)")),
)
# A line of ours, by where it stands; anything else in our text is a mistake of the renderer or of a value in it.
_GRAMMAR = {
    0: re.compile(r"(ip|ipv6) prefix-list \S+ seq \d+ permit \S+/\d+( ge \d+)?( le \d+)?|router bgp \d+"
                  r"|bgp (large-)?community-list standard \S+ seq \d+ permit \S+|route-map \S+ (permit|deny) \d+"),
    1: re.compile(r"(no )?bgp \S.*|neighbor \S+ \S.*|address-family (ipv4|ipv6) unicast|match \S+ \S.*|set \S+ \S+"),
    2: re.compile(r"(no )?neighbor \S+ \S.*|maximum-paths( ibgp)? \d+"),
}  # fmt: skip

_VTYSH = re.compile(r"^line (\d+): (.*)$")
_BGPD = re.compile(r"on config line (\d+): *(.*)$")
_UNREADABLE = re.compile(r"can't open configuration file|Permission denied|No such file")
# bgpd -C has no live peers and refuses this once a neighbour exists; the daemon that runs takes it.
_FALSE_ALARM = re.compile(r"(no )?(bgp|neighbor \S+) graceful-restart(-\S+)?$")


@dataclass(frozen=True)
class Complaint:
    line: int
    text: str  # the line, secrets hidden
    why: str


def references(text: str) -> list[str]:
    """Names that are used and not defined, or defined and not used, one sentence each."""
    found = items(parse(text))
    defined, used = _names(found, _DEFINED), _names(found, _USED)
    missing = sorted(used - defined)
    idle = sorted(name for name in defined - used if name[0] != "peer-group")
    return [
        *(f"{kind} {name} is used, but not defined" for kind, name in missing),
        *(f"{kind} {name} is defined, but not used" for kind, name in idle),
    ]


def _names(found: t.Iterable[Item], patterns: t.Iterable[tuple[str, re.Pattern[str]]]) -> set[tuple[str, str]]:
    texts = [text for _context, text in found]
    return {(kind, match[1]) for kind, pattern in patterns for text in texts if (match := pattern.match(text))}


def grammar(text: str) -> list[str]:
    """Lines of our own text that do not look like ours, secrets hidden."""
    return [
        f"line {number}: {masked(line.raw).strip()}"
        for number, line in enumerate(parse(text), 1)
        if line.text and not _GRAMMAR[len(line.context)].fullmatch(line.text)
    ]


def refuse(text: str) -> None:
    """Before a device sees it."""
    wrong = [*references(text), *grammar(text)]
    if wrong:
        raise MeshwrightError("the FRR configuration", seen="; ".join(wrong), wanted="consistent in itself")


def of_vtysh(code: int, output: str, text: str) -> list[Complaint]:
    """What `vtysh -C -f` says: 0 and silence, or 2 and a sentence for each line."""
    found = []
    for said in output.splitlines():
        match = _VTYSH.match(said.strip())
        if match:
            found.append(_complaint(int(match[1]), match[2], text))
    if code and not found:
        found.append(Complaint(0, "", masked(output.strip()) or f"vtysh ended with {code}"))
    return found


def of_bgpd(output: str, text: str) -> tuple[list[Complaint], list[Complaint]]:
    """What `bgpd -C -f` says on stderr; its end tells nothing. Complaints, and those that are false alarms."""
    real: list[Complaint] = []
    false: list[Complaint] = []
    said_before = ""
    for said in output.splitlines():
        match = _BGPD.search(said)
        if _UNREADABLE.search(said):
            real.append(Complaint(0, "", "bgpd could not read the file, so nothing was checked"))
        if match:
            complaint = _complaint(int(match[1]), said_before or "refused", text)
            alarm = _FALSE_ALARM.match(match[2].strip()) and said_before in ("", "Invalid value")
            (false if alarm else real).append(complaint)
        said_before = said.strip().lstrip("% ") if said.startswith("%") else ""
    return list(dict.fromkeys(real)), false


def _complaint(number: int, why: str, text: str) -> Complaint:
    lines = text.splitlines()
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return Complaint(number, masked(line), masked(why.partition(":")[0].strip() if line and line in why else why))


def sentence(complaint: Complaint) -> str:
    return f"line {complaint.line} `{complaint.text}`: {complaint.why}" if complaint.line else complaint.why


def raised(complaints: t.Sequence[Complaint], by: str) -> None:
    if complaints:
        told = "; ".join(sentence(complaint) for complaint in complaints)
        raise MeshwrightError(
            "the FRR configuration", seen=f"refused by {by} ({told})", wanted="accepted; nothing was sent"
        )
