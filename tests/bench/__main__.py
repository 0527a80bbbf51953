"""Times of `make up` phase by phase, of a run that changes nothing, and the same for a peer. Prints; asserts nothing.

PEER names a checkout of k3s-io/k3s-ansible with an `airgap` folder that holds its install script as k3s-install.sh
(its roles run that script even for a given binary). The peer then builds the same cluster, without a CNI, on hosts of
the same lab, from the same k3s binary.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from events import Profile, profile
from meshlab import artifacts
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook

JSON_LINES = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}


def measure(run: Run) -> Profile:
    """The run's profile; a run that failed ends the benchmark with what it printed last."""
    if run.returncode != 0:
        sys.exit(f"the run failed with {run.returncode}:\n{run.tail(20)}")
    return profile(run.output.splitlines())


def show(title: str, result: Profile) -> None:
    changed = sum(result.changed.values())
    print(f"{title}: {result.seconds:.1f} s, changed={changed}, at most {result.tasks_most} tasks on a host")
    for phase in result.phases:
        print(f"  {phase.seconds:6.1f} s  {phase.name}")
    sys.stdout.flush()


def fresh(lab: Lab) -> float:
    """Seconds that new hosts take."""
    lab.down()
    started = time.monotonic()
    lab.up()
    return time.monotonic() - started


def ours(lab: Lab) -> tuple[Profile, Profile]:
    inventory = ROOT / "inventories" / "lab"
    print(f"hosts: {fresh(lab):.1f} s")
    first = measure(run_playbook(inventory, env=JSON_LINES))
    show("ours, first run (k3s, Cilium, validation)", first)
    again = measure(run_playbook(inventory, env=JSON_LINES))
    show("ours, no-op run", again)
    return first, again


def peer(lab: Lab, checkout: Path) -> tuple[Profile, Profile]:
    print(f"hosts: {fresh(lab):.1f} s")
    with tempfile.TemporaryDirectory() as scratch:
        inventory = peer_inventory(lab, checkout, Path(scratch))
        env = {**JSON_LINES, "ANSIBLE_CONFIG": str(checkout / "ansible.cfg")}
        run = functools.partial(run_playbook, inventory, "playbooks/site.yml", env=env, cwd=checkout)
        first = measure(run())
        show("peer, first run (k3s, no CNI)", first)
        again = measure(run())
        show("peer, no-op run", again)
    return first, again


def peer_inventory(lab: Lab, checkout: Path, scratch: Path) -> Path:
    """The lab's hosts in the peer's variables: the same version, the same settings for a cluster without flannel."""
    airgap = scratch / "airgap"
    shutil.copytree(checkout / "airgap", airgap)
    shutil.copy(artifacts.ensure(["k3s"], print)["k3s"] / "k3s", airgap / "k3s-amd64")
    groups: dict[str, dict[str, object]] = {"server": {"hosts": {}}, "agent": {"hosts": {}}}
    for name, host in lab.hosts.items():
        if host.role in groups:
            groups[host.role]["hosts"][name] = {"ansible_host": host.ip}  # type: ignore[index]
    settings = {
        "ansible_user": "root",
        "ansible_ssh_common_args": f"-F {lab.paths.ssh_config}",
        "k3s_version": "v1.34.4+k3s1",
        "token": "bench-token-not-a-secret",
        "api_endpoint": lab.hosts["server1"].ip,
        "airgap_dir": str(airgap),
        "extra_server_args": "--flannel-backend=none --disable-network-policy --disable=traefik --disable=servicelb",
        "extra_agent_args": "",
        "user_kubectl": False,
    }
    path = scratch / "inventory.json"
    path.write_text(json.dumps({"k3s_cluster": {"children": groups, "vars": settings}}))
    return path


def main() -> None:
    lab = Lab.open(prefix=os.environ.get("MESHLAB_PREFIX", "mw"), topology="default")
    our_first, our_again = ours(lab)
    checkout = os.environ.get("PEER")
    if checkout:
        peer_first, peer_again = peer(lab, Path(checkout).resolve())
        print(f"first run, ours with Cilium to the peer without: {our_first.seconds / peer_first.seconds:.2f}")
        print(f"no-op run, ours to the peer: {our_again.seconds / peer_again.seconds:.2f}")
    else:
        print("peer: not measured, PEER is not set")


main()
