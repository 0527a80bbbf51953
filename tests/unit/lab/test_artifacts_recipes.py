from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from meshlab import artifacts
from meshlab.artifacts import programs, recipe
from meshlab.artifacts.recipe import Parts, Recipe
from meshlab.errors import LabError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWRIGHT_CACHE", str(tmp_path / "cache"))


def writer(built: list[str], name: str) -> Callable[[Path, Parts], None]:
    def build(directory: Path, parts: Parts) -> None:
        built.append(name)
        below = [(path / "result").read_text() for path in parts.values()]
        (directory / "result").write_text("+".join([name, *below]))

    return build


def chain(built: list[str], source: str) -> list[Recipe]:
    return [
        Recipe("binary", writer(built, "binary"), [source]),
        Recipe("image", writer(built, "image"), ["v1"], needs=["binary"]),
        Recipe("other", writer(built, "other"), ["v1"]),
    ]


def test_what_is_there_is_not_built_again() -> None:
    built: list[str] = []
    first = recipe.make(chain(built, "a"), lambda _line: None)
    again = recipe.make(chain(built, "a"), lambda _line: None)
    assert first == again
    assert sorted(built) == ["binary", "image", "other"]


def test_a_change_below_rebuilds_what_is_made_from_it_and_nothing_else() -> None:
    built: list[str] = []
    before = recipe.make(chain(built, "a"), lambda _line: None)
    built.clear()
    after = recipe.make(chain(built, "b"), lambda _line: None)
    assert built == ["binary", "image"]
    assert before["image"] != after["image"]
    assert before["other"] == after["other"]


def test_an_input_file_is_part_of_the_key(tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module a\n")
    recipes = [Recipe("binary", writer([], "binary"), [module])]
    recipe.make(recipes, lambda _line: None)
    assert recipe.missing(recipes) == []
    (module / "go.mod").write_text("module b\n")
    assert recipe.missing(recipes) == ["binary"]


def test_selection_takes_what_is_needed_in_the_table_s_order() -> None:
    recipes = chain([], "a")
    assert [item.name for item in recipe.select(recipes, ["image"])] == ["binary", "image"]
    assert [item.name for item in recipe.select(recipes, None)] == ["binary", "image", "other"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"artifact helmm: .* known are binary, image, other"):
        recipe.select(chain([], "a"), ["helmm"])


def test_a_killed_build_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from meshlab.artifacts.recipe import Recipe, make\n"
        "def build(directory, parts):\n"
        "    (directory / 'result').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "make([Recipe('binary', build, ['a'])], print)\n"
    )
    lab = Path(artifacts.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=lab, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    built: list[str] = []
    recipes = [Recipe("binary", writer(built, "binary"), ["a"])]
    assert recipe.missing(recipes) == ["binary"]
    path = recipe.make(recipes, lambda _line: None)["binary"]
    assert built == ["binary"]
    assert [file.name for file in path.iterdir()] == ["result"]
    assert (path / "result").read_text() == "binary"


def test_a_failure_is_told_and_what_needs_it_is_not_built() -> None:
    def fail(_directory: Path, _parts: Parts) -> None:
        raise LabError("no compiler")

    built: list[str] = []
    recipes = [Recipe("binary", fail, ["a"]), Recipe("image", writer(built, "image"), ["v1"], needs=["binary"])]
    with pytest.raises(LabError, match="no compiler"):
        recipe.make(recipes, lambda _line: None)
    assert built == []
    assert recipe.missing(recipes) == ["binary", "image"]


def test_every_need_stands_before_what_needs_it() -> None:
    there: set[str] = set()
    for item in artifacts.RECIPES:
        assert there.issuperset(item.needs), item.name
        assert item.name not in there
        there.add(item.name)


def test_the_flags_of_k3s_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "BUILDFLAGS"
    assert programs.k3s_flags(path) == list(programs.K3S_DEFAULT_FLAGS)
    path.write_text("# how\n-trimpath\n\n-ldflags=-s -w -X a.b=c\n")
    assert programs.k3s_flags(path) == ["-trimpath", "-ldflags=-s -w -X a.b=c"]
    path.write_text("-ldflags\n-s -w\nstray\n")
    with pytest.raises(LabError, match="'stray'"):
        programs.k3s_flags(path)
