"""The report of a run as a browser shows it. Pictures go to build/report/."""

from __future__ import annotations

from pathlib import Path

import browser
import pytest
import report_cases as cases
from rollout_streams import STEPS
from tree import ROOT

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.render_run_report import page
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_report import from_lines

PICTURES = ROOT / "build/report"
CASES = {"smooth": cases.smooth, "rough": cases.rough, "scattered": cases.scattered}
WIDTHS = (1280, 500)
DARK = 80  # of 255; darker paper than that is dark


def written(name: str, folder: Path) -> Path:
    path = folder / f"{name}.html"
    path.write_text(page(from_lines(CASES[name]())))
    return path


def brightness(colour: str) -> float:
    values = [int(value) for value in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(values) / len(values)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CASES)
def test_nothing_sticks_out_of_the_page(name: str, width: int, tmp_path: Path) -> None:
    seen = browser.measure(written(name, tmp_path), tmp_path / "profile", width=width)
    assert seen.wide == width and seen.page <= seen.wide
    assert not seen.over and not seen.cells, [*seen.over, *seen.cells]
    assert not seen.fetched


def test_the_page_shows_what_happened(tmp_path: Path) -> None:
    seen = browser.measure(written("rough", tmp_path), tmp_path / "profile", width=1280)
    for words in (*cases.NODES, *STEPS, "Failed", "no sample", "timed out", "allows no disruption", "124", "of 3,200"):
        assert words in seen.text, words
    assert seen.bars == 10 + 4, "each step of the first two nodes, and what the third came to"
    assert seen.failures == 2 + 1 + 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read_in_light_and_dark(dark: bool, tmp_path: Path) -> None:
    path = written("rough", tmp_path)
    seen = browser.measure(path, tmp_path / "profile", width=1280, dark=dark)
    assert (brightness(seen.paper) < DARK) == dark
    assert abs(brightness(seen.paper) - brightness(seen.ink)) > 150
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"rough-{'dark' if dark else 'light'}.png"
    browser.shoot(path, picture, tmp_path / "profile", width=1280, height=2600, dark=dark)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 50_000
