# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be written on a host, whether k3s must restart for it, and what is refused. Pure; on the controller."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import yaml

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_critical, k3s_files
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_files import (
    FOLDER,
    MAIN,
    OURS,
    STAGE_FILE,
    Config,
)

STAGE_KEY = "disable-kube-proxy"
# k3s does not look at them while its datastore is initialised, so a change needs no restart.
JOIN_KEYS = ("server", "cluster-init")
REGISTRIES = "registries.yaml"
_KEYS = "# Keys kept by it: "


@dataclass(frozen=True)
class Have:
    """What was found on the host."""

    files: t.Mapping[str, str] = field(default_factory=dict)
    started: t.Mapping[str, str] | None = None  # the files that the running k3s was started with
    registries: str | None = None
    started_registries: str | None = None
    datastore: bool = False
    active_state: str = "inactive"
    unit_changed: bool = False
    binary_changed: bool = False


@dataclass(frozen=True)
class Want:
    """None as a value: the key is not to be there. kube_proxy None: as it is. config None: the stage alone."""

    config: t.Mapping[str, t.Any] | None
    peers: tuple[str, ...] = ()  # URLs that `server:` may name, the best first
    kube_proxy: bool | None = None
    registries: Config = field(default_factory=dict)
    server: bool = True


@dataclass(frozen=True)
class Write:
    """One file. No text: it goes."""

    name: str
    text: str | None
    before: str  # masked, for the diff
    after: str

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.name}"


@dataclass(frozen=True)
class ConfigPlan:
    writes: tuple[Write, ...]
    effective: Config  # as it will be
    restart_reasons: tuple[str, ...]
    overruled: tuple[str, ...]  # what foreign drop-ins make of our keys, one sentence each
    kube_proxy: bool


def plan(have: Have, want: Want) -> ConfigPlan:
    """What it does to a live server's critical values is for `refusals` to judge."""
    files = dict(have.files)
    main = {} if want.config is None else _main(have, want.config, want)
    registries = None if want.config is None else _registries(have, want)
    first = None if want.config is None else _main_write(have, want.config, main)
    writes = [write for write in (first, _stage(have, want), registries) if write is not None]
    for write in writes:
        if write.name != REGISTRIES:
            _put(files, write.name, write.text)
    after = k3s_files.effective(_ordered(files))
    return ConfigPlan(
        writes=tuple(writes),
        effective=after,
        restart_reasons=restart_reasons(
            have, after, have.registries if registries is None else registries.text, server=want.server
        ),
        overruled=_overruled(main, after, files),
        kube_proxy=not k3s_files.same(after.get(STAGE_KEY, False), True),
    )


def _put(files: dict[str, str], name: str, text: str | None) -> None:
    if text is None:
        files.pop(name, None)
    else:
        files[name] = text


def _ordered(files: t.Mapping[str, str]) -> dict[str, str]:
    return {name: files[name] for name in sorted(files, key=lambda name: (name != MAIN, name))}


# -- config.yaml


def _main_write(have: Have, config: t.Mapping[str, t.Any], main: Config) -> Write | None:
    text, ours = have.files.get(MAIN), tuple(sorted((set(config) | set(JOIN_KEYS)) & set(main)))
    old = k3s_files.parse(MAIN, text or "")
    if text is not None and not k3s_files.differing(old, main) and _listed(text) == ours:
        return None
    return _write(MAIN, k3s_files.dump(main, _header(ours)), None if text is None else old, main)


def _header(keys: t.Iterable[str]) -> str:
    return f"{OURS}; keys that it does not list are left as they are.\n{_KEYS}{' '.join(keys)}\n"


def _listed(text: str) -> tuple[str, ...]:
    """Keys that an earlier run wrote: what of them is not wanted any more goes, all others are somebody else's."""
    line = next((line for line in text.splitlines() if line.startswith(_KEYS)), "")
    return tuple(sorted(line[len(_KEYS) :].split()))


def _main(have: Have, config: t.Mapping[str, t.Any], want: Want) -> Config:
    text = have.files.get(MAIN, "")
    old = k3s_files.parse(MAIN, text)
    written = set(_listed(text))
    foreign = {
        key: value
        for key, value in old.items()
        if key not in written and key.rstrip("+") not in config and key.rstrip("+") not in JOIN_KEYS
    }
    wanted = {key: value for key, value in config.items() if value is not None}
    return {**foreign, **wanted, **_join(old, want)}


