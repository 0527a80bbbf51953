# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on its way from flannel to Cilium: looked at, mended, cleaned. Runs on the host, Python 3.9, stdlib only."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host as host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_iptables as iptables
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_observe
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_net as net
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

AGENT = f"{k3s_observe.DATA}/agent"
CONTAINERD = f"{AGENT}/etc/containerd/config.toml"
OWN_CONF = f"{AGENT}/etc/cni/net.d"  # where containerd looks while flannel is on
CONF = f"{OWN_CONF}/10-flannel.conflist"
CILIUM_CONF = "/etc/cni/net.d"
# What flannel's plugin and host-local keep: while there is any of it, an address may be given twice.
KEPT = ("/var/lib/cni/networks/cbr0", "/var/lib/cni/flannel")
FILES = (CONF, f"{AGENT}/etc/flannel", "/run/flannel", *KEPT)
_FIXED = re.compile(r"--(flannel-backend|disable-network-policy)\b")
_TRIES = 5

Change = t.Callable[[bool], "list[str]"]


@dataclass(frozen=True)
class Peers:
    """What the cluster tells a host of itself and of the others."""

    me: net.Peer
    others: tuple[net.Peer, ...]
    flannels: tuple[str, ...]  # names of those that have not been moved
    backend: str


def peers_of(node: str, nodes: t.Iterable[t.Mapping[str, t.Any]]) -> Peers:
    """`nodes`: name, addresses, pod_cidrs, notes and moved of each."""
    listed = list(nodes)
    found = {item["name"]: net.peer_of(item["name"], item["addresses"], item["pod_cidrs"], item["notes"])
             for item in listed}  # fmt: skip
    if node not in found:
        raise MeshwrightError(
            f"the node {node}", seen="not in the cluster", wanted="there", remedy="see `kubectl get nodes`"
        )
    backends = [item["notes"]["backend-type"] for item in listed if item["notes"].get("backend-type")]
    return Peers(
        found[node], tuple(peer for name, peer in found.items() if name != node),
        tuple(item["name"] for item in listed if not item["moved"] and item["name"] != node),
        backends[0] if backends else "",
    )


# -- looking


def observe(role: str, peers: Peers) -> dict[str, t.Any]:
    unit = k3s_observe.UNITS[role]
    seen, links = routes(), set(link_names())
    return {
        "up": host.unit(unit)["ActiveState"] == "active",
        "runs_none": runs_none(host.text_of(CONTAINERD)),
        "fixed": fixed(host.run("systemctl", "show", unit, "--property=ExecStart").stdout),
        "files": k3s_observe.config_files(k3s_observe.CONFIG) if role == "server" else {},
        "bridge": net.BRIDGE in links or any(map(_filled, KEPT)),
        "overlay": has_overlay(seen, links, peers),
        "remains": bool(remains(links)),
        "frozen": _chains(net.ROUTER_CHAINS),
        "direct": net.direct(seen, peers.others),
        "behind": [peer.name for peer in peers.others if _by_gateway(peer)],
        "conf": any("cilium" in path.name for path in Path(CILIUM_CONF).glob("*.conf*")),
    }


def runs_none(containerd: str | None) -> bool:
    """k3s writes containerd's configuration at each start, and its own CNI directory only with flannel."""
    return containerd is not None and OWN_CONF not in containerd


def fixed(shown: str) -> str:
    """Options of the command line beat every file (k3s docs: installation/configuration.md)."""
    return "the unit's command line" if _FIXED.search(shown) else ""


def has_overlay(seen: net.Routes, links: t.AbstractSet[str], peers: Peers) -> bool:
    if not net.reaches(seen, peers.others):
        return False
    return peers.backend != "vxlan" or all(net.OVERLAYS[family] in links for family in _families(peers.me))


def remains(links: t.AbstractSet[str]) -> list[str]:
    """What of flannel's a sweep would take, in words."""
    found = [f"the link {name}" for name in (net.BRIDGE, *net.OVERLAYS.values()) if name in links]
    found += [f"the file {path}" for path in FILES if Path(path).exists()]
    count = _chains(net.CHAINS)
    return found + ([f"{count} chains"] if count else [])


def routes() -> net.Routes:
    return net.routes(*(host.run("ip", "-json", f"-{family}", "route", "show").stdout for family in (4, 6)))


def link_names() -> list[str]:
    return [item["ifname"] for item in json.loads(host.run("ip", "-json", "link", "show").stdout or "[]")]


def _families(me: net.Peer) -> set[int]:
    return {6 if ":" in cidr else 4 for cidr in me.pod_cidrs}


def _by_gateway(peer: net.Peer) -> bool:
    for address in peer.addresses[:1]:
        for item in json.loads(host.run("ip", "-json", "route", "get", address).stdout or "[]"):
            if item.get("gateway"):
                return True
    return False


def _filled(path: str) -> bool:
    found = Path(path)
    return found.is_dir() and any(found.iterdir())


def _chains(names: re.Pattern[str]) -> int:
    return sum(net.count(iptables.saved(backend), names) for backend in iptables.backends())


