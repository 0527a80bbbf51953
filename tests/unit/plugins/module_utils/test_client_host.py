"""Files on the host: whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def test_a_file_is_written_for_root_alone(tmp_path: Path) -> None:
    path = tmp_path / "k3s/config.yaml.d/60.yaml"
    client_host.write_file(str(path), "a: 1\n")
    assert path.read_text() == "a: 1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["60.yaml"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MeshwrightError, match="No space left on device") as caught:
        client_host.write_file(str(path), "new")
    assert "free some space" in str(caught.value)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["config.yaml"]


def test_what_is_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "no")
    assert client_host.text_of(missing) is None
    assert client_host.sha256_of(missing) == ""
    assert client_host.stamp_of(missing) == ""
    client_host.remove_file(missing)


def test_a_replaced_file_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "k3s"
    path.write_text("one")
    before = client_host.stamp_of(str(path))
    assert client_host.stamp_of(str(path)) == before
    client_host.write_file(str(path), "one")
    assert client_host.stamp_of(str(path)) != before
