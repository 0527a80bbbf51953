# SPDX-License-Identifier: GPL-3.0-or-later
"""The chains that kube-proxy and the network policy controller leave behind, removed chain by chain. Pure, Python 3.9.

From what `iptables-save` prints of one family in one backend comes the text for `iptables-restore --noflush` of the
same. It names nothing but those chains and the jumps into them: with --noflush a declared chain is emptied, every
other line of the table stays what it is at that moment, and a table is changed as a whole or, where anything does not
fit any more, not at all. So rules that others write meanwhile are never lost; at worst it is to be read and done again.

Chains are known by name (Kubernetes: pkg/proxy/iptables, pkg/proxy/ipvs, pkg/kubelet/kubelet_network_linux.go;
kube-router: pkg/controllers/netpol). An unknown one that begins with KUBE- stays, and is named.
"""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, field

BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})

_PROXY_ENTRIES = (
    "SERVICES", "EXTERNAL-SERVICES", "NODEPORTS", "FORWARD", "PROXY-FIREWALL", "POSTROUTING", "LOAD-BALANCER",
    "NODE-PORT", "SOURCE-RANGES-FIREWALL", "IPVS-FILTER", "IPVS-OUT-FILTER",
)  # fmt: skip
_MARKS = ("MARK-MASQ", "MARK-DROP")
# Chains into which built-in ones jump.
_ENTRY = re.compile(rf"KUBE-({'|'.join(_PROXY_ENTRIES)}|ROUTER-[A-Z]+)")
_PROXY = re.compile(rf"KUBE-({'|'.join((*_PROXY_ENTRIES, *_MARKS))}|PROXY-CANARY|(SVC|SVL|SEP|EXT|FW|XLB)-.+)")
_ROUTER = re.compile(r"KUBE-(ROUTER|NWPLCY|POD-FW)-.+")
_KUBELET = ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT")
# Who marks a packet for masquerading relies on the chain that does it.
_RELIES: t.Mapping[str, str] = {"KUBE-MARK-MASQ": "KUBE-POSTROUTING"}
# Options whose value is free text, which may look like a jump.
_TEXTS = ("--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string")
_COUNTERS = re.compile(r"^\[\d+:\d+\] ")


@dataclass(frozen=True)
class Rule:
    chain: str
    text: str  # as printed, behind `-A`, the chain included
    target: str  # empty: none, or not to be read
    sets: tuple[str, ...] = ()


@dataclass
class Table:
    name: str
    chains: dict[str, None] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


@dataclass(frozen=True)
class Removal:
    """What goes from one table."""

    table: str
    chains: tuple[str, ...]
    jumps: tuple[Rule, ...]
    kept: tuple[str, ...]  # would go, but somebody else uses them
    unknown: tuple[str, ...]  # begin with KUBE-, and nobody here knows them
    sets: tuple[str, ...]  # ipsets that only removed rules use: free to be destroyed afterwards

    @property
    def text(self) -> str:
        if not self.chains and not self.jumps:
            return ""
        lines = [f"*{self.table}", *(f":{chain} - [0:0]" for chain in self.chains)]
        lines += [f"-D {rule.text}" for rule in self.jumps]
        lines += [f"-X {chain}" for chain in self.chains]
        return "\n".join([*lines, "COMMIT", ""])


def removals(saved: str, router: bool = True) -> tuple[Removal, ...]:
    """For each table that has something of them; `router` asks for the network policy controller's too."""
    found = tuple(_removal(table, router) for table in parse(saved))
    return tuple(item for item in found if item.chains or item.jumps or item.kept or item.unknown)


def restore(found: t.Iterable[Removal]) -> str:
    """The input of `iptables-restore --noflush`; empty: nothing to do."""
    return "".join(item.text for item in found)


def leftovers(saved: str, router: bool = True) -> int:
    """How many chains would go."""
    return sum(len(item.chains) for item in removals(saved, router))


def parse(saved: str) -> tuple[Table, ...]:
    """The tables that `iptables-save` printed, with or without counters."""
    tables: list[Table] = []
    for line in saved.splitlines():
        text = _COUNTERS.sub("", line.strip())
        if text.startswith("*"):
            tables.append(Table(text[1:]))
        elif text.startswith(":") and tables:
            tables[-1].chains[text[1:].split()[0]] = None
        elif text.startswith("-A ") and tables:
            tables[-1].rules.append(_rule(text[3:]))
    return tuple(tables)


def _rule(text: str) -> Rule:
    chain = text.split(None, 1)[0]
    try:
        words = shlex.split(text)
    except ValueError:
        return Rule(chain, text, "")
    target, sets, before = "", [], ""
    for word, value in zip(words, [*words[1:], ""]):
        if before not in _TEXTS:
            if word in ("-j", "-g", "--jump", "--goto") and not target:
                target = value
            elif word == "--match-set":
                sets.append(value)
        before = word if before not in _TEXTS else ""
    return Rule(chain, text, target, tuple(sets))


def _removal(table: Table, router: bool) -> Removal:
    doomed = {chain for chain in table.chains if _PROXY.fullmatch(chain) or (router and _ROUTER.fullmatch(chain))}
    kept = _used(table, doomed)
    doomed -= kept
    gone = [rule for rule in table.rules if rule.chain in doomed]
    jumps = [rule for rule in table.rules if _is_entry(rule) and rule.target in doomed]
    left = {name for rule in table.rules if rule.chain not in doomed and rule not in jumps for name in rule.sets}
    return Removal(
        table.name, tuple(chain for chain in table.chains if chain in doomed), tuple(jumps), tuple(sorted(kept)),
        tuple(chain for chain in table.chains if _is_unknown(chain)),
        tuple(dict.fromkeys(name for rule in gone for name in rule.sets if name not in left)),
    )  # fmt: skip


def _is_entry(rule: Rule) -> bool:
    return rule.chain in BUILT_IN and _ENTRY.fullmatch(rule.target) is not None


def _is_unknown(chain: str) -> bool:
    known = chain in _KUBELET or _PROXY.fullmatch(chain) or _ROUTER.fullmatch(chain)
    return chain.startswith("KUBE-") and not known


def _used(table: Table, doomed: t.AbstractSet[str]) -> set[str]:
    """Chains to which others lead, with all that those lead to."""
    leads: dict[str, set[str]] = {}
    wanted: list[str] = []
    for rule in table.rules:
        if rule.target not in doomed:
            continue
        if rule.chain in doomed:
            leads.setdefault(rule.chain, set()).add(rule.target)
        elif not _is_entry(rule):
            wanted.append(rule.target)
    used: set[str] = set()
    while wanted:
        chain = wanted.pop()
        if chain not in used:
            used.add(chain)
            more = leads.get(chain, set()) | {_RELIES.get(chain, "")}
            wanted += [name for name in more if name in doomed]
    return used
