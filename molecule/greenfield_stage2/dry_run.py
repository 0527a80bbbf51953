"""A dry run of site.yml on clean hosts: it works, says that it would change something, and changes nothing."""

from __future__ import annotations

import sys

from meshlab import fingerprint
from meshlab.lab import Lab
from meshlab.playbook import ROOT, run_playbook

lab = Lab.open()
nodes = {name: host for name, host in lab.hosts.items() if host.role != "files"}
before = fingerprint.of_hosts(nodes)
run = run_playbook(ROOT / "inventories" / "lab", "site.yml", "--check", "--diff", "--extra-vars=cilium_initial_stage=2")
problems = fingerprint.difference(before, fingerprint.of_hosts(nodes))
if run.returncode != 0:
    problems.append(f"the dry run ended with {run.returncode}:\n{run.tail()}")
elif not all(run.changed.get(name) for name in nodes):
    problems.append(f"the dry run should announce changes on every host; it announced {run.changed}")
sys.exit("\n".join(problems) or None)
