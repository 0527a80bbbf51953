"""The playbook itself on bad inventories: it ends before any host is contacted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bad_inventories import BAD, CANARY, Bad, inventory

ROOT = Path(__file__).resolve().parents[4]
CHOSEN = ("no-token", "pods-in-services", "unknown-key", "no-hosts", "vault-text", "token-differs")


@pytest.fixture
def contacted(tmp_path: Path) -> Path:
    """A program in place of ssh that leaves a trace when it is started."""
    trace = tmp_path / "contacted"
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\ntouch '{trace}'\nexit 255\n")
    program.chmod(0o755)
    return trace


def play(case: Bad, folder: Path) -> subprocess.CompletedProcess[str]:
    tree = inventory(case)
    tree["all"] = {"vars": {"ansible_ssh_executable": str(folder / "ssh")}}
    hosts = folder / "hosts.yml"
    hosts.write_text(yaml.safe_dump(tree))
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_LOCAL_TEMP": str(folder / "local")}
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [str(program), "-i", str(hosts), "-vvv", "playbooks/preflight.yml"]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.parametrize("case", [case for case in BAD if case.name in CHOSEN], ids=lambda case: case.name)
def test_refused_before_any_host_is_contacted(case: Bad, tmp_path: Path, contacted: Path) -> None:
    done = play(case, tmp_path)
    assert done.returncode != 0, done.stdout
    assert f"{case.host}: {case.thing}" in done.stdout + done.stderr
    assert case.says in done.stdout + done.stderr
    assert not contacted.exists(), "a host was contacted"
    assert CANARY not in done.stdout + done.stderr


def test_the_trace_is_left_by_a_good_inventory(tmp_path: Path, contacted: Path) -> None:
    """So that the test above sees what it looks for."""
    done = play(Bad("good", "", ""), tmp_path)
    assert done.returncode != 0
    assert contacted.exists(), done.stdout
