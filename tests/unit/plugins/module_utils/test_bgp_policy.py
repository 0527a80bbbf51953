"""What comes in, by which rule, and what is told when rules could not tell announcements apart."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_policy as policy
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    IPV4,
    IPV6,
    LOAD_BALANCER_IPS,
    POD_CIDRS,
    Announcement,
    Bgp,
    Filter,
    Pool,
    Router,
)

ROUTER = Router("r1", "vyos", 64512, ("192.0.2.3",), families=(IPV4, IPV6), announcements=("lb", "blue", "pods"))
BGP = Bgp(
    "home", 65000, routers=(ROUTER,), pools=(Pool("a", ("198.51.100.0/24", "2001:db8:20::/64")),),
    announcements=(Announcement("lb", LOAD_BALANCER_IPS),), pod_cidrs=("10.42.0.0/16", "2001:db8:42::/56"),
)


def with_announcements(*items: Announcement) -> Bgp:
    return replace(BGP, announcements=items)


def test_everything_accepted_is_the_last_rule() -> None:
    (rule,) = policy.rules_in(BGP, ROUTER, IPV4)
    assert rule == policy.Rule(1000, (Filter("198.51.100.0/24", 32, 32),))
    names = policy.names(BGP, IPV4)
    assert (names.group, names.prefix_list_of(rule)) == ("MW-HOME-IPV4", "MW-HOME-IPV4-ACCEPT")


def test_a_preference_is_set_on_the_announcements_prefixes() -> None:
    pods = Announcement("pods", POD_CIDRS, local_preference=99)
    bgp = with_announcements(Announcement("lb", LOAD_BALANCER_IPS), pods)
    first, last = policy.rules_in(bgp, ROUTER, IPV6)
    assert first == policy.Rule(10, (Filter("2001:db8:42::/56", 64, 64),), "pods", local_preference=99)
    assert len(last.filters) == 2
    assert policy.as_rows([first]) == ["pods: 2001:db8:42::/56 (length 64), local preference 99"]


def test_rivals_are_told_by_a_community_of_their_own() -> None:
    blue = Announcement("blue", LOAD_BALANCER_IPS, communities=("65000:1", "65000:2"), local_preference=200)
    bgp = with_announcements(Announcement("lb", LOAD_BALANCER_IPS, communities=("65000:1",)), blue)
    assert policy.rules_in(bgp, ROUTER, IPV4)[0].community == "65000:2"
    large = replace(blue, communities=(), large_communities=("65000:1:2",))
    bgp = with_announcements(Announcement("lb", LOAD_BALANCER_IPS), large)
    assert policy.rules_in(bgp, ROUTER, IPV4)[0].large_community == "65000:1:2"
    assert not policy.refusals(bgp, ROUTER)


def test_rivals_that_nothing_tells_apart_are_refused() -> None:
    blue = Announcement("blue", LOAD_BALANCER_IPS, local_preference=200)
    (refused,) = policy.refusals(with_announcements(Announcement("lb", LOAD_BALANCER_IPS), blue), ROUTER)
    assert "blue" in str(refused)
    assert "lb" in refused.seen


def test_ibgp_carries_the_preference_itself() -> None:
    bgp = replace(with_announcements(Announcement("lb", LOAD_BALANCER_IPS, local_preference=200)), asn=64512)
    assert [rule.seq for rule in policy.rules_in(bgp, ROUTER, IPV4)] == [1000]
    assert not policy.refusals(bgp, ROUTER)


def test_nothing_announced_is_nothing_accepted() -> None:
    (rule,) = policy.rules_in(with_announcements(), ROUTER, IPV4)
    assert rule.filters == ()
    assert policy.as_rows([rule]) == ["accepted: nothing"]
