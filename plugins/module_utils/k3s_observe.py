# SPDX-License-Identifier: GPL-3.0-or-later
"""What k3s is on this host: binary, unit, files, datastore, etcd. Read only, Python 3.9, stdlib only."""

from __future__ import annotations

import hashlib
import platform
import re
import socket
import typing as t
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host as host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_etcd import Etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

BINARY = "/usr/local/bin/k3s"
CONFIG = "/etc/rancher/k3s"
DATA = "/var/lib/rancher/k3s"
STARTED = "/run/k3s-started"
UNITS = {"server": "k3s", "agent": "k3s-agent"}
LINKS = ("kubectl", "crictl", "ctr")
OURS = "# Managed by meshwright.k3s_cilium"

Raw = dict[str, t.Any]


def observe(role: str, brief: bool = False) -> Raw:
    """Brief leaves out what takes time: the binary's sum and version, and etcd."""
    service = host.unit(UNITS[role])
    active = service["ActiveState"] == "active"
    return {
        "machine": platform.machine(),
        "hostname": socket.gethostname(),
        "addresses": host.addresses(),
        "installed": {} if brief else installed(),
        "service": {
            "name": UNITS[role],
            "load_state": service["LoadState"],
            "active_state": service["ActiveState"],
            "sub_state": service["SubState"],
            "main_pid": int(service["MainPID"] or 0),
            "enabled": service["UnitFileState"] == "enabled",
            "ours": is_ours(service["FragmentPath"]),
            "unit": host.text_of(f"/etc/systemd/system/{UNITS[role]}.service") or "",
        },
        "files": config_files(CONFIG),
        "started": config_files(STARTED) if Path(STARTED).is_dir() else None,
        "registries": host.text_of(f"{CONFIG}/registries.yaml"),
        "started_registries": host.text_of(f"{STARTED}/registries.yaml"),
        "unit_changed": unit_changed(service["FragmentPath"]),
        "binary_changed": host.stamp_of(BINARY) != (host.text_of(f"{STARTED}/binary") or "").strip(),
        "datastore_initialised": Path(f"{DATA}/server/db/etcd/member").is_dir(),
        "joined": Path("/etc/rancher/node/password").exists(),
        "ca_hash": ca_hash(),
        "cni": sorted(path.name for path in Path("/etc/cni/net.d").glob("*.conf*")),
        "etcd": etcd() if role == "server" and active and not brief else None,
        "resolved": Path("/run/systemd/resolve/resolv.conf").exists(),
    }


def installed() -> Raw:
    digest = host.sha256_of(BINARY)
    version = ""
    if digest:
        try:
            # `k3s version v1.34.4+k3s1 (abcdef01)`; asked of the wrapper, so nothing is unpacked.
            found = re.search(r"v\d+\.\d+\.\d+\S*", host.run(BINARY, "--version", timeout=30).stdout)
            version = found.group(0) if found else ""
        except OSError:  # not a program for this machine
            version = ""
    links = [name for name in LINKS if _leads_to_k3s(Path(BINARY).with_name(name))]
    return {"path": BINARY, "version": version, "sha256": digest, "links": links}


def _leads_to_k3s(link: Path) -> bool:
    return link.is_symlink() and link.resolve() == Path(BINARY).resolve()


def config_files(folder: str) -> dict[str, str]:
    """config.yaml and its drop-ins, in the order in which k3s reads them (k3s: pkg/configfilearg/parser.go)."""
    names = ["config.yaml"]
    drop_ins = Path(folder, "config.yaml.d")
    if drop_ins.is_dir():
        found = [path.name for path in drop_ins.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file()]
        names += [f"config.yaml.d/{name}" for name in sorted(found)]
    texts = {name: host.text_of(f"{folder}/{name}") for name in names}
    return {name: text for name, text in texts.items() if text is not None}


def is_ours(fragment: str) -> bool:
    text = host.text_of(fragment) if fragment else None
    return text is None or text.startswith(OURS)


def unit_changed(fragment: str) -> bool:
    return bool(fragment) and host.text_of(fragment) != host.text_of(f"{STARTED}/unit")


def ca_hash() -> str:
    """The cluster's identity, as tokens carry it: the sum of its certificate authority."""
    text = host.text_of(f"{DATA}/server/tls/server-ca.crt")
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def etcd() -> Raw:
    try:
        return k3s_etcd.observe(Etcd()).as_dict()
    except MeshwrightError as error:
        return {"error": str(error)}
