"""What kube-proxy leaves behind is removed, and nothing else, whatever else is there or comes meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_rules_case import SAVED

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.kube_rules import (
    BUILT_IN,
    leftovers,
    parse,
    removals,
    restore,
)


class Refused(Exception):
    """iptables-restore's: the table is as it was."""


class Tables:
    """What `iptables-restore --noflush` does, as far as it is used."""

    def __init__(self, saved: str) -> None:
        self.tables = {
            table.name: (list(table.chains), [f"{rule.text}" for rule in table.rules]) for table in parse(saved)
        }

    def restore(self, text: str) -> None:
        table, chains, rules = "", list[str](), list[str]()
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:]
                chains, rules = (list(part) for part in self.tables[table])
            elif line.startswith(":"):
                name = line[1:].split()[0]
                assert name not in BUILT_IN
                chains += [] if name in chains else [name]
                rules = [rule for rule in rules if rule.split()[0] != name]
            elif line.startswith("-D "):
                if line[3:] not in rules:
                    raise Refused(line)
                rules.remove(line[3:])
            elif line.startswith("-X "):
                name = line[3:]
                if any(rule.target == name for rule in parse(_saved(table, chains, rules))[0].rules):
                    raise Refused(line)
                chains.remove(name)
            elif line == "COMMIT":
                self.tables[table] = (chains, rules)
            else:
                raise AssertionError(line)

    def saved(self) -> str:
        return "".join(_saved(name, *parts) for name, parts in self.tables.items())


def _saved(table: str, chains: list[str], rules: list[str]) -> str:
    lines = [*(f":{name} - [0:0]" for name in chains), *(f"-A {rule}" for rule in rules)]
    return "\n".join([f"*{table}", *lines, "COMMIT\n"])


def test_a_nodes_rules() -> None:
    found = {item.table: item for item in removals(SAVED)}
    assert found["mangle"].chains == ("KUBE-PROXY-CANARY",)
    assert found["nat"].text == (
        "*nat\n"
        ":KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-SEP-BBBB - [0:0]\n"
        ":KUBE-SERVICES - [0:0]\n:KUBE-SVC-AAAA - [0:0]\n"
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\n'
        '-D OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\n'
        '-D POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING\n'
        "-X KUBE-MARK-MASQ\n-X KUBE-NODEPORTS\n-X KUBE-POSTROUTING\n-X KUBE-SEP-BBBB\n-X KUBE-SERVICES\n"
        "-X KUBE-SVC-AAAA\nCOMMIT\n"
    )
    assert len(found["filter"].jumps) == 3 and found["filter"].sets == ("KUBE-SRC-AAAA",)
    tables = Tables(SAVED)
    tables.restore(restore(removals(SAVED)))
    after = tables.saved()
    assert leftovers(SAVED) == 12 and leftovers(after) == 0 and restore(removals(after)) == ""
    for spared in ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "CILIUM_FORWARD", "dport 22"):
        assert after.count(spared) == SAVED.count(spared), spared


def test_the_network_policy_controllers_stay_while_it_runs() -> None:
    found = {item.table: item for item in removals(SAVED, router=False)}
    assert not [chain for chain in found["filter"].chains if "ROUTER" in chain or "POD-FW" in chain]
    assert len(found["filter"].jumps) == 2 and found["filter"].sets == ()


def test_marks_stay_as_long_as_somebody_marks() -> None:
    used = SAVED.replace("-A KUBE-MARK-MASQ", "-A CNI-HOSTPORT-DNAT -p tcp -j KUBE-MARK-MASQ\n-A KUBE-MARK-MASQ")
    nat = {item.table: item for item in removals(used)}["nat"]
    assert nat.kept == ("KUBE-MARK-MASQ", "KUBE-POSTROUTING") and not set(nat.kept) & set(nat.chains)
    assert "POSTROUTING" not in [rule.chain for rule in nat.jumps] and "KUBE-SVC-AAAA" in nat.chains


def test_a_chain_that_nobody_knows_stays_and_is_named() -> None:
    found = {item.table: item for item in removals(SAVED.replace("KUBE-PROXY-CANARY", "KUBE-SOMETHING"))}
    assert found["mangle"].unknown == ("KUBE-SOMETHING",) and found["mangle"].text == ""


def test_nothing_there() -> None:
    assert removals("") == () and removals("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n") == ()


def test_a_rule_that_cannot_be_read_is_somebody_elses() -> None:
    odd = '*nat\n:KUBE-SVC-A - [0:0]\n-A OUTPUT -m comment --comment "open -j KUBE-SVC-A\nCOMMIT\n'
    assert parse(odd)[0].rules[0].target == "" and removals(odd)[0].jumps == ()


OURS = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-SVC-A", "KUBE-SEP-B"]
OURS += ["KUBE-ROUTER-INPUT"]
THEIRS = ["CILIUM_INPUT", "KUBE-FIREWALL", "MINE", "KUBE-KUBELET-CANARY"]
comments = st.sampled_from(
    ["", '-m comment --comment "-j KUBE-SERVICES" ', '-m comment --comment "a \\" -j KUBE-SVC-A" ']
)
rule_of = st.builds(
    lambda chain, comment, number, target: f"{chain} -s 10.0.0.{number}/32 {comment}-j {target}",
    st.sampled_from([*sorted(BUILT_IN), *OURS, *THEIRS]), comments, st.integers(1, 9),
    st.sampled_from([*OURS, *THEIRS, "ACCEPT", "DROP"]),
)  # fmt: skip


def foreign(rules: list[str]) -> list[str]:
    """In their order, all that are not in a chain of ours and do not lead there."""
    return [rule for rule in rules if rule.split()[0] not in OURS and rule.split()[-1] not in OURS]


@given(st.lists(rule_of, max_size=14), st.lists(st.tuples(st.integers(0, 9), rule_of), max_size=4), st.booleans())
def test_all_that_is_not_ours_stays(rules: list[str], late: list[tuple[int, str]], router: bool) -> None:
    """Rules that come between reading and writing too; then it is done in one go, or not at all and once more."""
    saved = _saved("nat", [*sorted(BUILT_IN), *OURS, *THEIRS], rules)
    text = restore(removals(saved, router))
    tables = Tables(saved)
    chains, now = tables.tables["nat"]
    for place, rule in late:
        now.insert(place, rule)
    before = list(now)
    try:
        tables.restore(text)
    except Refused:
        assert late and tables.tables["nat"] == (chains, before), "as it was"
        tables.restore(restore(removals(tables.saved(), router)))
    left, after = tables.tables["nat"]
    assert foreign(after) == foreign(before) and set(THEIRS) <= set(left)
    assert all(parse(f"*nat\n-A {rule}\n")[0].rules[0].target in {*left, "ACCEPT", "DROP"} for rule in after)
    again = removals(tables.saved(), router)
    assert restore(again) == "" or late, "a second time there is nothing to do"


@pytest.mark.parametrize("entry", ["KUBE-SVC-A", "KUBE-SEP-B"])
def test_somebody_elses_jump_into_the_middle_keeps_what_it_leads_to(entry: str) -> None:
    rules = [f"OUTPUT -j {entry}", "KUBE-SVC-A -j KUBE-SEP-B", "KUBE-SERVICES -j KUBE-SVC-A"]
    saved = _saved("nat", ["OUTPUT", *OURS], rules)
    kept = removals(saved)[0].kept
    assert kept == (("KUBE-SEP-B", "KUBE-SVC-A") if entry == "KUBE-SVC-A" else ("KUBE-SEP-B",))
    Tables(saved).restore(restore(removals(saved)))
