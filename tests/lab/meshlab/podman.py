"""Podman, with the lab's own configuration instead of the machine's."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshlab.errors import LabError
from meshlab.state import labs_dir, write_if_changed

# crun refuses machines that mount cgroup v1 and v2 side by side; runc takes both kinds.
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]
pids_limit = 0
log_driver = "k8s-file"
base_hosts_file = "none"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"

[network]
network_backend = "netavark"
"""
MOST_FILES = 1048576
MOST_PROCESSES = 32768


def configuration() -> str:
    """Limits as high as this process may hand on: without CAP_SYS_RESOURCE none can be raised."""
    return CONFIGURATION.format(
        nofile=_limit(resource.RLIMIT_NOFILE, MOST_FILES), nproc=_limit(resource.RLIMIT_NPROC, MOST_PROCESSES)
    )


def _limit(which: int, most: int) -> int:
    hard = resource.getrlimit(which)[1]
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def configuration_path() -> Path:
    return labs_dir() / "containers.conf"


def environment() -> dict[str, str]:
    write_if_changed(configuration_path(), configuration())
    return {**os.environ, "CONTAINERS_CONF": str(configuration_path())}


def run(
    arguments: Sequence[str],
    timeout: float | None = 120,
    check: bool = True,
    stdin: str | Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run podman; `stdin` is a text, or the path of a file of any content."""
    command = ["podman", *arguments]
    with stdin.open("rb") if isinstance(stdin, Path) else contextlib.nullcontext(subprocess.DEVNULL) as source:
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, str) else {"stdin": source}
        done = subprocess.run(
            command, text=True, capture_output=True, timeout=timeout, check=False, env=environment(), **given
        )
    if check and done.returncode != 0:
        said = "\n".join(text.strip() for text in (done.stdout, done.stderr) if text.strip())
        raise LabError(f"`podman {' '.join(arguments)}` ended with {done.returncode}: {said}")
    return done


def containers(prefix: str) -> dict[str, str]:
    """Name and state of the lab's containers."""
    listed = run(["ps", "--all", "--format", "json", "--filter", f"label=meshlab={prefix}"])
    entries: list[dict[str, Any]] = json.loads(listed.stdout or "[]") or []
    return {entry["Names"][0]: entry["State"] for entry in entries}


def main_processes(names: Sequence[str]) -> dict[str, int]:
    """Each container's first process, as the machine numbers it."""
    listed = run(["inspect", "--format", "{{.Name}} {{.State.Pid}}", *names])
    return {name: int(pid) for name, pid in (line.split() for line in listed.stdout.splitlines())}


def network_exists(name: str) -> bool:
    return run(["network", "exists", name], check=False).returncode == 0


def image_exists(name: str) -> bool:
    return run(["image", "exists", name], check=False).returncode == 0
