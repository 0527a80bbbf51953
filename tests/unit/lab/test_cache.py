from __future__ import annotations

import threading
from pathlib import Path

import pytest
from meshlab import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWRIGHT_CACHE", str(tmp_path / "cache"))


def test_the_environment_chooses_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("MESHWRIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "xdg" / "meshwright-k3s-cilium"


def test_a_second_call_builds_nothing() -> None:
    calls: list[Path] = []

    def build(directory: Path) -> None:
        calls.append(directory)
        (directory / "result").write_text("x")

    lines: list[str] = []
    first = cache.cached("thing", ["a"], build, lines.append)
    second = cache.cached("thing", ["a"], build, lines.append)
    assert first == second == cache.artifact_path("thing", ["a"])
    assert (first / "result").read_text() == "x"
    assert len(calls) == 1
    assert [line.split(" after")[0] for line in lines] == ["[thing] building", "[thing] built"]


def test_the_key_follows_names_and_contents(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_text("1")
    before = cache.key_of(["text", tree])
    assert cache.key_of(["text", tree]) == before
    (tree / "one").write_text("2")
    changed = cache.key_of(["text", tree])
    (tree / "one").rename(tree / "two")
    assert len({before, changed, cache.key_of(["text", tree]), cache.key_of(["other", tree])}) == 4


def test_a_missing_input_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="named as an input"):
        cache.key_of([tmp_path / "absent"])


def test_a_failed_build_leaves_nothing_finished_and_is_repeated() -> None:
    def fail(directory: Path) -> None:
        (directory / "half").write_text("")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        cache.cached("thing", ["a"], fail, lambda _line: None)
    assert not cache.artifact_path("thing", ["a"]).exists()
    built = cache.cached("thing", ["a"], lambda directory: None, lambda _line: None)
    assert list(built.iterdir()) == []


def test_two_at_once_build_once() -> None:
    calls: list[int] = []
    inside = threading.Event()
    go = threading.Event()

    def build(_directory: Path) -> None:
        calls.append(1)
        inside.set()
        assert go.wait(10)

    def run() -> None:
        cache.cached("thing", ["a"], build, lambda _line: None)

    threads = [threading.Thread(target=run) for _ in range(2)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert calls == [1]


def test_a_long_build_shows_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "HEARTBEAT_SECONDS", 0.01)
    lines: list[str] = []
    heard = threading.Event()

    def log(line: str) -> None:
        lines.append(line)
        if "…" in line:
            heard.set()

    def build(_directory: Path) -> None:
        assert heard.wait(10)

    cache.cached("thing", ["a"], build, log)
    assert any(line.startswith("[thing] building … ") for line in lines)
