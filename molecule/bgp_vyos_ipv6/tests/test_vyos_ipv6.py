"""What is particular to a cluster without IPv4 behind two VyOS routers that others use too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client
from meshlab import ends, fingerprint, frr
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.inventory import SERVICE_CIDRS
from meshlab.lab import Lab
from meshlab.network import IPV6
from meshlab.playbook import Run
from meshlab.workload import Workload

testinfra_hosts = ["local://"]
Play = Callable[..., Run]
BGP = "playbooks/bgp.yml"


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Workload]:
    with Workload(cluster, "verify-ipv6").on_every_node() as workload:
        yield workload


@pytest.fixture(autouse=True)
def session_with_the_client(lab: Lab) -> Iterator[None]:
    """It is somebody else's: configured by nobody of us, and up before, during and after every run."""

    def seen() -> list[tuple[str, int]]:
        peers = [frr.peers(router, "ipv6")[lab.hosts["client"].ip] for router in lab.routers.values()]
        return [(peer["state"], peer["connectionsDropped"]) for peer in peers]

    before = seen()
    assert [state for state, _dropped in before] == ["Established"] * 2
    yield
    assert seen() == before


# -- no IPv4


def test_no_host_has_an_ipv4_address(lab: Lab) -> None:
    for host in lab.hosts.values():
        shown = json.loads(host.run(["ip", "-j", "-4", "address"]).stdout)
        found = [address["local"] for link in shown for address in link.get("addr_info", ()) if link["ifname"] != "lo"]
        assert found == [], host.hostname


def test_nothing_in_the_cluster_has_an_ipv4_address(cluster: Cluster, web: Workload) -> None:
    web.addresses()
    pods = cluster.core.list_pod_for_all_namespaces().items
    services = cluster.core.list_service_for_all_namespaces().items
    addresses = [entry.ip for pod in pods for entry in pod.status.pod_ips or ()]
    addresses += [address for service in services for address in service.spec.cluster_ips]
    addresses += [entry.ip for service in services for entry in service.status.load_balancer.ingress or ()]
    for node in cluster.nodes().values():
        addresses += [entry.address for entry in node.status.addresses if entry.type == "InternalIP"]
        addresses += node.spec.pod_cidrs
    assert addresses and [address for address in addresses if ":" not in address] == []


def test_the_agents_serve_ipv6_alone_without_kube_proxy(cluster: Cluster) -> None:
    for node in cluster.nodes():
        status = cluster.agent_status(node)
        assert status["cilium"]["state"] == "Ok"
        assert status["kube-proxy-replacement"]["mode"] == "True"
        assert status["ipam"]["ipv6"] and not status["ipam"].get("ipv4"), node


# -- what the routers are told


def told(router: Host, prefix: str) -> dict[str, object]:
    path = frr.path_of(router, "ipv6", prefix)
    return {
        "communities": path.get("community", {}).get("string"),
        "large": path.get("largeCommunity", {}).get("string"),
        "preference": path.get("locPrf"),
    }


def test_routes_have_their_communities_and_preference_on_both_routers(
    lab: Lab, members: dict[str, Host], cluster: Cluster, web: Workload
) -> None:
    """Local preference does not cross an eBGP session: the router has set it."""
    every = {host.ip for host in members.values()}
    wanted: dict[str, tuple[set[str], dict[str, object]]] = {}
    for address in web.addresses():
        known = {"communities": "65000:100", "large": "65000:100:1", "preference": None}
        wanted[f"{address}/128"] = every, known
    for address in web.cluster_addresses():
        wanted[f"{address}/128"] = every, {"communities": "65000:43", "large": None, "preference": 120}
    for name, node in cluster.nodes().items():
        known = {"communities": "65000:99", "large": None, "preference": 99}
        wanted[node.spec.pod_cidrs[0]] = {members[name].ip}, known
    for router in lab.routers.values():
        for prefix, (hops, known) in wanted.items():
            frr.wait_next_hops(router, prefix, hops)
            assert told(router, prefix) == known, (router.hostname, prefix)


def test_the_pods_networks_are_routes_of_their_nodes(lab: Lab, cluster: Cluster) -> None:
    """Node-sized, and all of them; no router has the whole of the pods' network."""
    wanted = {node.spec.pod_cidrs[0] for node in cluster.nodes().values()}
    assert {prefix.rpartition("/")[2] for prefix in wanted} == {"64"}
    for router in lab.routers.values():
        assert {prefix for prefix in frr.routes(router, "ipv6") if not prefix.endswith("/128")} == wanted


def test_the_client_goes_by_both_routers(lab: Lab, web: Workload) -> None:
    """It learns the way from each of them, and uses both."""
    client_host = lab.hosts["client"]
    outside = {router.ports[1].addresses[0] for router in lab.routers.values()}
    for address in web.addresses() + web.cluster_addresses():
        frr.wait_next_hops(client_host, f"{address}/128", outside)
        assert len(frr.kernel_next_hops(client_host, f"{address}/128")) == len(outside)