# -- changing; each answers what it did, or would do


def clear(check: bool) -> list[str]:
    """What would be in Cilium's way: the bridge with all that hangs on it, kept addresses, frozen rules."""
    found = [f"the link {net.BRIDGE}"] if net.BRIDGE in link_names() else []
    found += [f"the directory {path}" for path in KEPT if Path(path).exists()]
    frozen = _chains(net.ROUTER_CHAINS)
    if frozen:
        found.append(f"{frozen} chains of the network policy controller")
    if not check:
        _unlink(net.BRIDGE)
        _remove(KEPT)
        _sweep_rules(net.ROUTER_CHAINS)
    return found


def mend(peers: Peers, check: bool) -> list[str]:
    """The ways to nodes that have flannel yet; those to the others are Cilium's."""
    links = set(link_names())
    device, mtu = _outside(peers)
    others = tuple(peer for peer in peers.others if peer.name in peers.flannels)
    commands = [
        argv for argv in net.overlay(peers.me, others, device, mtu, peers.backend)
        if not (argv[:3] == ("ip", "link", "add") and argv[3] in links)
    ]  # fmt: skip
    if not check:
        for argv in commands:
            _do(*argv)
    return [" ".join(argv) for argv in commands]


def sweep(check: bool) -> list[str]:
    """All that is left of flannel. Routes go with their links; those of host-gw have become Cilium's."""
    found = remains(set(link_names()))
    if not check:
        for name in (net.BRIDGE, *net.OVERLAYS.values()):
            _unlink(name)
        _sweep_rules(net.CHAINS)
        _remove(FILES)
    return found


def renew(pods: t.Collection[str], check: bool) -> list[str]:
    """Stops sandboxes of the old network; kubelet makes new ones of the same pods, static ones too."""
    crictl = (k3s_observe.BINARY, "crictl")
    found = sandboxes(host.run(*crictl, "pods").stdout, pods)
    if not check:
        for identity in found:
            _do(*crictl, "stopp", identity)
    return list(found.values())


def sandboxes(table: str, pods: t.Collection[str]) -> dict[str, str]:
    """Of the table that `crictl pods` prints: id → namespace/name, of those that are wanted."""
    lines = table.splitlines()
    if not lines:
        return {}
    columns = {match.group(): match.start() for match in re.finditer(r"\S+(?: \S+)*", lines[0])}
    starts = sorted(columns.values())

    def cell(line: str, title: str) -> str:
        start = columns[title]
        end = next((other for other in starts if other > start), None)
        return line[start:end].strip()

    found = {cell(line, "POD ID"): f"{cell(line, 'NAMESPACE')}/{cell(line, 'NAME')}" for line in lines[1:] if line}
    return {identity: name for identity, name in found.items() if name in pods}


def _outside(peers: Peers) -> tuple[str, int]:
    """The device by which the node's own address is known, and its MTU."""
    for item in json.loads(host.run("ip", "-json", "address", "show").stdout or "[]"):
        if any(entry.get("local") in peers.me.addresses for entry in item.get("addr_info", ())):
            return str(item["ifname"]), int(item["mtu"])
    raise MeshwrightError(
        "the node's own address", seen=f"on no link ({', '.join(peers.me.addresses)})", wanted="on one of the host's",
        remedy="see node-ip in k3s' configuration",
    )


def _unlink(name: str) -> None:
    if name in link_names():
        _do("ip", "link", "delete", name)


def _remove(paths: t.Iterable[str]) -> None:
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _sweep_rules(names: re.Pattern[str]) -> None:
    """Read and made once more where somebody wrote rules meanwhile."""
    for backend in iptables.backends():
        for _try in range(_TRIES):
            text = net.rules(iptables.saved(backend), names)
            if not text:
                break
            said = iptables.run((backend.restore, "--noflush", "--wait", "5"), text).stderr.strip()
        else:
            if net.count(iptables.saved(backend), names):
                raise MeshwrightError(
                    f"flannel's rules ({backend.name})", seen=f"still there after {_TRIES} tries ({said[-200:]})",
                    wanted="gone", remedy="see who writes them, and run it again",
                )


def _do(*argv: str) -> None:
    done = host.run(*argv)
    if done.returncode != 0:
        raise MeshwrightError(
            f"`{' '.join(argv)}`", seen=f"failed ({(done.stderr or done.stdout).strip()[-300:]})", wanted="done",
            remedy="run it by hand on the host, and then this again",
        )


# -- for the module


def act(wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """What the module answers."""
    state = wanted["state"]
    if state == "observed":
        return {"changed": False, "raw": observe(wanted["role"], peers_of(wanted["node"], wanted["nodes"]))}
    changes: dict[str, Change] = {
        "cleared": clear, "swept": sweep,
        "mended": lambda check: mend(peers_of(wanted["node"], wanted["nodes"]), check),
        "renewed": lambda check: renew(wanted["pods"], check),
    }  # fmt: skip
    done = changes[state](check)
    return {"changed": bool(done), "done": done}
