"""The artifacts of the lab: built once from Go modules and Debian packages, kept in the cache by what goes in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from meshlab.artifacts import recipe
from meshlab.artifacts.recipes import RECIPES
from meshlab.cache import Log, say

__all__ = ["RECIPES", "ensure", "missing", "seed_containerd"]


def ensure(names: Iterable[str] | None = None, progress: Log = say) -> dict[str, Path]:
    """The directories of these artifacts (of all, if none is named) and of what they are made from, by name."""
    return recipe.make(recipe.select(RECIPES, names), progress)


def missing(names: Iterable[str] | None = None) -> list[str]:
    """What `ensure` would have to build."""
    return recipe.missing(recipe.select(RECIPES, names))


def seed_containerd(host_dir: Path, progress: Log = say) -> None:
    """Put containerd's directory, with all images unpacked, into a host's /var/lib/rancher."""
    from meshlab.artifacts import containerd

    root = ensure(["containerd-root"], progress)["containerd-root"] / containerd.ROOT
    containerd.seed(root, host_dir / "k3s/agent/containerd")
