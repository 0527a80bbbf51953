"""Programs from Go modules: a directory with go.mod and go.sum says which versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from meshlab.artifacts.process import run
from meshlab.errors import LabError

MODULES = Path(__file__).parents[2] / "go"
STRIPPED = "-s -w"
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}


def build(
    module: Path,
    directory: Path,
    programs: Mapping[str, str],
    tags: Iterable[str] = (),
    ldflags: str = STRIPPED,
) -> None:
    """Build packages (import path → name of the program) into the directory, in one go so that they share the work."""
    flags = ["-trimpath", f"-tags={','.join(tags)}", f"-ldflags={ldflags}"]
    build_with_flags(module, directory, programs, flags)


def build_with_flags(module: Path, directory: Path, programs: Mapping[str, str], flags: Iterable[str]) -> None:
    scratch = directory / ".go"
    scratch.mkdir()
    run(["go", "build", *flags, "-o", f"{scratch}/", *programs], module, ENVIRONMENT)
    for package, name in programs.items():
        (scratch / package.rsplit("/", 1)[-1]).rename(directory / name)
    scratch.rmdir()


def source(module: Path, path: str) -> Path:
    """The unpacked source of one module that this module requires."""
    answer = run(["go", "mod", "download", "-json", path], module, ENVIRONMENT, keep_errors_apart=True)
    said: dict[str, str] = json.loads(answer)
    if "Dir" not in said:
        raise LabError(f"{path}: not to be had as a Go module: {said.get('Error', answer)}")
    return Path(said["Dir"])


def copy(origin: Path, target: Path, mode: int = 0o644) -> None:
    """The module cache is read-only: a copy must not be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin, target)
    target.chmod(mode)
