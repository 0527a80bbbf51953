"""The lab as Ansible sees it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from typing import Any

from meshlab import ssh
from meshlab.host import Host
from meshlab.release import PORT, Release
from meshlab.state import Paths, write_if_changed

GROUPS = {"server": "server", "agent": "agent", "files": "lab_files"}


def empty() -> dict[str, Any]:
    """A lab that is not there: all groups, no hosts."""
    return _with_groups({name: [] for name in GROUPS.values()}, {}, {})


def build(paths: Paths, hosts: Iterable[Host], release: Release | None) -> dict[str, Any]:
    hosts = list(hosts)
    members: dict[str, list[str]] = {name: [] for name in GROUPS.values()}
    for host in hosts:
        members[GROUPS[host.role]].append(host.hostname)
    hostvars = {host.hostname: _hostvars(host) for host in hosts}
    return _with_groups(members, hostvars, _variables(paths, hosts, release))


def _hostvars(host: Host) -> dict[str, str]:
    return {"ansible_host": host.ip} | ({"meshlab_ipv6": host.ip6} if host.ip6 is not None else {})


def _with_groups(
    members: dict[str, list[str]], hostvars: dict[str, dict[str, Any]], variables: dict[str, Any]
) -> dict[str, Any]:
    groups: dict[str, Any] = {name: {"hosts": names} for name, names in members.items()}
    return {
        **groups,
        "k3s_cluster": {"children": ["server", "agent"]},
        "all": {"children": ["k3s_cluster", "lab_files"], "vars": variables},
        "_meta": {"hostvars": hostvars},
    }


def _variables(paths: Paths, hosts: list[Host], release: Release | None) -> dict[str, Any]:
    """Only what is known when the lab runs; what is always the same stands in inventories/lab/group_vars."""
    variables: dict[str, Any] = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(paths.ssh_key),
        "ansible_ssh_common_args": ssh.arguments(paths),
        "ansible_python_interpreter": "/usr/bin/python3",
        "meshlab_prefix": paths.prefix,
        "meshlab_kubeconfig": str(paths.kubeconfig),
        "meshlab_state_dir": str(paths.root / "state"),
        **secrets_of(paths),
    }
    files = next((host for host in hosts if host.role == "files"), None)
    if files is not None:
        variables["meshlab_files_url"] = f"http://{files.ip}:{PORT}"
    if release is not None:
        variables |= {
            "meshlab_k3s_version": release.version,
            "meshlab_k3s_binary": str(release.binary),
            "meshlab_k3s_sha256": release.binary_sha256,
            "meshlab_airgap_images": str(release.airgap),
            "meshlab_cilium_chart": str(release.chart),
            "meshlab_helm": str(release.helm),
        }
    return variables


def secrets_of(paths: Paths) -> dict[str, str]:
    """Tokens of the lab's cluster, made once for the lab's life."""
    file = paths.root / "secrets.json"
    if not file.exists():
        made = {name: secrets.token_hex(16) for name in ("meshlab_token", "meshlab_agent_token")}
        write_if_changed(file, json.dumps(made), 0o600)
    known: dict[str, str] = json.loads(file.read_text())
    return known
