"""The lab as Ansible sees it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from typing import Any

from meshlab import routers, ssh
from meshlab.host import Host
from meshlab.network import IPV4, IPV6
from meshlab.release import PORT, Release
from meshlab.state import Paths, write_if_changed
from meshlab.topology import NODES, ROUTERS, Topology

# A router's group is its role.
GROUPS = {"server": "server", "agent": "agent", "files": "lab_files", "client": "lab_client"} | {r: r for r in ROUTERS}
CLUSTER_CIDRS = {IPV4: "10.42.0.0/16", IPV6: "fd00:42::/56"}
SERVICE_CIDRS = {IPV4: "10.43.0.0/16", IPV6: "fd00:43::/112"}


def empty() -> dict[str, Any]:
    """A lab that is not there: all groups, no hosts."""
    return _with_groups({name: [] for name in GROUPS.values()}, {}, {})


def build(paths: Paths, shape: Topology, hosts: Iterable[Host], release: Release | None) -> dict[str, Any]:
    hosts, secret = list(hosts), secrets_of(paths)
    members: dict[str, list[str]] = {name: [] for name in GROUPS.values()}
    for host in hosts:
        members[GROUPS[host.role]].append(host.hostname)
    versions = {spec.name: spec.version for spec in shape.hosts}
    hostvars = {host.hostname: _hostvars(paths, host, versions[host.hostname], secret) for host in hosts}
    variables = _variables(paths, hosts, release) | _of_families(shape) | secret | dict(shape.variables)
    return _with_groups(members, hostvars, variables)


def without(known: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The inventory as it is after somebody took these hosts out of it."""
    gone = set(names)
    found = {key: dict(value) for key, value in known.items()}
    for group in found.values():
        if "hosts" in group:
            group["hosts"] = [name for name in group["hosts"] if name not in gone]
    hostvars = found["_meta"]["hostvars"]
    found["_meta"]["hostvars"] = {name: value for name, value in hostvars.items() if name not in gone}
    return found


def _hostvars(paths: Paths, host: Host, version: str, secret: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"ansible_host": host.ip}
    if host.ip6 is not None:
        found["meshlab_ipv6"] = host.ip6
        if host.role in NODES:
            found["k3s_node_ip"] = ",".join(host.ports[0].addresses)
    if host.is_router:
        found |= _router_vars(host, secret)
    if host.role in ("unifi", "vyos"):
        certificate = paths.host_etc(host.hostname) / "tls.crt"
        address = f"[{host.ip}]" if ":" in host.ip else host.ip
        found |= {
            "meshlab_certificate": str(certificate),
            f"bgp_{host.role}_url": f"https://{address}",
            f"bgp_{host.role}_fingerprint": routers.fingerprint(certificate),
        }
    if host.role == "unifi":
        found["bgp_unifi_api_key"] = secret["meshlab_unifi_api_key"]
    if host.role == "vyos":
        found |= {"bgp_vyos_key": secret["meshlab_vyos_key"], "bgp_vyos_version": version}
    return found


def _router_vars(host: Host, secret: dict[str, str]) -> dict[str, Any]:
    return {
        "bgp_router_addresses": list(host.ports[0].addresses),
        "bgp_router_id": routers.router_id(host),
        # One for each router, made from one secret.
        "bgp_router_password": hashlib.sha256(f"{secret['meshlab_bgp']} {host.hostname}".encode()).hexdigest()[:32],
    }


def _of_families(shape: Topology) -> dict[str, Any]:
    """What a user with hosts of these families would choose for the cluster."""

    def chosen(table: dict[str, str]) -> list[str]:
        return [table[family] for family in shape.families]

    pools = [{"name": "lab", "cidrs": chosen(routers.POOLS)}] if shape.routers else []
    found = {
        "meshlab_cluster_cidr": ",".join(chosen(CLUSTER_CIDRS)),
        "meshlab_service_cidr": ",".join(chosen(SERVICE_CIDRS)),
        "meshlab_bgp_pools": pools,
    }
    if IPV4 not in shape.families:
        # There the API server's own address is ::1, which the name finds.
        found["cilium_k8s_service_host"] = "localhost"
    return found


def _with_groups(
    members: dict[str, list[str]], hostvars: dict[str, dict[str, Any]], variables: dict[str, Any]
) -> dict[str, Any]:
    groups: dict[str, Any] = {name: {"hosts": names} for name, names in members.items()}
    return {
        **groups,
        "k3s_cluster": {"children": ["server", "agent"]},
        "routers": {"children": list(ROUTERS)},
        "all": {"children": ["k3s_cluster", "lab_files", "lab_client", "routers"], "vars": variables},
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
    }
    files = next((host for host in hosts if host.role == "files"), None)
    if files is not None:
        address = f"[{files.ip}]" if ":" in files.ip else files.ip
        variables["meshlab_files_url"] = f"http://{address}:{PORT}"
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


SECRETS = ("meshlab_token", "meshlab_agent_token", "meshlab_unifi_api_key", "meshlab_unifi_password",
           "meshlab_vyos_key", "meshlab_bgp")  # fmt: skip


def secrets_of(paths: Paths) -> dict[str, str]:
    """Tokens, keys and passwords, made once for the lab's life."""
    file = paths.root / "secrets.json"
    if not file.exists():
        write_if_changed(file, json.dumps({name: secrets.token_hex(16) for name in SECRETS}), 0o600)
    known: dict[str, str] = json.loads(file.read_text())
    return known
