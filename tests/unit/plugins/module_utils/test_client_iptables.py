"""Which backends are asked, and what is made of a restore that does not fit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest
from kube_rules_case import SAVED

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_iptables as iptables
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_iptables import Backend
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

NFT = Backend(4, "nft", "iptables-nft-save", "iptables-nft-restore")


class Host:
    """Says what was saved until so many restores failed; then nothing is left."""

    def __init__(self, failing: int = 0, saved: str = SAVED, version: str = "iptables-save v1.8.9 (nf_tables)") -> None:
        self.failing, self.text, self.version = failing, saved, version
        self.restores: list[tuple[Sequence[str], str]] = []

    def __call__(self, argv: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        if argv[1:] == ("-V",):
            return subprocess.CompletedProcess(argv, 0, self.version, "")
        if argv[0].endswith("save"):
            return subprocess.CompletedProcess(argv, 0, self.text, "")
        self.restores.append((argv, text))
        if len(self.restores) <= self.failing:
            return subprocess.CompletedProcess(argv, 1, "", "line 9 failed")
        self.text = "*nat\n:KUBE-STRANGE - [0:0]\nCOMMIT\n"
        return subprocess.CompletedProcess(argv, 0, "", "")


def of(*programs: str) -> iptables.t.Callable[[str], str | None]:
    return lambda program: f"/sbin/{program}" if program in programs else None


@pytest.mark.parametrize("legacy", [True, False])
def test_backends(monkeypatch: pytest.MonkeyPatch, legacy: bool) -> None:
    monkeypatch.setattr(iptables, "_has_legacy", lambda family: legacy and family == 4)
    every = [f"{stem}-{kind}-{what}" for stem in ("iptables", "ip6tables") for kind in ("nft", "legacy")
             for what in ("save", "restore")]  # fmt: skip
    names = [found.name for found in iptables.backends(Host(), of(*every))]
    assert names == ["nft IPv4", *(["legacy IPv4"] if legacy else []), "nft IPv6"]


def test_programs_that_do_not_say_which() -> None:
    programs = of("iptables-save", "iptables-restore")
    (found,) = iptables.backends(Host(), programs)
    assert found == Backend(4, "nft", "/sbin/iptables-save", "/sbin/iptables-restore")
    assert iptables.backends(Host(), of()) == ()


def test_swept_at_once() -> None:
    host = Host()
    assert iptables.leftovers([NFT], call=host) == 12
    found = iptables.sweep([NFT], call=host)
    (argv, text), = host.restores
    assert argv == ("iptables-nft-restore", "--noflush", "--wait", "5") and text.startswith("*mangle\n")
    assert found.removed == {"nft IPv4": 12} and found.sets == ("KUBE-SRC-AAAA",)
    assert found.unknown == {"nft IPv4": ("KUBE-STRANGE",)} and found.kept == {"nft IPv4": ()}
    assert iptables.sweep([NFT], call=host).removed == {"nft IPv4": 0} and len(host.restores) == 1


def test_once_more_where_it_did_not_fit() -> None:
    host = Host(failing=2)
    assert iptables.sweep([NFT], call=host).removed == {"nft IPv4": 12} and len(host.restores) == 3


def test_never() -> None:
    with pytest.raises(MeshwrightError, match=r"still there \(12: .*gone after 5 tries.*line 9 failed"):
        iptables.sweep([NFT], call=Host(failing=99))


def test_rules_that_cannot_be_read() -> None:
    def call(argv: Sequence[str], _text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 1, "", "no permission")

    with pytest.raises(MeshwrightError, match="no permission"):
        iptables.saved(NFT, call)
