"""Both ends of BGP after site.yml, each asked for itself: the routers' FRR and kernel, the agents, a client outside.

Nothing here knows which routers and families the lab has, so that each scenario with routers is verified by it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

import pytest
from meshlab import fingerprint, frr
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.inventory import CLUSTER_CIDRS, SERVICE_CIDRS
from meshlab.lab import Lab
from meshlab.network import IPV4, IPV6
from meshlab.playbook import Run
from meshlab.routers import POOLS
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
# What the inventory lets the cluster announce: addresses of pools and services, and each node's part of the pods'.
ALLOWED = [
    (ipaddress.ip_network(prefix), length)
    for prefix, length in (
        *((pool, 128 if ":" in pool else 32) for pool in POOLS.values()),
        (SERVICE_CIDRS[IPV4], 32), (SERVICE_CIDRS[IPV6], 128), (CLUSTER_CIDRS[IPV4], 24), (CLUSTER_CIDRS[IPV6], 64),
    )
]  # fmt: skip
STRANGER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family) as connection:
    connection.settimeout(3)
    connection.connect((sys.argv[1], 179))
"""


def family_of(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"


def of_family(hosts: dict[str, Host], family: str) -> dict[str, str]:
    """Each host's name with its address of this family."""
    return {
        name: address
        for name, host in hosts.items()
        for address in host.ports[0].addresses
        if family_of(address) == family
    }


def families(lab: Lab) -> list[str]:
    return [family_of(address) for address in next(iter(lab.routers.values())).ports[0].addresses]


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Workload]:
    """A pod on each node and a LoadBalancer service over them."""
    with Workload(cluster, "verify-bgp").on_every_node() as workload:
        yield workload


def test_every_node_has_its_sessions(lab: Lab, members: dict[str, Host]) -> None:
    for family in families(lab):
        for router in lab.routers.values():
            frr.wait_established(router, family, set(of_family(members, family).values()), seconds=30)


def test_sessions_are_signed(lab: Lab, members: dict[str, Host]) -> None:
    """A router drops, and counts, what a node says without the signature."""
    for router in lab.routers.values():
        before = frr.kernel_counter(router, "TcpExtTCPMD5NotFound")
        shown = next(iter(members.values())).run(["python3", "-c", STRANGER, router.ip], check=False)
        assert "timed out" in shown.stderr, shown
        assert frr.kernel_counter(router, "TcpExtTCPMD5NotFound") > before


def test_a_service_is_reached_from_outside_over_all_nodes(lab: Lab, members: dict[str, Host], web: Workload) -> None:
    addresses = web.addresses()
    assert {family_of(address) for address in addresses} == set(families(lab))
    for address in addresses:
        wanted = set(of_family(members, family_of(address)).values())
        for router in lab.routers.values():
            frr.wait_next_hops(router, prefix_of(address), wanted)
            assert frr.kernel_next_hops(router, prefix_of(address)) == wanted
        host = f"[{address}]" if ":" in address else address
        assert frr.answers(lab.hosts["client"], f"http://{host}/hostname") == set(web.pods())


def prefix_of(address: str) -> str:
    return str(ipaddress.ip_network(address))


def test_a_local_service_is_announced_by_nodes_that_have_its_pods(
    lab: Lab, members: dict[str, Host], cluster: Cluster
) -> None:
    client = lab.hosts["client"]
    with Workload(cluster, "verify-bgp-local", policy="Local").on_node("agent1") as workload:
        for address in workload.addresses():
            only = of_family(members, family_of(address))["agent1"]
            for router in lab.routers.values():
                frr.wait_next_hops(router, prefix_of(address), {only})
            host = f"[{address}]" if ":" in address else address
            source = frr.ask(client, f"http://{host}/clientip").rpartition(":")[0].strip("[]")
            assert source in client.ports[0].addresses, "the client's own address did not arrive"


def test_routers_take_nothing_but_what_the_cluster_may_announce(lab: Lab, web: Workload) -> None:
    web.addresses()
    for family in families(lab):
        for router in lab.routers.values():
            taken = [ipaddress.ip_network(prefix) for prefix in frr.routes(router, family)]
            assert taken, f"{router.name} has no route at all"
            foreign = [network for network in taken if not allowed(network)]
            assert foreign == [], router.name


def allowed(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return any(network.prefixlen == length and network.overlaps(parent) for parent, length in ALLOWED)


def everything(lab: Lab, members: dict[str, Host]) -> dict[str, str]:
    return fingerprint.of_hosts(members) | fingerprint.of_cluster(lab.paths.kubeconfig) | frr.fingerprint(lab.routers)


def untouched(play: Callable[..., Run], lab: Lab, members: dict[str, Host], *args: str) -> Run:
    before = everything(lab, members)
    run = play("site.yml", *args).succeeded()
    print(f"site.yml {' '.join(args)}: {run.seconds:.1f} s")
    assert fingerprint.difference(before, everything(lab, members)) == []
    assert set(run.changed.values()) == {0}
    return run


def test_a_second_run_changes_nothing_and_finds_all_well(
    play: Callable[..., Run], lab: Lab, members: dict[str, Host]
) -> None:
    run, sessions = untouched(play, lab, members), len(members) * len(families(lab))
    for name in lab.routers:
        line = re.search(rf"\b{name} +(\d+)/(\d+) +\d+ +(\d+)", run.output)
        assert line, f"nothing is reported of {name}"
        assert [int(number) for number in line.groups()] == [sessions, sessions, 0], line.group()


def test_a_dry_run_on_the_live_cluster_changes_nothing(
    play: Callable[..., Run], lab: Lab, members: dict[str, Host]
) -> None:
    untouched(play, lab, members, "--check", "--diff")