def _join(old: Config, want: Want) -> Config:
    """A peer that is named already stays, so that a second run changes nothing."""
    if not want.peers:
        return {"cluster-init": True} if want.server else {}
    current = str(old.get("server", ""))
    return {"server": current if current in want.peers else want.peers[0]}


def _write(name: str, text: str | None, before: Config | None, after: Config | None) -> Write:
    return Write(
        name,
        text,
        "" if before is None else k3s_files.dump(k3s_files.masked(before)),
        "" if after is None else k3s_files.dump(k3s_files.masked(after)),
    )


# -- the stage's drop-in, registries.yaml


def _stage(have: Have, want: Want) -> Write | None:
    if want.kube_proxy is None or not want.server:
        return None
    text = have.files.get(STAGE_FILE)
    old = None if text is None else k3s_files.parse(STAGE_FILE, text)
    new: Config | None = None if want.kube_proxy else {STAGE_KEY: True}
    if old == new:
        return None
    return _write(STAGE_FILE, None if new is None else k3s_files.dump(new, f"{OURS}\n"), old, new)


def _registries(have: Have, want: Want) -> Write | None:
    """Ours when the inventory says something or our mark is in it; a foreign file stays."""
    text = have.registries
    if not want.registries and (text is None or not text.startswith(OURS)):
        return None
    old = None if text is None else k3s_files.parse(REGISTRIES, text)
    new = want.registries or None
    if old == new:
        return None
    shown = [
        "" if value is None else yaml.safe_dump(k3s_files.masked_registries(value), sort_keys=True)
        for value in (old, new)
    ]
    return Write(REGISTRIES, None if new is None else k3s_files.dump(new, f"{OURS}\n"), shown[0], shown[1])


# -- judging the outcome


def restart_reasons(have: Have, after: Config, registries: str | None, *, server: bool) -> tuple[str, ...]:
    """Why k3s has to be started or restarted; nothing when it runs with what is on the disk."""
    if have.active_state not in ("active", "activating", "deactivating", "reloading"):
        return ("it is not running",)
    if have.started is None:
        return ("it was not started by our unit",)
    started = k3s_files.effective(_ordered(have.started))
    ignored = JOIN_KEYS if have.datastore or not server else ()
    reasons = [f"{key} changed" for key in k3s_files.differing(started, after, ignored)]
    if registries != have.started_registries:
        reasons.append("registries.yaml changed")
    if have.binary_changed:
        reasons.append("another binary is installed")
    if have.unit_changed:
        reasons.append("its unit changed")
    return tuple(reasons)


def _overruled(main: Config, after: Config, files: t.Mapping[str, str]) -> tuple[str, ...]:
    """Drop-ins are respected: what they change of our values is told, not undone."""
    told = []
    for key in k3s_files.differing({k: after[k] for k in main if k in after}, main):
        if key.endswith("+"):
            continue
        sources = [name for name in files if name != MAIN and _mentions(name, files[name], key)]
        told.append(f"{key} is changed by {', '.join(f'{FOLDER}/{name}' for name in sources)}")
    return tuple(told)


def _mentions(name: str, text: str, key: str) -> bool:
    return any(found.rstrip("+") == key for found in k3s_files.parse(name, text))


def misled(have: Have, want: Want, planned: ConfigPlan) -> MeshwrightError | None:
    """The stage that is wanted is not what k3s would read: another file has the last word."""
    if want.kube_proxy is None or not want.server or want.kube_proxy == planned.kube_proxy:
        return None
    foreign = {name: text for name, text in _ordered(have.files).items() if name != STAGE_FILE}
    others = [name for name, text in foreign.items() if _mentions(name, text, STAGE_KEY)]
    return MeshwrightError(
        STAGE_KEY, seen=f"{str(not planned.kube_proxy).lower()}, by {FOLDER}/{(others or [MAIN])[-1]}",
        wanted=str(not want.kube_proxy).lower(), remedy=f"take the key out of that file: {STAGE_FILE} has it",
    )


def refusals(have: Have, planned: ConfigPlan, host: str) -> list[MeshwrightError]:
    """Critical values of a live server that would change."""
    if not have.datastore:
        return []
    runs_with = k3s_files.effective(_ordered(have.started if have.started else have.files))
    if not runs_with:
        return []
    return k3s_critical.changes(runs_with, planned.effective, host)
