"""Properties of the judgement of networks, whatever the networks are."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import judge_cidrs
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import REFUSE
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Network, networks, words

# A busy machine is no counterexample.


@st.composite
def some_network(draw: st.DrawFn, family: int | None = None) -> Network:
    version = family or draw(st.sampled_from((4, 6)))
    bits = 32 if version == 4 else 128
    prefix = draw(st.integers(1, bits))
    number = draw(st.integers(0, 2**bits - 1)) >> (bits - prefix) << (bits - prefix)
    return ipaddress.IPv4Network((number, prefix)) if version == 4 else ipaddress.IPv6Network((number, prefix))


def members(network: Network) -> range:
    return range(int(network.network_address), int(network.broadcast_address) + 1)


@given(some_network(), some_network())
def test_overlap_is_what_sharing_an_address_is(a: Network, b: Network) -> None:
    first, last = max(members(a).start, members(b).start), min(members(a).stop, members(b).stop)
    assert judge_cidrs.overlap(a, b) is (a.version == b.version and first < last)
    assert judge_cidrs.overlap(a, b) is judge_cidrs.overlap(b, a)


NAMES = st.sampled_from(("k3s_cluster_cidr", "k3s_service_cidr", "preflight_lb_pools"))


@given(st.lists(st.tuples(NAMES, some_network()), max_size=6))
def test_every_overlap_of_two_variables_is_told_and_no_other(named: list[tuple[str, Network]]) -> None:
    pairs = [
        (a, b)
        for index, (name_a, a) in enumerate(named)
        for name_b, b in named[index + 1 :]
        if name_a != name_b and judge_cidrs.overlap(a, b)
    ]
    found = list(judge_cidrs.judge_overlaps(named))
    assert len(found) == len(pairs)
    for finding in found:
        assert finding.level == REFUSE and finding.remedy


@given(some_network(4), some_network(6))
def test_the_text_of_a_network_is_accepted_and_one_with_host_bits_is_not(fourth: Network, sixth: Network) -> None:
    assert list(judge_cidrs.judge_list("x", f"{fourth}, {sixth}")) == []
    for network in (fourth, sixth):
        if network.prefixlen < network.max_prefixlen:
            inside = f"{network.network_address + 1}/{network.prefixlen}"
            (finding,) = judge_cidrs.judge_list("x", inside)
            assert finding.remedy == f"write {network}"


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever is written, it is either read in full or refused; nothing is raised and nothing is passed over."""
    refused = list(judge_cidrs.judge_list("x", text))
    assert refused or len(networks(text)) == len(words(text))


@given(st.integers(1, 5000), st.integers(8, 24), st.integers(16, 30))
def test_room_for_nodes(nodes: int, prefix: int, mask: int) -> None:
    network = ipaddress.ip_network(f"10.0.0.0/{prefix}")
    found = list(judge_cidrs.judge_pod_room((network,), nodes, {4: mask, 6: 64}))
    room = 2 ** (mask - prefix) if mask >= prefix else 0
    assert bool(found) is (room < nodes or mask - prefix > 16)


@given(st.permutations((4, 6)), st.permutations((4, 6)))
def test_families_have_one_order(cluster: list[int], service: list[int]) -> None:
    texts: Any = {4: ("10.42.0.0/16", "10.43.0.0/16"), 6: ("fd00:42::/56", "fd00:43::/112")}
    found = list(
        judge_cidrs.judge_families(
            ",".join(texts[family][0] for family in cluster), ",".join(texts[family][1] for family in service)
        )
    )
    assert bool(found) is (cluster != service)


def test_node_masks_from_the_controller_manager() -> None:
    extra = {"kube-controller-manager-arg": ["node-cidr-mask-size-ipv4=25", "v=2"]}
    assert judge_cidrs.node_masks(extra) == {4: 25, 6: 64}
    assert judge_cidrs.node_masks({}) == {4: 24, 6: 64}
