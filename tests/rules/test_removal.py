"""Leftover chains removed by the real iptables, in both backends and families, while others write rules."""

from __future__ import annotations

import subprocess

import pytest
from kube_rules_case import loadable
from meshlab import podman

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.kube_rules import leftovers, removals, restore

SERVICES = 100
OTHERS = 60
TRIES = 20


class Rules:
    """One backend and family of the box."""

    def __init__(self, box: str, backend: str, family: int) -> None:
        self.box, self.program = box, f"ip{'6' if family == 6 else ''}tables-{backend}"

    def saved(self) -> str:
        return podman.run(["exec", self.box, f"{self.program}-save"]).stdout

    def load(self, text: str, *options: str) -> bool:
        done = podman.run(["exec", "-i", self.box, f"{self.program}-restore", "-w", *options], check=False, stdin=text)
        return done.returncode == 0

    def somebody_else(self) -> subprocess.Popen[str]:
        """Adds rules, one after the other, in front and behind, and a chain of their own for each."""
        each = (
            f"{self.program} -w -N OTHER-$i; {self.program} -w -I FORWARD -p tcp --dport $i -j OTHER-$i; "
            f"{self.program} -w -t nat -A POSTROUTING -p udp --dport $i -j ACCEPT;"
        )
        script = f"set -e; for i in $(seq 1 {OTHERS}); do {each} done"
        return subprocess.Popen(
            ["podman", "exec", self.box, "sh", "-c", script], env=podman.environment(), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_nothing_of_others_is_lost(box: str, backend: str, family: int) -> None:
    rules = Rules(box, backend, family)
    assert rules.load(loadable(family, SERVICES))
    other, runs = rules.somebody_else(), 0
    while other.poll() is None and runs < TRIES:
        runs += 1
        rules.load(restore(removals(rules.saved())), "--noflush")
        rules.load(loadable(family, SERVICES), "--noflush")  # and kube-proxy's come again
    assert other.wait(60) == 0, other.stderr.read() if other.stderr else ""
    assert rules.load(restore(removals(rules.saved())), "--noflush")
    after = rules.saved()
    assert runs and leftovers(after) == 0
    for number in range(1, OTHERS + 1):
        assert f"-A FORWARD -p tcp -m tcp --dport {number} -j OTHER-{number}\n" in after
        assert f"-A POSTROUTING -p udp -m udp --dport {number} -j ACCEPT\n" in after
    for spared in ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "CILIUM_FORWARD", "CNI-HOSTPORT-DNAT"):
        assert f":{spared} - " in after
    assert ":FORWARD DROP " in after, "a policy is somebody's, too"


def test_a_restore_that_no_longer_fits_changes_nothing(box: str) -> None:
    rules = Rules(box, "nft", 4)
    assert rules.load(loadable(4, 1))
    text = restore(removals(rules.saved()))
    podman.run(["exec", box, "iptables-nft", "-t", "nat", "-A", "CNI-HOSTPORT-DNAT", "-j", "KUBE-SVC-AAAA"])
    before = rules.saved()
    nat = text[text.index("*nat") :]
    assert not rules.load(nat, "--noflush")
    now = {item.table: item for item in removals(rules.saved())}
    assert now["nat"].kept == ("KUBE-MARK-MASQ", "KUBE-POSTROUTING", "KUBE-SEP-BBBB", "KUBE-SVC-AAAA")
    assert before.count(":KUBE-") == rules.saved().count(":KUBE-")


SWEEP = """
import sys
sys.path.insert(0, "/run/collections")
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_iptables as iptables
found = iptables.backends()
print(len(found), iptables.leftovers(found), sum(iptables.sweep(found).removed.values()), iptables.leftovers(found))
"""


def test_all_of_a_hosts_rules_at_once(box: str) -> None:
    """As the host itself does it."""
    every = [Rules(box, backend, family) for backend in ("nft", "legacy") for family in (4, 6)]
    assert all(rules.load(loadable(6 if "ip6" in rules.program else 4, 5)) for rules in every)
    done = podman.run(["exec", "-i", box, "python3", "-"], stdin=SWEEP).stdout.split()
    assert done == ["4", str(4 * (12 + 5)), str(4 * (12 + 5)), "0"]
