from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.checks import CHECKS

ROOT = Path(__file__).resolve().parents[4]


def test_the_role_names_all_checks() -> None:
    text = " ".join((ROOT / "roles/preflight/meta/argument_specs.yml").read_text().split())
    match = re.search(r"The checks of the inventory and of the hosts are ([^.]*)\.", text)
    assert match and match.group(1).split(", ") == sorted(CHECKS)


def test_no_check_is_named_and_never_made() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "plugins/module_utils").glob("judge_*.py"))
    for check in CHECKS:
        assert sources.count(f'"{check}"') >= 1, check
