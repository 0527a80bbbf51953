"""The time of each phase of a first run and of a no-op run, on a lab of its own; PEER=path compares k3s-ansible.

PEER is a checkout of k3s-io/k3s-ansible with k3s' install script in it as k3s-install.sh. It gets fresh hosts of the
same kind with the same k3s binary and the script in place: it would download them. It brings no Cilium; ours does.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from meshlab.lab import Lab
from meshlab.playbook import ROOT, run_playbook

CALLBACKS = Path(__file__).parent / "callbacks"
SLOWEST = 8
# The plays after which Cilium is up, and all BGP sessions are.
CILIUM_UP, SESSIONS_UP = "Bring in Cilium", "See all sessions established"
# As the peer calls k3s' install script, on the hosts and in its directory for hosts without downloads.
SCRIPT = "k3s-install.sh"


@dataclass(frozen=True)
class Measured:
    """One run of a playbook."""

    seconds: float
    plays: list[tuple[str, float]]
    tasks: list[tuple[str, float]]
    per_host: dict[str, int]
    changed: int


@dataclass(frozen=True)
class Contender:
    name: str
    hosts_up: float
    first: Measured
    again: Measured


def measure(inventory: Path, playbook: Path, cwd: Path, env: dict[str, str], scratch: Path) -> Measured:
    phases = scratch / "phases.json"
    callbacks = {"ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS), "ANSIBLE_CALLBACKS_ENABLED": "phases"}
    run = run_playbook(
        inventory, str(playbook), env={**env, **callbacks, "MESHWRIGHT_PHASES": str(phases)}, timeout=1800, cwd=cwd
    ).succeeded()
    data = json.loads(phases.read_text())
    return Measured(run.seconds, data["plays"], data["tasks"], data["per_host"], sum(run.changed.values()))


def fresh_lab() -> tuple[Lab, float]:
    """Hosts that never saw k3s, and how long they took."""
    Lab.open().down()
    started = time.monotonic()
    return Lab.open().up(), time.monotonic() - started


def ours(scratch: Path) -> Contender:
    _lab, up = fresh_lab()
    runs = [measure(ROOT / "inventories/lab", ROOT / "site.yml", ROOT, {}, scratch) for _ in range(2)]
    return Contender("meshwright", up, *runs)


def peer(path: Path, scratch: Path) -> Contender:
    lab, up = fresh_lab()
    known = json.loads(lab.paths.inventory.read_text())
    inventory = peer_inventory(lab, known, path / SCRIPT, scratch)
    playbook = next(path / name for name in ("playbooks/site.yml", "playbook/site.yml") if (path / name).exists())
    runs = [measure(inventory, playbook, path, peer_environment(path, scratch), scratch) for _ in range(2)]
    return Contender("k3s-ansible", up, *runs)


def peer_inventory(lab: Lab, known: dict[str, Any], script: Path, scratch: Path) -> Path:
    variables = known["all"]["vars"]
    for name in (*known["server"]["hosts"], *known["agent"]["hosts"]):
        host = lab.hosts[name]
        host.put(variables["meshlab_k3s_binary"], "/usr/local/bin/k3s", mode=0o755)
        host.put(script, f"/usr/local/bin/{SCRIPT}", mode=0o755)
    hostvars = known["_meta"]["hostvars"]
    groups = {
        group: {"hosts": {name: hostvars[name] for name in known[group]["hosts"]}} for group in ("server", "agent")
    }
    more = {
        "k3s_version": variables["meshlab_k3s_version"],
        "token": variables["meshlab_token"],
        "api_endpoint": hostvars[known["server"]["hosts"][0]]["ansible_host"],
        "kubeconfig": str(scratch / "peer-kubeconfig"),
        "extra_server_args": "",
        "extra_agent_args": "",
    }
    file = scratch / "peer-inventory.yml"
    file.write_text(yaml.safe_dump({"k3s_cluster": {"children": groups, "vars": {**variables, **more}}}))
    file.chmod(0o600)
    return file


def peer_environment(path: Path, scratch: Path) -> dict[str, str]:
    """Its own settings; a checkout that is a collection is also found by its name."""
    galaxy = path / "galaxy.yml"
    if galaxy.exists():
        about = yaml.safe_load(galaxy.read_text())
        link = scratch / "ansible_collections" / about["namespace"] / about["name"]
        if not link.exists():
            link.parent.mkdir(parents=True)
            link.symlink_to(path)
    settings = path / "ansible.cfg"
    return {
        "ANSIBLE_CONFIG": str(settings if settings.exists() else os.devnull),
        "ANSIBLE_COLLECTIONS_PATH": str(scratch),
        "ANSIBLE_ROLES_PATH": str(path / "roles"),
        "ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "true",  # written for an Ansible that took any value for a condition
    }


def established(plays: list[tuple[str, float]]) -> float | None:
    """Seconds from Cilium's being up until the last session was; None for a run that has no such plays."""
    names = [name for name, _seconds in plays]
    if CILIUM_UP not in names or SESSIONS_UP not in names:
        return None
    return sum(seconds for _name, seconds in plays[names.index(CILIUM_UP) + 1 : names.index(SESSIONS_UP) + 1])


def tell(one: Contender) -> None:
    print(f"\n{one.name}: {one.first.seconds:.1f} s, again {one.again.seconds:.1f} s (changed {one.again.changed})")
    print(f"  hosts up {one.hosts_up:.1f} s")
    for name, seconds in one.first.plays:
        print(f"  {seconds:7.1f} s  {name}")
    if (bgp := established(one.first.plays)) is not None:
        print(f"  all BGP sessions established {bgp:.1f} s after Cilium was up (aim: at most 15)")
    print("  tasks per host: " + ", ".join(f"{host} {count}" for host, count in sorted(one.first.per_host.items())))
    print(f"  slowest tasks of the first run, of {len(one.first.tasks)}:")
    for name, seconds in sorted(one.first.tasks, key=lambda task: -task[1])[:SLOWEST]:
        print(f"  {seconds:7.1f} s  {name}", flush=True)


def compare(mine: Contender, other: Contender) -> None:
    print("\nof the peer's time:")
    print(f"  first run {mine.first.seconds / other.first.seconds:.2f} (aim: at most 1, Cilium included)")
    print(f"  no-op run {mine.again.seconds / other.again.seconds:.2f} (aim: at most 0.5)")


def main() -> int:
    os.environ.setdefault("MESHLAB_PREFIX", "mwbench")
    path = Path(os.environ["PEER"]).resolve() if os.environ.get("PEER") else None
    if path and not (path / SCRIPT).is_file():
        print(f"PEER={path}: no {SCRIPT} in it: give a checkout of k3s-io/k3s-ansible, with k3s' install script")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        try:
            tell(mine := ours(Path(scratch)))
            if path:
                tell(other := peer(path, Path(scratch)))
                compare(mine, other)
        finally:
            Lab.open().down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
