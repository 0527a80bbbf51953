"""Keys of a lab, and what ssh has to know to use them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from meshlab.host import Host
from meshlab.network import Network
from meshlab.state import Paths, write_if_changed

OPTIONS = {
    "User": "root",
    "IdentitiesOnly": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    # A host of the lab may be killed at any time: notice it within seconds.
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
}


def prepare_keys(paths: Paths, networks: Iterable[Network]) -> None:
    """One key for the user, one that all hosts of the lab show; made once for the lab's life."""
    paths.etc.mkdir(parents=True, exist_ok=True)
    host_key = paths.etc / "host_key"
    _make_key(paths.ssh_key)
    _make_key(host_key)
    write_if_changed(paths.etc / "authorized_keys", _public(paths.ssh_key) + "\n", 0o600)
    patterns = [pattern for network in networks for pattern in _patterns(network)]
    write_if_changed(paths.known_hosts, f"{','.join(patterns)} {_public(host_key)}\n")


def _patterns(network: Network) -> list[str]:
    """Names by which ssh knows hosts: their addresses, of which all of a network begin alike."""
    text = network.prefixes.values()
    return [prefix.split("::/")[0] + "::*" if ":" in prefix else prefix.rsplit(".", 1)[0] + ".*" for prefix in text]


def _make_key(path: Path) -> None:
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "meshlab", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _public(path: Path) -> str:
    return path.with_suffix(".pub").read_text().strip()


def config(paths: Paths, hosts: Iterable[Host]) -> str:
    common = {**OPTIONS, "IdentityFile": str(paths.ssh_key), "UserKnownHostsFile": str(paths.known_hosts)}
    blocks = []
    for host in hosts:
        lines = [f"Host {host.hostname} {host.name}", f"  HostName {host.ip}"]
        lines += [f"  {key} {value}" for key, value in common.items()]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def arguments(paths: Paths) -> str:
    """The same as options of a command, for Ansible and testinfra, who share one connection to each host."""
    common = {
        **OPTIONS,
        "UserKnownHostsFile": str(paths.known_hosts),
        "ControlMaster": "auto",
        "ControlPersist": "600s",
        "ControlPath": str(paths.control_sockets / "%h"),  # short: a socket's path has at most 107 characters
    }
    return " ".join(f"-o {key}={value}" for key, value in common.items() if key != "User")
