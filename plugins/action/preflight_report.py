# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges all hosts together, prints the table, writes the report on the controller, refuses."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import render_report
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.checks import CHECKS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import Finding, refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cluster import judge_hosts_all
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_inventory import judge_inventory
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import Situation
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.daemonsets import daemonsets
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.situation import situation


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        variables = task_vars or {}
        collected = collect(variables, self._templar, self._loader)
        inventory = collected.inventory
        kubeconfig = inventory.text("k3s_kubeconfig_path") or f"{inventory.text('meshwright_state_dir')}/kubeconfig"
        now = situation(inventory, variables["hostvars"], daemonsets(kubeconfig))
        findings = judge_inventory(inventory, collected.known, collected.prefixes, CHECKS)
        if not refusals(findings):  # with --limit nobody may have judged the inventory yet
            findings += judge_hosts_all(now)
        table = render_report.table(findings, _title(now))
        Display().display(table)
        refused = refusals(findings)
        result.update(
            changed=False,
            live=now.live,
            stage=now.stage,
            report="" if self._task.check_mode else _write(now, findings, table),
        )
        if not refused:
            result["findings"] = [finding.as_dict() for finding in findings]
        else:  # the message says it all; more would only push it off the screen
            result["failed"] = True
            lines = [finding.sentence for finding in refused]
            result["msg"] = "\n".join([f"Refused; nothing was changed ({len(lines)}):", *lines])
        return result


def _title(now: Situation) -> str:
    title = f"Preflight of {len(now.facts)} of {len(now.inventory.members)} hosts"
    if not now.servers_seen:
        return title
    kind = f"live at stage {now.stage}" if now.live else f"new, to start at stage {now.stage}"
    return f"{title}; the cluster is {kind}"


def _write(now: Situation, findings: t.Sequence[Finding], table: str) -> str:
    folder = Path(str(now.inventory.get("preflight_report_dir"))).expanduser()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = {name: asdict(facts) for name, facts in now.facts.items()}
    document = render_report.document(findings, facts, live=now.live, stage=now.stage)
    for name, text in (("report.txt", table), ("report.json", json.dumps(document, indent=1, sort_keys=True))):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(f"{text}\n")
    return str(folder / "report.txt")