def test_cluster_ips_and_pods_answer_the_client(lab: Lab, cluster: Cluster, web: Workload) -> None:
    (address,) = web.cluster_addresses()
    assert address.startswith(SERVICE_CIDRS[IPV6].partition("::")[0])
    assert frr.answers(lab.hosts["client"], f"http://[{address}]/hostname") == set(web.pods())
    for pod in cluster.core.list_namespaced_pod(web.namespace).items:
        assert frr.ask(lab.hosts["client"], f"http://[{pod.status.pod_ip}]:8080/hostname") == pod.metadata.name


# -- changes by hand, either way to a router, and routers that go


@pytest.fixture
def by_command_line(tmp_path: Path) -> tuple[str, ...]:
    """vyos2 so; all else stays as the lab's inventory says."""
    return ends.by_command_line(tmp_path, "vyos2")


def test_changes_by_hand_are_found_and_mended_by_either_way(
    play: Play, lab: Lab, members: dict[str, Host], by_command_line: tuple[str, ...]
) -> None:
    """vyos1 by its HTTP API, vyos2 by its command line, which comes to the same as the API did before."""
    routers = list(lab.routers.values())
    before = frr.fingerprint(lab.routers)
    group = f"MW-LAB-{lab.paths.prefix.upper()}-IPV6"
    limit = ["protocols", "bgp", "peer-group", group, "address-family", "ipv6-unicast", "maximum-prefix"]
    foreign = ["protocols", "static", "route6", "2001:db8:52::/48", "blackhole"]
    for router in routers:
        ends.configure(lab, router, "set", [*limit, "77"])
        ends.configure(lab, router, "set", foreign)
    changed = frr.fingerprint(lab.routers)

    dry = play(BGP, *by_command_line, "--check", "--diff").succeeded()
    assert {name for name, count in dry.changed.items() if count} == {"vyos1", "vyos2"}
    assert len(re.findall(r"- protocols .* maximum-prefix\s+77", dry.output)) == 2, dry.tail()
    assert fingerprint.difference(changed, frr.fingerprint(lab.routers)) == [], "a dry run wrote"

    run = play(BGP, *by_command_line).succeeded()
    assert {name for name, count in run.changed.items() if count} == {"vyos1", "vyos2"}
    for router in routers:
        frr.wait_established(router, "ipv6", {host.ip for host in members.values()}, seconds=60)
        assert "2001:db8:52::/48" in router.run(["vtysh", "-c", "show running-config"]).stdout, "not ours to remove"
        ends.configure(lab, router, "delete", foreign)
    configurations = {thing for thing in before if thing.endswith("running-config")}
    after = frr.fingerprint(lab.routers)
    assert {thing: after[thing] for thing in configurations} == {thing: before[thing] for thing in configurations}
    assert set(play(BGP, *by_command_line).succeeded().changed.values()) == {0}


def peers_of_the_cluster(cluster: Cluster) -> dict[str, set[str]]:
    """For each node, the routers' addresses that its agent speaks with."""
    api = client.CustomObjectsApi(cluster.core.api_client)
    found = api.list_cluster_custom_object("cilium.io", "v2", "ciliumbgpnodeconfigs")["items"]
    return {
        item["metadata"]["name"]: {
            peer["peerAddress"] for part in item["spec"]["bgpInstances"] for peer in part["peers"]
        }
        for item in found
    }


def test_a_router_that_leaves_the_inventory_loses_its_peers(
    play: Play, lab: Lab, members: dict[str, Host], cluster: Cluster, web: Workload
) -> None:
    first, second = lab.hosts["vyos1"], lab.hosts["vyos2"]
    (address,), every = web.addresses(), {host.ip for host in members.values()}
    before = frr.fingerprint({"vyos1": first})
    play(BGP, env={"MESHLAB_WITHOUT": "vyos2"}).succeeded()
    assert peers_of_the_cluster(cluster) == {name: {first.ip} for name in members}
    frr.wait_next_hops(second, f"{address}/128", set())
    assert not frr.established(second, "ipv6") & every
    frr.wait_next_hops(lab.hosts["client"], f"{address}/128", {first.ports[1].addresses[0]})
    assert frr.ask(lab.hosts["client"], f"http://[{address}]/hostname") in web.pods()
    assert fingerprint.difference(before, frr.fingerprint({"vyos1": first})) == [], "the other router noticed"

    play(BGP).succeeded()
    assert peers_of_the_cluster(cluster) == {name: {first.ip, second.ip} for name in members}
    frr.wait_next_hops(second, f"{address}/128", every)
