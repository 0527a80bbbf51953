# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far a rollout is on each node, and writes it down. What is shown is decided in module_utils/rollout_*."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout
type: notification
short_description: Show which step of a rollout each node is in, for how long, and what remains
version_added: 0.2.0
author: The meshwright developers (@meshwright)
description:
  - On a terminal it keeps a block of a few rows at the bottom, painted anew every second, while the usual output goes
    on above it. Elsewhere it adds a line for each step that begins or ends.
  - It knows the steps by variables of tasks, blocks or included files. C(rollout_step) names the step; tasks in a row
    that carry the same name are one step. C(rollout_node) names the node, by default the task's host. C(rollout_wait)
    says that the task's time is spent waiting for something, and for what.
  - A task's result may add to it. C(rollout_plan), a list of C({node, steps}), says what lies ahead;
    C(rollout_waits), a dictionary of seconds, what was waited for; C(rollout_facts), with C(before) and C(after),
    goes into the report.
  - Of a result it shows nothing but the message of a failure, and of tasks with C(no_log) not even that.
requirements:
  - to be enabled by its name, for example with the environment variable E(ANSIBLE_CALLBACKS_ENABLED)
options:
  display:
    description:
      - Where to show it. V(auto) takes V(block) on a terminal and V(lines) elsewhere.
    type: str
    choices: [auto, block, lines, none]
    default: auto
    env:
      - name: MESHWRIGHT_ROLLOUT_DISPLAY
    ini:
      - section: callback_rollout
        key: display
  log_path:
    description:
      - File that each event is added to, as one line of JSON.
      - M(meshwright.k3s_cilium.rollout_report) makes a page of it.
    type: path
    env:
      - name: MESHWRIGHT_ROLLOUT_LOG
    ini:
      - section: callback_rollout
        key: log_path
