from __future__ import annotations

import os
from pathlib import Path

import pytest
from meshlab import state
from meshlab.errors import LabError
from meshlab.state import Paths, Record


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWRIGHT_CACHE", str(tmp_path))


def test_a_record_is_read_as_it_was_written() -> None:
    record = Record("small", "10.117.5.0/24", {"node": "image"})
    assert state.read(Paths("aa")) is None
    state.write(Paths("aa"), record)
    assert state.read(Paths("aa")) == record


def test_a_prefix_has_its_subnet_unless_it_is_taken() -> None:
    first = state.choose_subnet("aa", None, set())
    assert first == state.choose_subnet("aa", None, set())
    assert first != state.choose_subnet("bb", None, set())
    assert state.choose_subnet("aa", None, {first}) not in ("", first)


def test_the_environments_subnet_wins_and_must_be_a_24() -> None:
    assert state.choose_subnet("aa", "10.9.8.0/24", {"10.9.8.0/24"}) == "10.9.8.0/24"
    with pytest.raises(LabError, match="wanted a /24"):
        state.choose_subnet("aa", "10.9.0.0/16", set())


def test_a_full_pool_is_an_error() -> None:
    taken = {str(subnet) for subnet in state.POOL.subnets(new_prefix=24)}
    with pytest.raises(LabError, match=r"no /24 of 10\.117\.0\.0/16 is free"):
        state.choose_subnet("aa", None, taken)


def test_subnets_of_other_labs_leave_out_the_own() -> None:
    state.write(Paths("aa"), Record("small", "10.117.1.0/24", {}))
    state.write(Paths("bb"), Record("small", "10.117.2.0/24", {}))
    assert state.subnets_of_other_labs("aa") == {"10.117.2.0/24"}


@pytest.mark.parametrize("prefix", ["A", "1a", "a-b", "a" * 13, "../x", "f4"])
def test_a_prefix_that_names_no_container_is_refused(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("MESHLAB_PREFIX", prefix)
    with pytest.raises(LabError, match="MESHLAB_PREFIX"):
        state.prefix_from_environment()


def test_the_default_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESHLAB_PREFIX", raising=False)
    assert state.prefix_from_environment() == "mw"


def test_an_unchanged_file_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    state.write_if_changed(path, "one", 0o600)
    os.utime(path, (1, 1))
    state.write_if_changed(path, "one", 0o600)
    assert path.stat().st_mtime == 1
    state.write_if_changed(path, "two", 0o600)
    assert path.read_text() == "two"
    state.write_if_changed(path, "two", 0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
