"""Which flows are forgotten, from what the kernel lists."""

from __future__ import annotations

import ipaddress

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.kube_flows import (
    Services,
    forgotten_by,
    parse,
    stale,
)

LISTED = """\
udp      17 25 src=10.42.1.5 dst=10.43.0.10 sport=40000 dport=53 src=10.42.2.7 dst=10.42.1.5 sport=53 dport=40000 mark=0 use=1
udp      17 25 src=10.42.1.6 dst=10.43.0.10 sport=40001 dport=53 [UNREPLIED] src=10.42.2.7 dst=10.42.1.6 sport=53 dport=40001 use=1
udp      17 25 src=10.42.1.6 dst=10.42.2.7 sport=40002 dport=53 src=10.42.2.7 dst=10.42.1.6 sport=53 dport=40002 use=1
udp      17 25 src=192.0.2.9 dst=192.0.2.1 sport=40003 dport=30053 src=10.42.2.7 dst=192.0.2.1 sport=53 dport=40003 use=1
udp      17 25 src=192.0.2.9 dst=192.0.2.1 sport=40003 dport=123 src=192.0.2.1 dst=192.0.2.9 sport=123 dport=40003 use=1
tcp      6 86 ESTABLISHED src=10.42.1.5 dst=10.43.0.10 sport=40000 dport=53 src=10.42.2.7 dst=10.42.1.5 sport=53 dport=40000 use=1
ipv6     10 udp      17 25 src=fd00:42::5 dst=fd00:43::a sport=40000 dport=53 src=fd00:42::7 dst=fd00:42::5 sport=53 dport=40000 use=2
ipv4     2 udp      17 5 src=198.51.100.7 dst=203.0.113.9 sport=1 dport=4500 src=10.42.2.7 dst=198.51.100.7 sport=4500 dport=1 use=2
udp      17 25 cut off src=10.42.1.5
conntrack v1.4.7 (conntrack-tools): 8 flow entries have been shown.
"""  # noqa: E501
SERVICES = Services(
    (ipaddress.ip_network("10.43.0.0/16"), ipaddress.ip_network("fd00:43::/112")),
    frozenset({ipaddress.ip_address("203.0.113.9")}), frozenset({30053}),
    frozenset({ipaddress.ip_address("192.0.2.1")}),
)  # fmt: skip


def test_only_translated_flows_to_services() -> None:
    found = stale(parse(LISTED), SERVICES)
    assert len(parse(LISTED)) == 7
    assert [(str(flow.destination), flow.port) for flow in found] == [
        ("10.43.0.10", 53), ("10.43.0.10", 53), ("192.0.2.1", 30053), ("fd00:43::a", 53), ("203.0.113.9", 4500),
    ]  # fmt: skip


def test_one_command_for_each_end() -> None:
    commands = forgotten_by(stale(parse(LISTED), SERVICES))
    assert len(commands) == 4
    assert commands[0] == (
        "conntrack", "-D", "-f", "ipv4", "-p", "udp", "--orig-dst", "10.43.0.10", "--orig-port-dst", "53",
    )  # fmt: skip
    assert commands[-1][3] == "ipv6"


def test_nothing() -> None:
    assert parse("") == () and forgotten_by(()) == () and stale(parse(LISTED), Services()) == ()
