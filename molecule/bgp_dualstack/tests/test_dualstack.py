"""What is particular to two families: each has sessions and routes of its own, on either kind of router."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from meshlab import frr
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
FAMILIES = ("ipv4", "ipv6")


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Workload]:
    with Workload(cluster, "verify-dualstack").on_every_node() as workload:
        yield workload


def test_each_family_has_sessions_over_its_own_addresses(lab: Lab, members: dict[str, Host]) -> None:
    nodes = {address for host in members.values() for address in host.ports[0].addresses}
    for router in lab.routers.values():
        for family in FAMILIES:
            own = {address for address in nodes if (":" in address) == (family == "ipv6")}
            assert set(frr.peers(router, family)) & nodes == own, router.hostname


def test_a_service_is_announced_in_both_families_alike(lab: Lab, members: dict[str, Host], web: Workload) -> None:
    addresses = web.addresses()
    assert [":" in address for address in sorted(addresses, key=len)] == [False, True]
    for address in addresses:
        family, prefix = ("ipv6", f"{address}/128") if ":" in address else ("ipv4", f"{address}/32")
        for router in lab.routers.values():
            frr.wait_next_hops(
                router, prefix, {host.ports[0].addresses[FAMILIES.index(family)] for host in members.values()}
            )
            assert frr.path_of(router, family, prefix)["community"]["string"] == "65000:100"


def test_the_client_has_the_way_by_vyos_in_both_families(lab: Lab, web: Workload) -> None:
    """By the UniFi gateway it has the whole pools, statically, which lose against a host's route."""
    outside = lab.hosts["vyos1"].ports[1].addresses
    for address in web.addresses():
        family, prefix = ("ipv6", f"{address}/128") if ":" in address else ("ipv4", f"{address}/32")
        frr.wait_next_hops(lab.hosts["client"], prefix, {outside[FAMILIES.index(family)]})
