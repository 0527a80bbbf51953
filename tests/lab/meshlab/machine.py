"""What the lab needs from the machine itself: packages, a bridge that does not filter, groups of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from meshlab.errors import LabError

PACKAGES = Path(__file__).parent.parent / "debian-packages.txt"
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH_INSTANCES = 8192
BRIDGE_SYSCTLS = Path("/proc/sys/net/bridge")
BRIDGE_FILTERS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables")


def require() -> None:
    """Refuse early, naming everything that is missing."""
    if os.geteuid() != 0:
        raise LabError("the lab's hosts load eBPF programs and mount filesystems: run it as root")
    missing = missing_packages()
    if missing:
        raise LabError(f"Debian packages are missing: {' '.join(missing)}: install them with `make packages`")


def wanted_packages(text: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def missing_packages() -> list[str]:
    wanted = wanted_packages(PACKAGES.read_text())
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n", *wanted]
    shown = subprocess.run(command, text=True, capture_output=True, check=False).stdout
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return [package for package in wanted if package not in installed]


def switch_bridge_filters_off() -> None:
    """Frames between two hosts must not pass the machine's iptables.

    There podman masquerades what leaves its network, so that one or two of a hundred connections to a pod on another
    host came from the wrong address.
    """
    for path in bridge_filters_on():
        path.write_text("0\n")
    still_on = bridge_filters_on()
    if still_on:
        names = ", ".join(path.name for path in still_on)
        raise LabError(f"this machine: net.bridge {names} is on and stays on; the lab's network would lie: set it to 0")


def raise_watch_limit() -> None:
    """All hosts' root is one user to the kernel, and each API server, kubelet and systemd takes a dozen watchers.

    With the usual 128 the third or fourth host's kubelet ends with "too many open files".
    """
    if int(INOTIFY_INSTANCES.read_text()) < ENOUGH_INSTANCES:
        INOTIFY_INSTANCES.write_text(f"{ENOUGH_INSTANCES}\n")


def bridge_filters_on() -> list[Path]:
    paths = (BRIDGE_SYSCTLS / name for name in BRIDGE_FILTERS)
    return [path for path in paths if path.exists() and path.read_text().strip() != "0"]


def unified_group(pid: int) -> str:
    """The cgroup v2 group of a process, whether v2 is mounted alone or beside v1."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def shared_groups(processes: dict[str, int]) -> list[str]:
    """Hosts that do not have a cgroup v2 group of their own.

    An eBPF program that Cilium attaches to the root of a host's groups must see that host alone.
    """
    groups = {name: unified_group(pid).removesuffix("/init.scope") or "/" for name, pid in processes.items()}
    counted = list(groups.values())
    return [
        f"{name}: its cgroup v2 group {group} is not its own"
        for name, group in groups.items()
        if group == "/" or counted.count(group) > 1
    ]
