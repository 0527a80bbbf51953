"""The callback under Ansible itself: what it shows, what it writes, and what it keeps to itself."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tree import ROOT

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_report import from_lines

NAME = "meshwright.k3s_cilium.rollout"
SECRET = "hunter2-in-the-clear"
# An action that takes the time it is told, and returns what it is given.
ACTION = """
from __future__ import annotations
import time
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    def run(self, tmp=None, task_vars=None):
        time.sleep(self._task.args.get("seconds", 0))
        return {**super().run(tmp, task_vars), **self._task.args.get("result", {})}
"""
PLAN = [{"node": node, "steps": ["cordon", "drain", "restart"]} for node in ("node-n1", "node-n2")]


def step(name: str, **more: Any) -> dict[str, Any]:
    """A task of a step, on the node named after the host."""
    result = more.pop("result", {})
    names = {"rollout_step": name, **more.pop("vars", {})}
    return {"name": f"Do {name}", "told": {"result": result, **more.pop("args", {})}, "vars": names, **more}


def play(folder: Path, *tasks: dict[str, Any], hosts: tuple[str, ...] = ("n1", "n2")) -> Path:
    (folder / "action_plugins").mkdir(exist_ok=True)
    (folder / "action_plugins/told.py").write_text(ACTION)
    (folder / "hosts").write_text("\n".join(hosts) + "\n")
    variables = {"rollout_node": "node-{{ inventory_hostname }}", "secret": SECRET}
    header = {"hosts": "all", "gather_facts": False, "serial": 1, "vars": variables}
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump([{**header, "tasks": list(tasks)}]))
    return path


def command(path: Path) -> list[str]:
    return [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(path.with_name("hosts")), str(path)]


def environment(folder: Path, **more: str) -> dict[str, str]:
    chosen = {
        "ANSIBLE_CALLBACKS_ENABLED": NAME,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "MESHWRIGHT_ROLLOUT_LOG": str(folder / "log.jsonl"),
        "NO_COLOR": "1",
    }
    return {**os.environ, **chosen, **more}


def run(folder: Path, *tasks: dict[str, Any], **more: str) -> str:
    path = play(folder, *tasks)
    done = subprocess.run(
        command(path), cwd=ROOT, env=environment(folder, **more), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def told(output: str) -> list[str]:
    return [line.removeprefix("rollout: ") for line in output.splitlines() if line.startswith("rollout: ")]


def report(folder: Path) -> dict[str, Any]:
    return from_lines((folder / "log.jsonl").read_text().splitlines())


def test_steps_are_told_and_written(tmp_path: Path) -> None:
    once = {"run_once": True, "when": "inventory_hostname == 'n1'"}
    include = tmp_path / "more.yml"
    include.write_text(yaml.safe_dump([{"name": "Evict", "told": {}}, {"name": "Look", "told": {}}]))
    output = run(
        tmp_path,
        {"name": "Plan", "told": {"result": {"rollout_plan": PLAN, "rollout_facts": {"before": {"stage": 1}}}}, **once},
        step("cordon", result={"changed": True}),
        {"name": "Nothing to do with it", "told": {}},
        {"name": "Drain", "include_tasks": str(include), "vars": {"rollout_step": "drain", "rollout_wait": "pods"}},
        step("rest", when=False),
        step("restart", result={"rollout_waits": {"pod": 2.5}}),
    )
    lines = told(output)
    assert lines[:2] == ["node-n1: cordon (1 of 3 steps)", "node-n1: cordon done in " + lines[1].rpartition(" in ")[2]]
    assert any(line.startswith("node-n1: drain done in") and "(waited: pods" in line for line in lines)
    assert any("restart done in" in line and "1 of 2 nodes done; about 0:" in line for line in lines), lines
    assert any(line.startswith("play.yml · 2 of 2 nodes done") for line in lines)
    found = report(tmp_path)
    assert found["result"] == "ok" and [node["name"] for node in found["nodes"]] == ["node-n1", "node-n2"]
    names = [(one["name"], one["status"]) for one in found["nodes"][0]["steps"]]
    assert names == [("cordon", "changed"), ("drain", "ok"), ("rest", "skipped"), ("restart", "ok")]
    assert found["nodes"][0]["steps"][1]["tasks"] == ["Evict", "Look"]
    assert found["facts"] == [{"name": "stage", "before": "1", "after": None}]
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600


def test_secrets_stay_where_they_are(tmp_path: Path) -> None:
    bad = {"failed": True, "msg": "{{ secret }}"}
    output = run(
        tmp_path,
        step("cordon", result={"token": "{{ secret }}"}, args={"seconds": 0}),
        step("drain", result=bad, no_log=True),
    )
    assert "node-n1: drain failed" in output and "its output is not shown" in output
    assert SECRET not in "\n".join(told(output)) + (tmp_path / "log.jsonl").read_text()


def test_a_failure_is_told_with_its_message(tmp_path: Path) -> None:
    output = run(tmp_path, step("drain", result={"failed": True, "msg": "the budget\nforbids it"}))
    assert any("drain failed after" in line and line.endswith("the budget forbids it") for line in told(output))
    assert report(tmp_path)["result"] == "failed"


def test_without_its_name_it_is_silent(tmp_path: Path) -> None:
    assert not told(run(tmp_path, step("drain"), ANSIBLE_CALLBACKS_ENABLED=""))
    assert not (tmp_path / "log.jsonl").exists()


def test_what_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    output = run(tmp_path, step("drain"), MESHWRIGHT_ROLLOUT_LOG="/proc/none/log", MESHWRIGHT_ROLLOUT_DISPLAY="none")
    assert "nothing is written to /proc/none/log" in output and not told(output) and "failed=0" in output


def test_a_killed_run_is_gone_on_with_in_the_same_log(tmp_path: Path) -> None:
    path = play(tmp_path, step("drain", args={"seconds": 60}))
    running = subprocess.Popen(
        command(path), cwd=ROOT, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    log, end = tmp_path / "log.jsonl", time.monotonic() + 90
    while not (log.exists() and "task_begun" in log.read_text()):
        assert running.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait(30)
    assert report(tmp_path)["result"] == "cut off"
    with log.open("a") as file:
        file.write('{"event": "task_en')  # half a line, as a killed writer leaves it
    run(tmp_path, step("drain"))
    found = report(tmp_path)
    assert (found["result"], found["runs"]) == ("ok", 2)
    assert [one["status"] for one in found["nodes"][0]["steps"]] == ["cut off", "ok"]


@pytest.fixture
def terminal() -> Any:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    yield ours, theirs
    os.close(ours)


def test_a_terminal_keeps_a_block_and_gets_its_rows_back(tmp_path: Path, terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    subprocess.run(["stty", "rows", "30", "cols", "100"], stdin=theirs, check=True)
    path = play(tmp_path, step("cordon"), step("drain", args={"seconds": 1.5}))
    running = subprocess.Popen(
        command(path), cwd=ROOT, env=environment(tmp_path, TERM="xterm"), stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.close(theirs)
    seen, end = b"", time.monotonic() + 120
    while running.poll() is None and time.monotonic() < end:
        seen += _read(ours)
        time.sleep(0.05)
    text = (seen + _read(ours)).decode()
    assert running.returncode == 0, text
    assert "\x1b[1;28r" in text, "two rows are taken from what scrolls: the head and one node"
    assert "▸ node-n2  drain 0:0" in text
    assert text.rindex("\x1b[r") > text.rindex("\x1b[1;"), "the whole terminal scrolls again"
    events = [json.loads(line)["event"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert events[-1] == "ended"


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except (BlockingIOError, OSError):
        return b""
