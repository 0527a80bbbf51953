# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's iptables: both families, each backend that has rules. Python 3.9, stdlib only."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import kube_rules
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

# k3s brings its own, for hosts without.
_BUNDLED = ("/var/lib/rancher/k3s/data/current/bin", "/var/lib/rancher/k3s/data/current/bin/aux")
_TRIES = 5
_WAIT = "5"  # seconds for the lock that legacy programs share

Run = t.Callable[[t.Sequence[str], str], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Backend:
    """One family's rules in one of the kernel's two keepings."""

    family: int
    kind: str  # nft, legacy
    save: str
    restore: str

    @property
    def name(self) -> str:
        return f"{self.kind} IPv{self.family}"


@dataclass(frozen=True)
class Swept:
    """What went, and what stays on purpose, by backend."""

    removed: t.Mapping[str, int]
    kept: t.Mapping[str, tuple[str, ...]]  # somebody else leads to them
    unknown: t.Mapping[str, tuple[str, ...]]
    sets: tuple[str, ...] = ()  # ipsets that nobody uses any more


def run(argv: t.Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)


def backends(call: Run = run, which: t.Callable[[str], str | None] | None = None) -> tuple[Backend, ...]:
    """Those whose programs are there. A legacy one only where the kernel has its tables: asking would make them."""
    find = which or program
    found = []
    for family, stem in ((4, "iptables"), (6, "ip6tables")):
        for kind in ("nft", "legacy"):
            save, restore = find(f"{stem}-{kind}-save"), find(f"{stem}-{kind}-restore")
            if save and restore and (kind == "nft" or _has_legacy(family)):
                found.append(Backend(family, kind, save, restore))
    if not found:
        found = list(_plain(call, find))
    return tuple(found)


def program(name: str) -> str | None:
    """Where it is, on a host where root's own path may be short."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *_BUNDLED)))


def _plain(call: Run, find: t.Callable[[str], str | None]) -> t.Iterator[Backend]:
    """Programs of one backend only, under names that do not say which."""
    for family, stem in ((4, "iptables"), (6, "ip6tables")):
        save, restore = find(f"{stem}-save"), find(f"{stem}-restore")
        if save and restore:
            kind = "nft" if "nf_tables" in call((save, "-V"), "").stdout else "legacy"
            if kind == "nft" or _has_legacy(family):
                yield Backend(family, kind, save, restore)


def _has_legacy(family: int) -> bool:
    try:
        return bool(Path(f"/proc/net/ip{'6' if family == 6 else ''}_tables_names").read_text(encoding="ascii").strip())
    except OSError:
        return False


def saved(backend: Backend, call: Run = run, *options: str) -> str:
    done = call((backend.save, *options), "")
    if done.returncode != 0:
        raise MeshwrightError(
            f"`{backend.save}`", seen=f"failed ({done.stderr.strip()[-200:]})", wanted="the rules",
            remedy="run it by hand on the host",
        )
    return done.stdout


def leftovers(found: t.Iterable[Backend], router: bool = True, call: Run = run) -> int:
    """How many chains of kube-proxy and the network policy controller there are."""
    return sum(kube_rules.leftovers(saved(backend, call), router) for backend in found)


def sweep(found: t.Iterable[Backend], router: bool = True, call: Run = run) -> Swept:
    """Remove them. Where somebody writes rules meanwhile and a restore does not fit, it is read and made once more."""
    removed, kept, unknown, sets = {}, {}, {}, dict[str, None]()
    for backend in found:
        first = kube_rules.removals(saved(backend, call), router)
        left = _swept(backend, first, router, call)
        removed[backend.name] = sum(len(item.chains) for item in first) - sum(len(item.chains) for item in left)
        kept[backend.name] = tuple(name for item in left for name in item.kept)
        unknown[backend.name] = tuple(name for item in left for name in item.unknown)
        sets.update(dict.fromkeys(name for item in first for name in item.sets))
    return Swept(removed, kept, unknown, tuple(sets))


def _swept(
    backend: Backend, planned: tuple[kube_rules.Removal, ...], router: bool, call: Run
) -> tuple[kube_rules.Removal, ...]:
    said = ""
    for _try in range(_TRIES):
        text = kube_rules.restore(planned)
        if not text:
            return planned
        said = call((backend.restore, "--noflush", "--wait", _WAIT), text).stderr.strip()
        planned = kube_rules.removals(saved(backend, call), router)
    if kube_rules.restore(planned):
        chains = [name for item in planned for name in item.chains]
        raise MeshwrightError(
            f"the chains of kube-proxy ({backend.name})", seen=f"still there ({len(chains)}: {', '.join(chains[:4])}…)",
            wanted=f"gone after {_TRIES} tries", remedy=f"see who writes them: iptables-restore said {said[-200:]}",
        )
    return planned
