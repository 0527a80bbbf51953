"""What FRR and the kernel of a router, or of the client behind it, say themselves. Knows nothing of the collection."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from meshlab.host import Host

JSON_API = "/proxy/network/v2/api/site/default/bgp/config"


def vtysh(host: Host, command: str) -> Any:
    """What a show command of FRR's answers, read as JSON."""
    return json.loads(host.run(["vtysh", "-c", f"{command} json"]).stdout or "{}")


def peers(host: Host, family: str) -> dict[str, dict[str, Any]]:
    """Neighbours of a family by address, as the summary has them: state, pfxRcd, remoteAs, connectionsDropped …"""
    return dict(vtysh(host, f"show bgp {family} unicast summary").get("peers") or {})


def established(host: Host, family: str) -> set[str]:
    return {address for address, peer in peers(host, family).items() if peer["state"] == "Established"}


def routes(host: Host, family: str) -> dict[str, set[str]]:
    """Prefixes that BGP holds, each with the next hops that it uses. A link-local next hop counts by its global one."""
    found: dict[str, set[str]] = {}
    for prefix, paths in (vtysh(host, f"show bgp {family} unicast").get("routes") or {}).items():
        used = [path for path in paths if path.get("valid") and (path.get("bestpath") or path.get("multipath"))]
        found[prefix] = {
            hop["ip"] for path in used for hop in path.get("nexthops") or () if hop.get("scope", "global") == "global"
        }
    return found


def path_of(host: Host, family: str, prefix: str) -> dict[str, Any]:
    """The best path to a prefix with its attributes."""
    paths = vtysh(host, f"show bgp {family} unicast {prefix}").get("paths") or []
    return dict(next((path for path in paths if path.get("bestpath", {}).get("overall")), {}))


def kernel_next_hops(host: Host, prefix: str) -> set[str]:
    """Gateways of the kernel's route to exactly this prefix."""
    flag = "-6" if ":" in prefix else "-4"
    address = prefix.removesuffix("/32").removesuffix("/128")
    shown = json.loads(host.run(["ip", "-j", flag, "route", "show", address]).stdout or "[]")
    found: set[str] = set()
    for route in shown:
        hops = route.get("nexthops") or [route]
        found |= {hop.get("gateway") or hop["via"]["host"] for hop in hops if "gateway" in hop or "via" in hop}
    return found


def wait_next_hops(host: Host, prefix: str, wanted: set[str], seconds: float = 30) -> float:
    """Wait until BGP uses exactly these next hops for a prefix; how long that took."""
    family = "ipv6" if ":" in prefix else "ipv4"
    begin = time.monotonic()
    while (seen := routes(host, family).get(prefix, set())) != wanted:
        assert time.monotonic() - begin < seconds, f"{host.name}: {prefix} goes to {seen}, wanted {wanted}"
        time.sleep(0.2)
    return time.monotonic() - begin


def wait_established(host: Host, family: str, wanted: set[str], seconds: float = 60) -> float:
    """Wait until the sessions with these neighbours are up; how long that took."""
    begin = time.monotonic()
    while missing := wanted - established(host, family):
        assert time.monotonic() - begin < seconds, f"{host.name}: no session with {missing}: {peers(host, family)}"
        time.sleep(0.2)
    return time.monotonic() - begin


def configuration(host: Host) -> str:
    """What runs, in an order that does not tell how it came about."""
    return "\n".join(sorted(host.run(["vtysh", "-c", "show running-config"]).stdout.splitlines()))


def kernel_counter(host: Host, name: str) -> int:
    """A counter of the kernel's own network statistics, by nstat's name."""
    shown = json.loads(host.run(["nstat", "-asz", "--json", name]).stdout)
    return int(shown["kernel"][name])


def ask(client: Host, url: str) -> str:
    """The first answer to the client: a new service is announced by one program and served by another."""
    patience = ["--retry", "10", "--retry-delay", "1", "--retry-max-time", "10", "--retry-all-errors"]
    return client.run(["curl", "-gsS", "--max-time", "5", *patience, url]).stdout.strip()


def answers(client: Host, url: str, times: int = 60) -> set[str]:
    """Who answers so many new connections from the client, one after the other; none may fail."""
    loop = 'for _ in $(seq "$2"); do curl -gsS --max-time 5 "$1" || exit 1; echo; done'
    return set(client.run(["sh", "-c", loop, "sh", url, str(times)], timeout=6 * times).stdout.split())


def fingerprint(routers: Mapping[str, Host]) -> dict[str, str]:
    """Each router's configuration, and how often each session has ended: what a run that changes nothing leaves."""
    found = {}
    for name, host in routers.items():
        found[f"{name} running-config"] = host.run(["vtysh", "-c", "show running-config"]).stdout
        for family in ("ipv4", "ipv6"):
            for address, peer in peers(host, family).items():
                found[f"{name} session {address} {family}"] = f"dropped {peer.get('connectionsDropped')}"
    return found


def stored_file(udm: Host, api_key: str) -> dict[str, Any]:
    """The BGP file that the UniFi application holds."""
    found = json.loads(_api(udm, api_key, "GET"))
    return dict(found[0]) if found else {}


def store_file(udm: Host, api_key: str, text: str) -> None:
    """What somebody does who uploads a file by hand."""
    body = {"frr_bgpd_config": text, "uploaded_file_name": "by-hand.conf", "enabled": True}
    _api(udm, api_key, "POST", json.dumps(body))


def _api(udm: Host, api_key: str, method: str, body: str = "") -> str:
    command = ["curl", "-gksS", "--fail", "-X", method, "-H", f"X-API-KEY: {api_key}"]
    command += ["-H", "Content-Type: application/json", *(["-d", "@-"] if body else [])]
    return udm.run([*command, f"https://127.0.0.1{JSON_API}"], stdin=body or None).stdout
