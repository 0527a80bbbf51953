"""What the lab writes for its routers and for the client behind them: routes, FRR's beginnings, keys, certificates."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from meshlab.host import Host
from meshlab.network import IPV4, IPV6, Network
from meshlab.state import Paths, write_if_changed

ROUTER_ASN = 64512
CLIENT_ASN = 64999
# Prefixes of documentation: labs are closed, so each of them may have the same.
POOLS = {IPV4: "192.0.2.0/24", IPV6: "2001:db8:20::/64"}
# Routers with which the client speaks BGP; a UniFi gateway's BGP file is replaced as a whole, so there it cannot.
SPEAKERS = ("vyos", "frr")
FRR_HEAD = """\
frr defaults traditional
hostname {hostname}
log syslog informational
service integrated-vtysh-config
!
"""


def routes(host: Host, hosts: Iterable[Host], inside: Network) -> str:
    """Lines for `ip -batch`: nodes leave by the first router, the client finds the nodes behind it."""
    if host.role == "client":
        first = next(other for other in hosts if other.is_router)
        pairs = dict(zip(inside.prefixes.values(), first.ports[1].addresses, strict=True))
    else:
        pairs = {"::/0" if ":" in gateway else "0.0.0.0/0": gateway for gateway in host.gateways or ()}
    return "".join(f"route replace {prefix} via {gateway}\n" for prefix, gateway in pairs.items())


def frr_of_router(host: Host, client: Host | None) -> str:
    """What a router has before anybody configures BGP on it; on FRR itself that includes a neighbour of its own."""
    text = FRR_HEAD.format(hostname=host.hostname)
    if host.role != "frr" or client is None:
        return text
    return text + _bgp(ROUTER_ASN, router_id(host), client.ports[0].addresses, CLIENT_ASN, "CLIENT", out="permit")


def frr_of_client(client: Host, routers: Iterable[Host], families: Iterable[str]) -> str:
    """Static routes by a UniFi gateway, sessions with all others."""
    text, speakers = FRR_HEAD.format(hostname=client.hostname), list[str]()
    for router in routers:
        if router.role in SPEAKERS:
            speakers += router.ports[1].addresses
            continue
        for family, address in zip(families, router.ports[1].addresses, strict=True):
            text += f"{'ip' if family == IPV4 else 'ipv6'} route {POOLS[family]} {address}\n"
    return text + (_bgp(CLIENT_ASN, router_id(client), speakers, ROUTER_ASN, "ROUTER", out="deny") if speakers else "")


def _bgp(asn: int, own_id: str, neighbors: Iterable[str], remote: int, name: str, out: str) -> str:
    neighbors = list(neighbors)
    lines = [f"router bgp {asn}", f" bgp router-id {own_id}", " no bgp default ipv4-unicast"]
    lines.append(" bgp bestpath as-path multipath-relax")
    for address in neighbors:
        lines += [f" neighbor {address} remote-as {remote}", f" neighbor {address} timers 3 9"]
        lines.append(f" neighbor {address} timers connect 2")
    for family in (IPV4, IPV6):
        members = [address for address in neighbors if (":" in address) == (family == IPV6)]
        if members:
            lines.append(f" address-family {family} unicast")
            for address in members:
                lines += [f"  neighbor {address} activate", f"  neighbor {address} route-map {name}-IN in"]
                lines.append(f"  neighbor {address} route-map {name}-OUT out")
            lines.append(" exit-address-family")
    # Only the side of the cluster announces anything.
    lines += ["exit", "!", f"route-map {name}-IN {'permit' if out == 'deny' else 'deny'} 10", "exit", "!"]
    lines += [f"route-map {name}-OUT {out} 10", "exit", "!"]
    return "\n".join(lines) + "\n"


def router_id(host: Host) -> str:
    """Stable and unique, also where no interface has an IPv4 address: the last four bytes of its MAC are one."""
    return ".".join(str(int(octet, 16)) for octet in host.ports[0].mac.split(":")[2:])


def environment(host: Host, client: Host | None, version: str, secrets: Mapping[str, str]) -> str:
    """For the stand-in of the router's API."""
    values = {
        "TLS_CERT": f"/etc/meshlab/{host.hostname}/tls.crt",
        "TLS_KEY": f"/etc/meshlab/{host.hostname}/tls.key",
        "ROUTER_ASN": str(ROUTER_ASN),
        "ROUTER_ID": router_id(host),
    }
    if host.role == "unifi":
        values |= {"UNIFI_API_KEY": secrets["meshlab_unifi_api_key"], "UNIFI_USERNAME": "admin"}
        values |= {"UNIFI_PASSWORD": secrets["meshlab_unifi_password"]}
    else:
        values |= {"VYOS_KEY": secrets["meshlab_vyos_key"], "VYOS_VERSION": version}
    if client is not None:
        values |= {"CLIENT_ASN": str(CLIENT_ASN), "CLIENT_ADDRESSES": ",".join(client.ports[0].addresses)}
    return "".join(f"{name}={value}\n" for name, value in values.items())


def write(
    paths: Paths, hosts: Iterable[Host], inside: Network, versions: Mapping[str, str], secrets: Mapping[str, str]
) -> None:
    """Everything of this that the hosts find in /etc/meshlab/<host>."""
    hosts = list(hosts)
    routers = [host for host in hosts if host.is_router]
    client = next((host for host in hosts if host.role == "client"), None)
    for host in hosts:
        own = paths.host_etc(host.hostname)
        if text := routes(host, hosts, inside):
            write_if_changed(own / "routes", text)
        if host is client:
            write_if_changed(own / "frr.conf", frr_of_client(host, routers, inside.prefixes))
        if host in routers:
            write_if_changed(own / "frr.conf", frr_of_router(host, client))
        if host.role in ("unifi", "vyos"):
            certificate(own, host)
            text = environment(host, client, versions[host.hostname], secrets)
            write_if_changed(own / "env", text, 0o600)


def certificate(directory: Path, host: Host) -> Path:
    """Signed by itself, as routers bring it; made once for the lab's life."""
    path, key = directory / "tls.crt", directory / "tls.key"
    if path.exists():
        return path
    directory.mkdir(parents=True, exist_ok=True)
    key.touch(mode=0o600)
    names = ",".join([f"DNS:{host.hostname}", *(f"IP:{text}" for port in host.ports for text in port.addresses)])
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "3650", "-subj", f"/CN={host.hostname}", "-addext", f"subjectAltName={names}"]
    scratch = path.with_name(".tls.crt.new")
    command += ["-keyout", str(key), "-out", str(scratch)]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    scratch.replace(path)
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of the certificate, as hexadecimal digits."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()