"""

import atexit
import os
import sys
import threading
import time
import typing as t
from pathlib import Path

from ansible import context
from ansible.errors import AnsibleError
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_events as events
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_lines as lines
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_state import Rollout, follow
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.rollout_screen import Screen

_MESSAGE = 400  # characters of a failure's message that are kept


class _Step(t.NamedTuple):
    node: str
    step: str
    wait: str
    begun: float


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "meshwright.k3s_cilium.rollout"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._seen, self._told = Rollout(), frozenset[tuple[str, int]]()
        self._play: t.Any = None
        self._open: dict[tuple[str, str], _Step] = {}
        self._log: int | None = None
        self._screen: Screen | None = None
        self._lines = False
        self._stopped = threading.Event()

    def set_options(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().set_options(*args, **kwargs)
        display = self.get_option("display")
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        if display == "block" or (display == "auto" and terminal):
            self._screen = Screen(sys.stdout.fileno()) if terminal else None
        self._lines = display == "lines" or (display in ("auto", "block") and self._screen is None)
        path = self.get_option("log_path")
        if path:
            self._log = self._opened(Path(path).expanduser())

    def _opened(self, path: Path) -> int | None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            self._display.warning(f"rollout: nothing is written to {path}: {error}")
            return None

    # -- what Ansible tells

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        name = Path(str(playbook._file_name)).name
        # A run that was killed may have left half a line.
        if self._log is not None and os.fstat(self._log).st_size:
            os.write(self._log, b"\n")
        self._take(events.Begun(time.time(), name, bool(context.CLIARGS.get("check"))))

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play
        self._settle()

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if not task.get_vars().get("rollout_step"):
            self._settle()

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        # An include ends without a word; what it includes inherits its variables.
        if isinstance(task, TaskInclude) or not task.get_vars().get("rollout_step"):
            return
        found = self._step_of(host, task)
        self._open[host.get_name(), task._uuid] = found
        before = self._seen.nodes.get(found.node)
        self._take(events.TaskBegun(found.begun, found.node, found.step, _name(task), found.wait))
        self._settle()
        after = self._seen.nodes[found.node]
        if after.last is not None and len(after.steps) > len(before.steps if before else ()):
            self._say([lines.beginning(after, after.last)])
            self._watch()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        told = _part(result, "result")
        self._ended(result, events.CHANGED if told.get("changed") else events.OK)
        if plan := events.plan_in(told):
            self._take(events.Planned(time.time(), plan))
        for when, facts in events.facts_in(told).items():
            self._take(events.Told(time.time(), when, facts))

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._ended(result, events.SKIPPED)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._ended(result, events.OK if ignore_errors else events.FAILED)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._ended(result, events.UNREACHABLE)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._settle()
        self._take(events.Ended(time.time(), bool(stats.failures or stats.dark)))
        self._stop()
        if self._lines or self.get_option("display") != "none":
            for line in lines.closing(self._seen, time.time()):
                self._display.display(f"rollout: {lines.fit(line, 1000)}")
        if self._log is not None:
            os.close(self._log)
            self._log = None

    # -- what comes of it

    def _step_of(self, host: t.Any, task: t.Any) -> _Step:
        """The variables may be templates over all that the host knows."""
        variables = self._play.get_variable_manager().get_vars(play=self._play, host=host, task=task)
        templar = Templar(loader=self._play.get_loader(), variables=variables)

        def text(name: str, default: str) -> str:
            try:
                value = templar.template(variables.get(name))
            except AnsibleError:
                value = None
            return str(value) if value else default

        node, step = text("rollout_node", host.get_name()), text("rollout_step", _name(task))
        return _Step(node, step, text("rollout_wait", ""), time.time())

    def _ended(self, result: t.Any, status: str) -> None:
        task, host, told = _part(result, "task"), _part(result, "host"), _part(result, "result")
        found = self._open.pop((host.get_name(), task._uuid), None)
        if found is None:
            return
        now = time.time()
        bad = status in (events.FAILED, events.UNREACHABLE)
        waits = events.waits_in(told, "" if status == events.SKIPPED else found.wait, now - found.begun)
        message = lines.fit(_message(told), _MESSAGE) if bad else ""
        self._take(events.TaskEnded(now, found.node, found.step, _name(task), status, waits, message))
        if bad:
            self._settle()

    def _take(self, event: events.Event) -> None:
        self._seen = follow(self._seen, event)
        if self._log is not None:
            os.write(self._log, f"{events.to_line(event)}\n".encode(errors="replace"))

    def _settle(self) -> None:
        new, self._told = lines.settled(self._seen, self._told, time.time())
        self._say(new)

    def _say(self, new: list[str]) -> None:
        if self._lines:
            for line in new:
                self._display.display(f"rollout: {lines.fit(line, 1000)}")

    # -- the block

    def _watch(self) -> None:
        """From the first step on, once a second."""
        if self._screen is not None and not any(one.name == "rollout" for one in threading.enumerate()):
            atexit.register(self._stop)
            threading.Thread(target=self._paint, name="rollout", daemon=True).start()

    def _paint(self) -> None:
        ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
        while self._screen is not None and not self._stopped.is_set():
            columns, rows = self._screen.size()
            self._screen.show(lines.block(self._seen, time.time(), columns - 1, min(10, rows // 3), ascii_only))
            self._stopped.wait(1.0)

    def _stop(self) -> None:
        self._stopped.set()
        for thread in threading.enumerate():
            if thread.name == "rollout" and thread is not threading.current_thread():
                thread.join(2.0)
        if self._screen is not None:
            self._screen.close()


def _name(task: t.Any) -> str:
    """Without its role's, which is the same for most."""
    return str(task.name or task.action)


def _part(result: t.Any, name: str) -> t.Any:
    """ansible-core 2.18 has them with an underscore alone."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


def _message(told: t.Mapping[str, t.Any]) -> str:
    """Why it failed; of a loop, why its first item did. A censored result has neither."""
    if "censored" in told:
        return "its output is not shown"
    for one in told.get("results") or ():
        if isinstance(one, t.Mapping) and (one.get("failed") or one.get("unreachable")):
            return _message(one)
    return str(told.get("msg") or "")
