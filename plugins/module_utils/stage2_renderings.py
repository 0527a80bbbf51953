# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chart makes of both stages, from what the module cilium_plan is given. Runs on the controller.

The values are those that the flip of the chart's value will give Helm, so what is found here is what it will do.
"""

from __future__ import annotations

import functools
import subprocess
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_call
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import (
    Observed,
    Wish,
    mark_for,
    values_at,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_restarts import compare
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import Values
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import only_stage2
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_values import Data, config_data


@dataclass(frozen=True)
class Renderings:
    data: t.Mapping[int, Data] = field(default_factory=dict)  # of cilium-config, by stage
    flip_restarts: tuple[str, ...] = ()  # sentences of cilium_restarts: what the flip to the target restarts
    only_stage2: tuple[str, ...] = ()  # variables of the inventory that are on and cannot be at stage 1


def renderings(
    given: t.Mapping[str, t.Any], target: int, seen: Observed, run: cilium_call.Run | None = None
) -> Renderings:
    """`given` is what the module cilium_plan takes; what is left out has its defaults. `seen` is by its observe().

    A stage that cannot be rendered is left out where the way does not lead through it, and on the way back where
    `only_stage2` says why. Everywhere else it is an error.
    """
    params = cilium_call.checked(given)
    wish, release = cilium_call.wish_from(params), seen.release
    only = only_stage2(wish.options)
    if release is None or release.stage is None:
        return Renderings(only_stage2=only)
    needed = {target, release.stage} if not only or (release.stage, target) == (1, 2) else {2}
    silent = _silent(run or run_here, cilium_call.secrets_of(wish))
    render = cilium_call.renderer(silent, params["helm_binary"], cilium_call.chart_of(params), seen)
    own = release.stage if release.stage in needed else 2
    mark = mark_for(wish, seen, own, functools.partial(cilium_call.checksum, render))
    found = cilium_call.manifests(render, _possible(wish, seen, mark, needed), needed)
    flips = target != release.stage and target in found
    return Renderings(
        {stage: config_data(manifest) for stage, manifest in found.items()},
        compare(release.manifest, found[target]).restarts if flips else (),
        only,
    )


def _silent(run: cilium_call.Run, secrets: set[str]) -> cilium_call.Run:
    """What Helm complains of may quote the values."""

    def silent(command: t.Sequence[str]) -> tuple[int, str, str]:
        code, out, err = run(command)
        return code, out, str(remove_values(err, secrets))

    return silent


def run_here(command: t.Sequence[str]) -> tuple[int, str, str]:
    """For an action, which has no module's run_command."""
    argv = [str(Path(command[0]).expanduser()), *command[1:]]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _possible(wish: Wish, seen: Observed, mark: str, needed: t.Container[int]) -> dict[int, Values]:
    found = {}
    for stage in (1, 2):
        try:
            found[stage] = values_at(wish, seen, stage, mark).values
        except MeshwrightError:
            if stage in needed:
                raise
    return found
