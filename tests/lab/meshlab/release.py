"""What the files host serves: the layout of a k3s release, and the chart."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from meshlab.state import write_if_changed

K3S_VERSION = "v1.34.4+k3s1"
PORT = 8000
AIRGAP = "k3s-airgap-images-amd64.tar.zst"
NEEDS = {"k3s", "images", "cilium-chart", "helm"}
SUMS = "sha256sum-amd64.txt"


@dataclass(frozen=True)
class Release:
    """What an inventory has to say about it."""

    version: str
    binary: Path
    binary_sha256: str
    airgap: Path
    chart: Path
    helm: Path


def place(directory: Path, artifacts: dict[str, Path]) -> Release:
    """Copy the artifacts into the directory that is served; what is already there is left alone."""
    release = directory / "k3s" / K3S_VERSION
    binary = copy(artifacts["k3s"] / "k3s", release / "k3s")
    airgap = copy(only(artifacts["images"], "*.tar.zst"), release / AIRGAP)
    chart = only(artifacts["cilium-chart"], "*.tgz")
    copy(chart, directory / "charts" / chart.name)
    sums = _sums(release / SUMS, [binary, airgap])
    return Release(K3S_VERSION, binary, sums[binary.name], airgap, chart, artifacts["helm"] / "helm")


def only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise FileNotFoundError(f"{directory}: wanted one {pattern}, found {[path.name for path in found]}")
    return found[0]


def copy(source: Path, target: Path) -> Path:
    """Not a link: a test may spoil what is served, and the artifact must survive it."""
    if target.exists() and _alike(source, target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.new")
    shutil.copy2(source, scratch)
    scratch.replace(target)
    return target


def _alike(one: Path, other: Path) -> bool:
    """A copy keeps size and time."""
    a, b = one.stat(), other.stat()
    return (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)


def _sums(path: Path, files: list[Path]) -> dict[str, str]:
    """The checksum file of a release, computed only when a file is newer than it."""
    if not path.exists() or any(file.stat().st_ctime > path.stat().st_mtime for file in files):
        write_if_changed(path, "".join(f"{_sha256(file)}  {file.name}\n" for file in files))
        os.utime(path)
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
