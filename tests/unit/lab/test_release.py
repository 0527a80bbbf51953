from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from meshlab import release


@pytest.fixture
def artifacts(tmp_path: Path) -> dict[str, Path]:
    content = {
        "k3s": {"k3s": "binary"},
        "images": {"k3s-airgap.tar.zst": "images", "cilium.tar": "image"},
        "cilium-chart": {"cilium-1.20.2.tgz": "chart"},
        "helm": {"helm": "helm"},
    }
    made = {}
    for name, files in content.items():
        made[name] = tmp_path / "artifacts" / name
        made[name].mkdir(parents=True)
        for file, text in files.items():
            (made[name] / file).write_text(text)
    return made


def test_the_layout_is_that_of_a_release(tmp_path: Path, artifacts: dict[str, Path]) -> None:
    placed = release.place(tmp_path / "files", artifacts)
    directory = tmp_path / "files" / "k3s" / "v1.34.4+k3s1"
    digest = hashlib.sha256(b"binary").hexdigest()
    assert sorted(path.name for path in directory.iterdir()) == sorted(["k3s", release.AIRGAP, release.SUMS])
    assert f"{digest}  k3s\n" in (directory / release.SUMS).read_text()
    assert placed.binary_sha256 == digest
    assert placed.chart == artifacts["cilium-chart"] / "cilium-1.20.2.tgz"
    assert (tmp_path / "files" / "charts" / "cilium-1.20.2.tgz").read_text() == "chart"


def test_a_second_time_changes_nothing(tmp_path: Path, artifacts: dict[str, Path]) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "files").rglob("*")}

    first = release.place(tmp_path / "files", artifacts)
    before = times()
    assert release.place(tmp_path / "files", artifacts) == first
    assert times() == before


def test_a_new_binary_is_placed_with_its_checksum(tmp_path: Path, artifacts: dict[str, Path]) -> None:
    release.place(tmp_path / "files", artifacts)
    artifacts["k3s"] = tmp_path / "newer"
    artifacts["k3s"].mkdir()
    (artifacts["k3s"] / "k3s").write_text("newer binary")
    placed = release.place(tmp_path / "files", artifacts)
    assert placed.binary.read_text() == "newer binary"
    assert placed.binary_sha256 == hashlib.sha256(b"newer binary").hexdigest()


def test_two_candidates_are_an_error(tmp_path: Path, artifacts: dict[str, Path]) -> None:
    (artifacts["cilium-chart"] / "cilium-1.20.3.tgz").write_text("another")
    with pytest.raises(FileNotFoundError, match=r"wanted one \*\.tgz"):
        release.place(tmp_path / "files", artifacts)


def test_what_is_served_may_be_spoilt(tmp_path: Path, artifacts: dict[str, Path]) -> None:
    placed = release.place(tmp_path / "files", artifacts)
    placed.binary.write_text("spoilt")
    assert (artifacts["k3s"] / "k3s").read_text() == "binary"
    assert release.place(tmp_path / "files", artifacts).binary.read_text() == "binary"
