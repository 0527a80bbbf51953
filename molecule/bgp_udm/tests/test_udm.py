"""What is particular to a UniFi gateway: one file as a whole, and somebody who may upload another one by hand."""

from __future__ import annotations

import json

from meshlab import frr
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.playbook import ROOT, run_playbook

testinfra_hosts = ["local://"]
INVENTORY = ROOT / "inventories" / "lab"


def test_a_change_by_hand_is_found_and_mended(lab: Lab, members: dict[str, Host]) -> None:
    udm = lab.hosts["udm"]
    key = json.loads((lab.paths.root / "secrets.json").read_text())["meshlab_unifi_api_key"]
    stored = frr.stored_file(udm, key)["frr_bgpd_config"]
    edited = stored.replace("maximum-prefix 500", "maximum-prefix 7")
    assert edited != stored
    frr.store_file(udm, key, edited)
    dry = run_playbook(INVENTORY, "playbooks/bgp.yml", "--check", "--diff").succeeded()
    assert "maximum-prefix 7" in dry.output
    assert dry.changed["udm"] > 0
    assert frr.stored_file(udm, key)["frr_bgpd_config"] == edited, "a dry run wrote"
    assert run_playbook(INVENTORY, "playbooks/bgp.yml").succeeded().changed["udm"] > 0
    assert frr.stored_file(udm, key)["frr_bgpd_config"] == stored
    frr.wait_established(udm, "ipv4", {host.ip for host in members.values()}, seconds=30)
    assert set(run_playbook(INVENTORY, "playbooks/bgp.yml").succeeded().changed.values()) == {0}
