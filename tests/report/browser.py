"""A page in a real browser: what it looks like, how it lies on the screen, and what it would fetch."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

# The page itself carries no script, and forbids any. Only its copy for the test is measured by one.
_MEASURE = """
<script>
const wide = document.documentElement.clientWidth;
const clipped = element => element.closest('.track');
const sticksOut = box => box.width && (box.right > wide + 1 || box.left < -1);
const over = [...document.querySelectorAll('body *')].filter(element => !clipped(element))
  .filter(element => sticksOut(element.getBoundingClientRect()))
  .map(element => element.outerHTML.slice(0, 120));
const cells = [...document.querySelectorAll('th, td, dd, dt, .label b')]
  .filter(element => element.scrollWidth > element.clientWidth + 1 && element.clientWidth)
  .map(element => element.outerHTML.slice(0, 120));
const found = { wide, page: document.documentElement.scrollWidth, over, cells,
  paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
  text: document.body.innerText, fetched: performance.getEntriesByType('resource').map(entry => entry.name),
  bars: document.querySelectorAll('.bar').length, failures: document.querySelectorAll('svg .hit').length };
const told = document.createElement('pre');
told.id = 'measured';
told.textContent = JSON.stringify(found);
document.body.append(told);
</script>
"""


@dataclass(frozen=True)
class Measured:
    """What a page of that width is like. `over` and `cells` are elements that stick out of the page or of their box."""

    wide: int
    page: int
    over: tuple[str, ...]
    cells: tuple[str, ...]
    paper: str
    ink: str
    text: str
    fetched: tuple[str, ...]
    bars: int
    failures: int


def command(profile: Path, width: int, height: int, dark: bool) -> list[str]:
    words = [
        "chromium", "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
        "--disable-background-networking", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
        f"--window-size={width},{height}", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
    ]  # fmt: skip
    # Chromium's sandbox does not work for root; the page is our own.
    return [*words, "--no-sandbox"] if os.geteuid() == 0 else words


def shoot(page: Path, picture: Path, profile: Path, *, width: int, height: int, dark: bool = False) -> None:
    """A picture of the page."""
    _run([*command(profile, width, height, dark), f"--screenshot={picture}", page.as_uri()])


def measure(page: Path, profile: Path, *, width: int, dark: bool = False) -> Measured:
    copy = page.with_suffix(".measured.html")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    copy.write_text(text.replace("</body>", f"{_MEASURE}</body>"))
    dump = _run([*command(profile, width, 1000, dark), "--dump-dom", copy.as_uri()])
    told = re.search(r'<pre id="measured">(.*?)</pre>', dump, re.DOTALL)
    assert told, dump[-2000:]
    found: dict[str, Any] = json.loads(unescape(told.group(1)))
    lists = {name: tuple(found[name]) for name in ("over", "cells", "fetched")}
    return Measured(**{**found, **lists})


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
