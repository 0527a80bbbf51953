# SPDX-License-Identifier: GPL-3.0-or-later
"""The flows that the host's kernel remembers, by way of the program conntrack. Python 3.9, stdlib only."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import kube_flows
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_iptables import Run, program, run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def stale(services: kube_flows.Services, call: Run = run) -> tuple[kube_flows.Flow, ...]:
    """UDP flows to services that were translated once, of both families."""
    found: list[kube_flows.Flow] = []
    for family in ("ipv4", "ipv6"):
        listed = _asked(("conntrack", "-L", "-f", family, "-p", "udp"), call)
        found += kube_flows.parse(listed)
    return kube_flows.stale(found, services)


def forget(flows: t.Iterable[kube_flows.Flow], call: Run = run) -> int:
    """How many addresses and ports were gone through."""
    commands = kube_flows.forgotten_by(flows)
    for command in commands:
        _asked(command, call)
    return len(commands)


def _asked(command: t.Sequence[str], call: Run) -> str:
    name = program(command[0])
    if name is None:
        raise MeshwrightError(
            "the program conntrack", seen="missing", wanted="the one that k3s brings along, or the distribution's",
            remedy="install the package conntrack, or restart the node instead",
        )
    done = call((name, *command[1:]), "")
    # It ends with 1 when there was nothing to delete, as when the last flow ended by itself meanwhile.
    if done.returncode != 0 and "flow entries" not in done.stderr:
        raise MeshwrightError(
            f"`{' '.join(command)}`", seen=f"failed ({done.stderr.strip()[-200:]})", wanted="the flows",
            remedy="run it by hand on the host",
        )
    return done.stdout
