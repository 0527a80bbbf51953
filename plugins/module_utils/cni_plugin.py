# SPDX-License-Identifier: GPL-3.0-or-later
"""A CNI plugin where containerd looks for it, by a link to one that the host has. Runs on the host."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


@dataclass(frozen=True)
class Step:
    link: str = ""  # what the link is to point to; empty: nothing to do
    why: str = ""


def usable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def plan(target: Path, sources: t.Sequence[Path]) -> Step:
    """Keep a plugin that works; link the first source that works."""
    if usable(target):
        return Step(why=f"{target} is there")
    found = next((source for source in sources if usable(source)), None)
    if found is None:
        raise MeshwrightError(
            f"the CNI plugin {target.name}", seen=f"missing at {target}",
            wanted=f"there, or at one of {', '.join(map(str, sources))}",
            remedy="install the distribution's CNI plugins (Debian: containernetworking-plugins)",
        )
    return Step(str(found), f"{target} becomes a link to {found}")


def apply(target: Path, step: Step) -> None:
    """By a link beside it that takes its place, so that no pod's start meets a gap."""
    if not step.link:
        return
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    if beside.is_symlink():
        beside.unlink()
    beside.symlink_to(step.link)
    beside.replace(target)
