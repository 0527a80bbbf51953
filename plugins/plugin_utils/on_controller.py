# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that answer from their arguments alone, on the controller."""

from __future__ import annotations

import typing as t
from abc import abstractmethod

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

# Seconds for which a step that is under way bears with an API server that is away: one restarts in less.
PATIENCE = 90.0


class OnController(ActionBase):
    """What is refused becomes the task's failure; everything else is `answer`'s."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        try:
            return {**result, **self.answer(plain(self._task.args), bool(self._task.check_mode))}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}

    @abstractmethod
    def answer(self, given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        """The task's result from its arguments; `check` is check mode."""


def say(text: str) -> None:
    """A line of what is waited for, while a task is at it."""
    Display().display(f"  {text}")
