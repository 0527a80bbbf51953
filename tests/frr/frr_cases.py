"""Descriptions of BGP by the hundred, and configurations of others for them to live in."""

from __future__ import annotations

from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    KINDS,
    LISTEN,
    NODES,
    POD_CIDRS,
    PRESETS,
    Announcement,
    Bgp,
    Node,
    Pool,
    Range,
    Router,
    Timers,
)

FAMILIES = ("ipv4",), ("ipv6",), ("ipv4", "ipv6")
PASSWORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)

# What stands on a router that others use too; byte for byte it has to come out as it went in.
FOREIGN = """\
frr version 8.4.4
frr defaults traditional
hostname edge
log syslog informational
service integrated-vtysh-config
!
ip route 203.0.113.0/24 blackhole
!
! by hand, before anybody automated anything
interface lo
 description theirs
exit
!
router bgp 64512
 bgp router-id 203.0.113.1
 neighbor 198.51.100.9 remote-as 64999
 neighbor 198.51.100.9 password theirs
 neighbor UPSTREAM peer-group
 neighbor UPSTREAM remote-as 64998
 neighbor 198.51.100.10 peer-group UPSTREAM
 !
 address-family ipv4 unicast
  network 203.0.113.0/24
  neighbor 198.51.100.9 route-map THEIRS-IN in
  neighbor 198.51.100.9 route-map THEIRS-OUT out
 exit-address-family
exit
!
ip prefix-list THEIRS seq 5 permit 203.0.113.0/24
!
route-map THEIRS-IN permit 10
exit
!
route-map THEIRS-OUT permit 10
 match ip address prefix-list THEIRS
exit
!
"""
EMPTY = """\
frr version 8.4.4
frr defaults traditional
hostname edge
!
"""


def nodes(count: int) -> tuple[Node, ...]:
    return tuple(
        Node(f"n{number}", f"n{number}", (f"10.118.0.{10 + number}", f"2001:db8:18::{10 + number}"))
        for number in range(count)
    )


def announcements(draw: st.DrawFn) -> tuple[Announcement, ...]:
    found = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=0, max_size=3))):
        communities = (f"65000:{100 + number}",) if draw(st.booleans()) else ()
        large = (f"65000:1:{100 + number}",) if draw(st.booleans()) else ()
        preference = draw(st.sampled_from((None, 50, 200)))
        found.append(Announcement(f"a{number}", kind, {}, communities, large, preference))
    return tuple(found)


@st.composite
def described(draw: st.DrawFn) -> tuple[Bgp, Router]:
    told = announcements(draw)
    timers = draw(st.one_of(st.sampled_from(list(PRESETS.values())), st.builds(
        Timers, hold=st.integers(3, 65535), keepalive=st.just(1), connect_retry=st.integers(1, 65535),
        restart=st.sampled_from((0, 1, 120, 4095)),
    )))  # fmt: skip
    listens = draw(st.booleans())
    router = Router(
        "r1", "frr", 64512, ("10.118.0.2", "2001:db8:18::2"),
        router_id=draw(st.sampled_from(("", "10.118.0.2"))),
        password=draw(st.one_of(st.just(""), PASSWORD)),
        timers=timers,
        multihop=draw(st.sampled_from((0, 2, 255))),
        families=draw(st.sampled_from(FAMILIES)),
        neighbors=LISTEN if listens else NODES,
        listen_ranges=("10.118.0.0/16", "2001:db8:18::/64") if listens else (),
        announcements=tuple(item.name for item in told),
        accept=draw(st.sampled_from(((), ("198.51.100.0/25", "198.51.100.200/32", "2001:db8:99::/48", "0.0.0.0/0")))),
        max_prefixes=draw(st.sampled_from((0, 1, 500))),
        ecmp_paths=draw(st.sampled_from((0, 1, 8, 64))),
    )  # fmt: skip
    bgp = Bgp(
        draw(st.sampled_from(("home", "Home Lab_2"))), draw(st.sampled_from((65000, 4200000000, 64512))),
        nodes=nodes(draw(st.sampled_from((0, 1, 5)))), routers=(router,),
        pools=draw(st.sampled_from(((), (
            Pool("a", ("192.0.2.0/24", "2001:db8:20::/64")),
            Pool("b", (), (Range("192.0.2.250", "192.0.3.9"), Range("2001:db8:21::1", "2001:db8:21::1"))),
        )))),
        announcements=told,
        pod_cidrs=("10.42.0.0/16", "2001:db8:42::/56"), service_cidrs=("10.43.0.0/16", "2001:db8:43::/112"),
        external_ips=("198.51.100.32/28",),
    )  # fmt: skip
    return bgp, router


def sample(asn: int = 65000, count: int = 2, **changes: object) -> tuple[Bgp, Router]:
    """One plain description; what is named of the router is as told."""
    values: dict[str, object] = {
        "router_id": "10.118.0.2", "password": "s3cret", "families": ("ipv4", "ipv6"), "announcements": ("lb", "pods"),
        **changes,
    }  # fmt: skip
    router = Router("r1", "frr", 64512, ("10.118.0.2", "2001:db8:18::2"), **values)  # type: ignore[arg-type]
    return Bgp(
        "home", asn, nodes=nodes(count), routers=(router,), pools=(Pool("a", ("192.0.2.0/24", "2001:db8:20::/64")),),
        announcements=(Announcement("lb", "load_balancer_ips"), Announcement("pods", POD_CIDRS)),
        pod_cidrs=("10.42.0.0/16", "2001:db8:42::/56"),
    ), router  # fmt: skip
