"""The lab's names: in every host's /etc/hosts, and from the files host's DNS."""

from __future__ import annotations

from collections.abc import Iterable

from meshlab.host import Host

DOMAIN = "lab.test"


def dnsmasq_conf(hosts: Iterable[Host]) -> str:
    """Authoritative for everything: what the lab does not know does not exist, and is refused without a time-out."""
    lines = ["no-resolv", "no-hosts", "user=root", "domain-needed", "address=/#/"]
    for host in hosts:
        addresses = ",".join(host.ports[0].addresses)
        lines.append(f"host-record={host.hostname},{host.hostname}.{DOMAIN},{addresses}")
    return "\n".join(lines) + "\n"
