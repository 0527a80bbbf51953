"""The tarball that ansible-galaxy builds, installed elsewhere and run by its names, away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFUSED = """
k3s_cluster:
  vars:
    k3s_cluster_name: refused
    k3s_token: not-a-secret-0123456789
    k3s_cluster_cidr: 10.42.0.0/16
    k3s_service_cidr: 10.42.128.0/17
  children:
    server:
      hosts:
        server1:
          ansible_connection: local
          ansible_host: 192.0.2.11
"""


def run(*command: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run with a home and an Ansible of its own, so that nothing of the checkout is found."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = kept | {"PATH": path, "HOME": str(cwd), "ANSIBLE_COLLECTIONS_PATH": str(cwd / "installed"), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the collection installed below it."""
    there = tmp_path_factory.mktemp("elsewhere")
    run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(there), cwd=there)
    (tarball,) = there.glob("*.tar.gz")
    run("ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", "installed", str(tarball), cwd=there)
    return there


@pytest.fixture(scope="module")
def names(elsewhere: Path) -> Iterator[set[str]]:
    (tarball,) = elsewhere.glob("*.tar.gz")
    with tarfile.open(tarball) as content:
        yield set(content.getnames())


def test_holds_what_a_user_needs(names: set[str]) -> None:
    wanted = {"playbooks/site.yml", "meta/runtime.yml", "README.md", "MANIFEST.json", "docs/architecture.md"}
    assert wanted <= names


def test_holds_nothing_else(names: set[str]) -> None:
    unwanted = ("tests", "molecule", "collections", "build", ".venv", "Makefile", "pyproject.toml", "inventories/lab")
    assert not [name for name in names if name.startswith(unwanted) or "__pycache__" in name]


@pytest.mark.parametrize("flag", ["--syntax-check", "--list-tasks"])
def test_site_is_found_by_its_name(elsewhere: Path, flag: str) -> None:
    (elsewhere / "inventory.yml").write_text(REFUSED)
    done = run("ansible-playbook", "-i", "inventory.yml", "meshwright.k3s_cilium.site", flag, cwd=elsewhere)
    if flag == "--list-tasks":
        for tag in ("preflight", "k3s", "cilium", "validate"):
            assert tag in done.stdout


def test_modules_are_documented(elsewhere: Path) -> None:
    done = run("ansible-doc", "--list", "meshwright.k3s_cilium", cwd=elsewhere)
    there = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    assert there == {line.split()[0].rsplit(".", 1)[-1] for line in done.stdout.splitlines() if line.strip()}


def test_a_bad_inventory_is_refused_with_our_words(elsewhere: Path) -> None:
    """The service network lies in the pods': nothing is changed, and the message says so."""
    (elsewhere / "inventory.yml").write_text(REFUSED)
    done = run(
        "ansible-playbook", "-i", "inventory.yml", "meshwright.k3s_cilium.site", "--check", "--tags", "preflight",
        cwd=elsewhere, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "k3s_service_cidr" in said, said
    assert "changed=0" in said, said
