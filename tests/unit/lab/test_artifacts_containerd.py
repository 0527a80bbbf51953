from __future__ import annotations

import stat
from pathlib import Path

import pytest
from meshlab.artifacts import containerd
from meshlab.errors import LabError

BLOB = f"{containerd.SHARED[0]}/sha256/abc"
PROGRAM = f"{containerd.SHARED[1]}/1/fs/usr/bin/program"
COPIED = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / "artifact/containerd"
    for path in (BLOB, PROGRAM, *COPIED):
        file = base / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (base / PROGRAM).chmod(0o4755)
    (base / PROGRAM).with_name("alias").symlink_to("program")
    (base / containerd.SHARED[0]).parent.joinpath("ingest").mkdir()
    (base / "io.containerd.snapshotter.v1.overlayfs").chmod(0o700)
    return base


def test_what_never_changes_is_shared_and_the_rest_is_copied(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "host/k3s/agent/containerd"
    containerd.seed(root, target)
    for path in (BLOB, PROGRAM):
        assert (target / path).samefile(root / path), path
    for path in COPIED:
        assert not (target / path).samefile(root / path), path
        assert (target / path).read_text() == path
    (target / COPIED[0]).write_text("changed by a host")
    assert (root / COPIED[0]).read_text() == COPIED[0]


def test_modes_owners_links_and_empty_directories_are_kept(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "host/containerd"
    containerd.seed(root, target)
    assert stat.S_IMODE((target / PROGRAM).stat().st_mode) == 0o4755
    assert (target / PROGRAM).with_name("alias").readlink() == Path("program")
    assert (target / "io.containerd.content.v1.content/ingest").is_dir()
    for origin in (root, *root.rglob("*")):
        copy = target / origin.relative_to(root)
        assert stat.S_IMODE(copy.lstat().st_mode) == stat.S_IMODE(origin.lstat().st_mode), origin
        assert (copy.lstat().st_uid, copy.lstat().st_gid) == (origin.lstat().st_uid, origin.lstat().st_gid), origin


def test_a_second_seeding_is_refused_and_changes_nothing(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "host/containerd"
    containerd.seed(root, target)
    (target / COPIED[0]).write_text("in use")
    with pytest.raises(LabError, match="exists already"):
        containerd.seed(root, target)
    assert (target / COPIED[0]).read_text() == "in use"


def test_a_seeding_after_a_killed_one_is_whole(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "host/containerd"
    left = target.with_name(f".{target.name}.seeding")
    left.mkdir(parents=True)
    (left / "half").touch()
    containerd.seed(root, target)
    assert list(target.parent.iterdir()) == [target]
    assert not (target / "half").exists()
