# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's hold on the Lease: the same for all of its tasks, kept by a process that ends with the run."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_lease import Holder
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import say


def run_of() -> tuple[int, str]:
    """The run's process, of which each task's is a child, and when it began: a number alone comes again."""
    pid = os.getppid()
    return pid, _begun(pid)


def _begun(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def holder(kube: Kube) -> Holder:
    pid, begun = run_of()
    return Holder(kube, f"{socket.gethostname()}/{pid}-{begun}", time.time, say=say)


def somebody_else(kube: Kube) -> str:
    """Who holds the Lease, unless this run does. In check mode nobody takes it, so that one may look at any time."""
    own = holder(kube)
    seen = own.look()
    return "" if seen.holder in ("", own.me) or own.is_over(seen) else seen.holder


def keep(kubeconfig: str) -> None:
    """Leave a process behind that renews the Lease while the run lives, and says nothing."""
    pid, begun = run_of()
    kube = Kube.from_kubeconfig(kubeconfig)
    keeper = holder(kube)
    if os.fork():
        return
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        keeper.keep(lambda: _begun(pid) == begun)
    finally:
        os._exit(0)
