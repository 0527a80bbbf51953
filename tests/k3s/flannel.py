"""Flannel as a host and the API show it."""

from __future__ import annotations

import json
from typing import Any

from .cluster import DATA, Node
from .objects import pod
from .wait import until

CONF = f"{DATA}/agent/etc/cni/net.d/10-flannel.conflist"
SUBNET = "/run/flannel/subnet.env"
NOTES = "flannel.alpha.coreos.com/"


def subnet_env(node: Node) -> dict[str, str]:
    """It is written last, when annotations and rules are on their way."""
    text = until(f"{node.name}: {SUBNET}", lambda: node.read(SUBNET), bool, 60)
    return dict(line.split("=", 1) for line in text.split())


def notes(server: Node, node: Node) -> dict[str, str]:
    """Flannel's annotations on a node."""
    found = server.get("node", node.name)["metadata"].get("annotations", {})
    return {key.removeprefix(NOTES): value for key, value in found.items() if key.startswith(NOTES)}


def wait_ready(server: Node, *nodes: Node, timeout: float = 90) -> None:
    """A node is Ready once there is a CNI configuration; flannel itself may need a moment more."""

    def look() -> dict[str, str]:
        return {
            item["metadata"]["name"]: next(c["status"] for c in item["status"]["conditions"] if c["type"] == "Ready")
            for item in server.get("nodes")["items"]
            if item["status"].get("conditions")
        }

    wanted = dict.fromkeys((node.name for node in nodes), "True")
    until("nodes are Ready", look, lambda seen: wanted.items() <= seen.items(), timeout)
    for node in nodes:
        subnet_env(node)


def networked(name: str, node: Node, port: int = 8080) -> dict[str, Any]:
    """A pod with an address of its own, put on its node without the scheduler."""
    found = pod(name, node, port)
    found["spec"]["hostNetwork"] = False
    return found


def address(server: Node, name: str) -> str:
    return str(server.get("pod", name)["status"]["podIP"])


def routes(node: Node) -> dict[str, dict[str, Any]]:
    return {item["dst"]: item for item in json.loads(node.run("ip", "-json", "route", "show"))}


def asks(node: Node, url: str) -> str:
    """What a pod answers to a host."""
    return str(node.request(url).get("body", ""))


def forget(node: Node) -> None:
    """What k3s leaves behind, on a machine without pods."""
    for link in ("cni0", "flannel.1"):
        node.run("ip", "link", "delete", link, check=False)
    node.run("rm", "-rf", "/run/flannel", "/var/lib/cni")
