"""The lab must be what it is taken for, or every other scenario proves nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://all"]
FILTERS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables")


@pytest.mark.parametrize("name", FILTERS)
def test_the_machine_does_not_filter_frames_between_hosts(name: str) -> None:
    path = Path("/proc/sys/net/bridge") / name
    assert not path.exists() or path.read_text().strip() == "0"


def test_systemd_runs_without_failed_units(host: Host) -> None:
    assert host.check_output("systemctl is-system-running --wait") == "running"


def test_ssh_gives_root(host: Host) -> None:
    assert host.user().name == "root"
    assert "SSH_CONNECTION" in host.environment()


def test_the_clock_agrees_with_the_machine(host: Host) -> None:
    before = time.time()
    there = float(host.check_output("date +%s.%N"))
    assert before - 1 <= there <= time.time() + 1


def test_bpf_filesystem_is_mounted(host: Host) -> None:
    assert host.mount_point("/sys/fs/bpf").filesystem == "bpf"


def test_mounts_are_shared(host: Host) -> None:
    assert host.check_output("findmnt -no PROPAGATION /") == "shared"


def test_the_host_is_at_the_root_of_its_own_groups(host: Host) -> None:
    lines = host.file("/proc/1/cgroup").content_string.splitlines()
    assert all(line.split(":", 2)[2] in ("/", "/init.scope") for line in lines)


def test_hosts_reach_each_other_unchanged(host: Host) -> None:
    """The file server answers with the address that it sees; a router has one on each side."""
    addresses = host.check_output("hostname -I").split()
    assert host.check_output("curl -sS --max-time 5 http://files.lab.test:8000/healthz") in addresses


def test_unknown_names_are_refused_at_once(host: Host) -> None:
    before = time.monotonic()
    assert host.run("getent ahosts nothing.example.com").rc == 2
    assert time.monotonic() - before < 2
