# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the logs of a rollout on the controller, and writes the report there."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_report
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.render_run_report import page
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import OnController


class ActionModule(OnController):
    _VALID_ARGS = frozenset({"logs", "html", "json", "title"})

    def answer(self, given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        return _run(given, check)


def _run(given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    logs = given.get("logs") or []
    lines = [line for path in ([logs] if isinstance(logs, str) else logs) for line in _read(Path(path).expanduser())]
    report = run_report.from_lines(lines, str(given.get("title") or ""))
    texts = {"html": page(report), "json": json.dumps(report, indent=1, ensure_ascii=False) + "\n"}
    changed = [_write(Path(given[form]).expanduser(), text, check) for form, text in texts.items() if given.get(form)]
    return {"changed": any(changed), "result": report["result"], "totals": report["totals"]}


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise MeshwrightError(
            f"the log {path}", seen=f"not readable ({error.strerror})", wanted="a file of JSON lines",
            remedy="give the log_path of the callback rollout, or the probes' output",
        ) from error  # fmt: skip


def _write(path: Path, text: str, check: bool) -> bool:
    """Names of nodes and addresses stand in it: it is its owner's."""
    try:
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
            return False
        if not check:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MeshwrightError(
            f"the report {path}", seen=f"not writable ({error.strerror})", remedy="give another path"
        ) from error
    return True
