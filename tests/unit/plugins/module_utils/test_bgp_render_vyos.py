"""What VyOS is told, for each version, and that each version knows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_render_vyos as render
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import vyos_paths
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    CLUSTER_IPS,
    IPV4,
    IPV6,
    LISTEN,
    LOAD_BALANCER_IPS,
    NODES,
    POD_CIDRS,
    PRESETS,
    Announcement,
    Bgp,
    Node,
    Pool,
    Router,
    Timers,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

ROUTER = Router(
    "vyos1", "vyos", 64512, ("192.0.2.3", "2001:db8::3"), router_id="192.0.2.3", password="s3cret", version="1.5",
    families=(IPV4, IPV6), announcements=("lb", "pods"),
)
BGP = Bgp(
    "home", 65000, routers=(ROUTER,),
    nodes=(Node("n1", "n1", ("192.0.2.11", "2001:db8::11")), Node("n2", "n2", ("192.0.2.12", "2001:db8::12"))),
    pools=(Pool("main", ("198.51.100.0/24", "2001:db8:20::/64")),),
    announcements=(
        Announcement("lb", LOAD_BALANCER_IPS),
        Announcement("pods", POD_CIDRS, communities=("65000:99",), local_preference=99),
    ),
    pod_cidrs=("10.42.0.0/16", "2001:db8:42::/56"), service_cidrs=("10.43.0.0/16", "2001:db8:43::/112"),
)


def lines(bgp: Bgp, router: Router) -> set[str]:
    return {" ".join(path) for path in render.commands(bgp, router)}


ANNOUNCEMENTS = st.lists(
    st.builds(
        Announcement, st.sampled_from(["lb", "pods", "blue"]),
        st.sampled_from([LOAD_BALANCER_IPS, POD_CIDRS, CLUSTER_IPS]),
        communities=st.sampled_from([(), ("65000:1",), ("65000:2", "65000:3")]),
        large_communities=st.sampled_from([(), ("65000:1:1",)]),
        local_preference=st.sampled_from([None, 50, 200]),
    ),
    max_size=3, unique_by=lambda item: item.name,
).map(tuple)
ROUTERS = st.builds(
    Router, st.just("vyos1"), st.just("vyos"), st.sampled_from([64512, 65000]), st.just(ROUTER.addresses),
    router_id=st.sampled_from(["", "192.0.2.3"]), password=st.sampled_from(["", "s3cret'x"]),
    timers=st.sampled_from([*PRESETS.values(), Timers(restart=0)]), multihop=st.sampled_from([0, 4]),
    families=st.sampled_from([(IPV4,), (IPV6,), (IPV4, IPV6)]), neighbors=st.sampled_from([NODES, LISTEN]),
    listen_ranges=st.just(("192.0.2.0/24", "2001:db8::/64")), announcements=st.just(("lb", "pods", "blue")),
    accept=st.sampled_from([(), ("203.0.113.7/32", "2001:db8:9::/48")]), version=st.sampled_from(render.VERSIONS),
)


@given(ROUTERS, ANNOUNCEMENTS)
def test_each_version_knows_all_that_it_is_told(router: Router, announcements: tuple[Announcement, ...]) -> None:
    bgp = replace(BGP, announcements=announcements)
    if render.refusals(bgp, router):
        return
    paths = render.commands(bgp, router)
    assert vyos_paths.check(paths, router.version) == []
    assert list(paths) == sorted(set(paths))
    assert not any(router.password in line for line in render.masked(paths) if router.password)


def test_14_and_15() -> None:
    found = lines(BGP, ROUTER)
    assert found == lines(BGP, replace(ROUTER, version="1.4"))
    assert {
        "protocols bgp system-as 64512",
        "protocols bgp parameters ebgp-requires-policy",
        "protocols bgp address-family ipv6-unicast maximum-paths ebgp 8",
        "protocols bgp peer-group MW-HOME-IPV6 remote-as 65000",
        "protocols bgp peer-group MW-HOME-IPV6 password s3cret",
        "protocols bgp peer-group MW-HOME-IPV6 address-family ipv6-unicast route-map export MW-HOME-IPV6-OUT",
        "protocols bgp neighbor 2001:db8::11 peer-group MW-HOME-IPV6",
        "protocols bgp neighbor 192.0.2.12 timers holdtime 9",
        "policy route-map MW-HOME-IPV6-OUT rule 10 action deny",
        "policy route-map MW-HOME-IPV6-IN rule 10 set local-preference 99",
        "policy route-map MW-HOME-IPV6-IN rule 10 match ipv6 address prefix-list MW-HOME-IPV6-10",
        "policy prefix-list6 MW-HOME-IPV6-10 rule 10 ge 64",
        "policy prefix-list6 MW-HOME-IPV6-10 rule 10 le 64",
        "policy prefix-list MW-HOME-IPV4-ACCEPT rule 10 prefix 198.51.100.0/24",
        "policy prefix-list MW-HOME-IPV4-ACCEPT rule 10 ge 32",
    } <= found
    assert "policy prefix-list MW-HOME-IPV4-ACCEPT rule 10 le 32" not in found
    assert not any("peer-group MW-HOME-IPV4 timers" in line for line in found)


def test_13() -> None:
    found = lines(BGP, replace(ROUTER, version="1.3"))
    assert "protocols bgp 64512 neighbor 2001:db8::11 remote-as 65000" in found
    own = "protocols bgp 64512 neighbor 192.0.2.11"
    assert f"{own} address-family ipv4-unicast route-map import MW-HOME-IPV4-IN" in found
    assert not any("peer-group" in line for line in found)
    ranges = ("192.0.2.0/24", "2001:db8::/64")
    listening = lines(BGP, replace(ROUTER, version="1.3", neighbors=LISTEN, listen_ranges=ranges))
    assert "protocols bgp 64512 listen range 192.0.2.0/24 peer-group MW_HOME_IPV4" in listening
    assert not any("ebgp-requires-policy" in line or "graceful-restart" in line for line in found)


def test_listen_ranges_have_no_timers() -> None:
    found = lines(BGP, replace(ROUTER, neighbors=LISTEN, listen_ranges=("192.0.2.0/24", "2001:db8::/64")))
    assert "protocols bgp listen range 2001:db8::/64 peer-group MW-HOME-IPV6" in found
    assert not any("timers" in line or " neighbor " in line for line in found)


def test_ibgp() -> None:
    found = lines(BGP, replace(ROUTER, asn=65000, multihop=4))
    assert "protocols bgp address-family ipv4-unicast maximum-paths ibgp 8" in found
    assert not any("ebgp-multihop" in line or "local-preference" in line for line in found)


def test_nothing_announced_is_nothing_accepted() -> None:
    found = lines(BGP, replace(ROUTER, announcements=()))
    assert "policy route-map MW-HOME-IPV4-IN rule 1000 action deny" in found
    assert not any("prefix-list" in line for line in found)


@pytest.mark.parametrize(
    ("changed", "thing"),
    [
        ({"version": ""}, "bgp_vyos_version"),
        ({"port": 1179}, "bgp_router_port"),
        ({"password": "a b"}, "bgp_router_password"),
        ({"neighbors": LISTEN, "listen_ranges": ("192.0.2.0/24",)}, "bgp_router_listen_ranges"),
    ],
)
def test_what_vyos_cannot_do_is_refused(changed: dict[str, object], thing: str) -> None:
    with pytest.raises(MeshwrightError) as caught:
        render.commands(BGP, replace(ROUTER, **changed))
    assert caught.value.thing == thing
    assert "a b" not in str(caught.value)


def test_13_has_no_named_community_lists() -> None:
    rival = Announcement("blue", POD_CIDRS)
    bgp = replace(BGP, announcements=(*BGP.announcements, rival))
    router = replace(ROUTER, announcements=("lb", "pods", "blue"))
    assert "policy community-list MW-HOME-IPV4-10 rule 10 regex _65000:99_" in lines(bgp, router)
    with pytest.raises(MeshwrightError, match="numbers"):
        render.commands(bgp, replace(router, version="1.3"))


def test_an_unknown_path_is_told_with_the_version() -> None:
    (wrong,) = vyos_paths.check([("protocols", "bgp", "peer-group", "G", "password", "s3cret")], "1.3", "vyos1")
    assert "1.3" in str(wrong)
    assert "s3cret" not in str(wrong)


def test_a_name_without_a_definition_is_told() -> None:
    paths = [
        path for path in render.commands(BGP, ROUTER)
        if path[1] != "prefix-list6" and path[3:4] != ("MW-HOME-IPV4",)
    ]
    wrong = {error.thing for error in vyos_paths.check(paths, "1.5")}
    assert wrong == {"prefix-list6 MW-HOME-IPV6-10", "prefix-list6 MW-HOME-IPV6-ACCEPT", "peer-group MW-HOME-IPV4"}
