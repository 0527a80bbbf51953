"""The example inventories are judged as a user's would be: nothing in them is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT

PLAY = """
- hosts: k3s_cluster
  gather_facts: false
  tasks:
    - meshwright.k3s_cilium.preflight_inventory:
      run_once: true
"""
CLUSTERS = {"home-udm": "home", "ipv6-vyos": "sixhome"}


@pytest.mark.parametrize("name", CLUSTERS)
def test_example_is_accepted(name: str, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    ansible = Path(sys.executable).parent / "ansible-playbook"
    env = os.environ | {"HOME": str(tmp_path), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1"}
    done = subprocess.run(
        [ansible, "-i", f"inventories/{name}", tmp_path / "play.yml"],
        cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    token = tmp_path / ".local/state/meshwright/k3s_cilium" / CLUSTERS[name] / "secrets/token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().strip() not in done.stdout + done.stderr
