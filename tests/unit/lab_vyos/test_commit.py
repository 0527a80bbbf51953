"""What a commit refuses, what lands all the same, and what FRR is given."""

from __future__ import annotations

import pytest
from vyos.testing import Make, Router

GROUP = ("set BGP peer-group NODES remote-as 65000",)


def failed(router: Router, text: str) -> str:
    """How a refusal by BGP is put."""
    label = " ".join(router.bgp)
    return f"[ {label} ]\n{text}\n\n[[{label}]] failed\nCommit failed\n"


@pytest.mark.parametrize(("lines", "text"), [
    # vyos-1x, src/conf_mode/protocols_bgp.py
    (("set BGP peer-group G password a password",), None),
    (("set BGP neighbor 192.0.2.9 description x",), 'Neighbor "192.0.2.9" remote-as must be set!'),
    (("set BGP neighbor 192.0.2.9 peer-group NONE",),
     'Specified peer-group "NONE" for neighbor "neighbor" does not exist!'),
    (("set BGP peer-group G address-family ipv4-unicast route-map import NONE",),
     'Specified route-map "NONE" does not exist!'),
    (("set BGP peer-group G address-family ipv6-unicast prefix-list import NONE",),
     'Specified prefix-list6 "NONE" does not exist!'),
    (("set BGP peer-group G ebgp-multihop 2", "set BGP peer-group G ttl-security hops 1"),
     "You can not set both ebgp-multihop and ttl-security hops"),
    (("set BGP listen range 192.0.2.0/24 peer-group G", "set BGP peer-group G passive"),
     'Peer-group "G" requires remote-as to be set!'),
    (("set BGP listen range 192.0.2.0/24 peer-group NONE",),
     'Peer-group "NONE" for listen range "192.0.2.0/24" does not exist!'),
    (("delete BGP system-as",), "BGP system-as number must be defined!"),
    ((*GROUP, "set BGP neighbor 192.0.2.9 peer-group NODES", "set BGP neighbor 192.0.2.9 remote-as 65001"),
     'Peer-group member "192.0.2.9" cannot override remote-as of peer-group "NODES"!'),
])
def test_what_bgp_refuses_since_14(make: Make, lines: tuple[str, ...], text: str | None) -> None:
    for version in ("1.4", "1.5"):
        router = make(version)
        if text:
            assert router.refused(*lines) == failed(router, text)
        else:
            command = {"op": "set", "path": [*router.bgp, "peer-group", "G", "password", "a password"]}
            assert "Whitespace is not allowed in passwords!" in router.post("/configure", command)[1]["error"]


def test_what_an_update_of_the_model_must_not_write(router: Router) -> None:
    at = " ".join(router.bgp)
    assert router.refused("set BGP peer-group NODES timers keepalive 3") == (
        f"Configuration path: [{at} peer-group NODES timers keepalive 3] is not valid\nSet failed\n"
    )


def test_versions_differ_in_their_paths(make: Make) -> None:
    old, new = make("1.3"), make("1.4")
    assert "not valid" in old.refused("set BGP parameters ebgp-requires-policy")
    new.done("set BGP parameters ebgp-requires-policy")
    assert "not valid" in old.refused("set BGP peer-group NODES graceful-restart enable")
    assert "not valid" in new.refused("set BGP neighbor 2001:db8::9 address-family ipv6-unicast peer-group NODES")
    assert "is not in the range" in old.refused("set protocols bgp system-as 64512")
    assert "not valid" in new.refused("set protocols bgp 64512 peer-group NODES")
    # vyatta-cfg-quagga, scripts/bgp/vyatta-bgp.pl
    assert "malformed peer-group name MY-NODES" in old.refused("set BGP peer-group MY-NODES remote-as 65000")


@pytest.mark.parametrize(("lines", "text"), [
    # vyatta-cfg-quagga, scripts/bgp/vyatta-bgp.pl
    ((*GROUP, "set BGP neighbor 192.0.2.9 peer-group NODES", "set BGP neighbor 192.0.2.9 timers keepalive 3"),
     "parameter timers is incompatible with a neighbor in a peer-group"),
    ((*GROUP, "set BGP peer-group NODES address-family ipv6-unicast",
      "set BGP neighbor 2001:db8::9 address-family ipv6-unicast peer-group NODES"),
     "must set remote-as or peer-group with remote-as defined"),
    ((*GROUP, "set BGP neighbor 192.0.2.9 peer-group NODES", "set BGP neighbor 192.0.2.9 remote-as 65000"),
     "remote-as should not be defined in both neighbor and peer-group"),
])
def test_what_13_refuses(make: Make, lines: tuple[str, ...], text: str) -> None:
    assert text in make("1.3").refused(*lines)


def test_policy_refuses_what_is_not_whole(router: Router) -> None:
    assert 'A prefix must be specified for "prefix-list A rule 10"!' in router.refused(
        "set policy prefix-list A rule 10 action permit")
    assert "prefix-list A does not exist!" in router.refused(
        "set policy route-map M rule 10 action permit",
        "set policy route-map M rule 10 match ip address prefix-list A")
    assert 'Can not delete route-map "CLIENT-IN", still in use!' in router.refused("delete policy route-map CLIENT-IN")


def test_a_commit_is_not_atomic(router: Router) -> None:
    router.faults(fail_component="bgp")
    router.refused("set policy route-map MW rule 10 action permit", "set BGP peer-group NODES remote-as 65000")
    assert router.exists("policy", "route-map", "MW")
    assert not router.exists("BGP", "peer-group")
    assert "route-map MW permit 10" in router.frr.lines
    assert not [line for line in router.frr.lines if "NODES" in line]


def test_ebgp_without_policies_is_allowed_unless_the_parameter_is_set(router: Router) -> None:
    assert "no bgp ebgp-requires-policy" in router.frr.lines
    if router.version != "1.3":
        router.done("set BGP parameters ebgp-requires-policy")
        assert "no bgp ebgp-requires-policy" not in router.frr.lines


def test_ipv4_is_off_unless_set_since_14(router: Router) -> None:
    router.done("set BGP neighbor 192.0.2.9 remote-as 65000")
    assert ("no bgp default ipv4-unicast" in router.frr.lines) is (router.version != "1.3")
    assert "neighbor 192.0.2.9 activate" not in router.frr.lines
    router.done("set BGP neighbor 192.0.2.9 address-family ipv4-unicast")
    assert ("neighbor 192.0.2.9 activate" in router.frr.lines) is (router.version != "1.3")


def test_frr_is_given_the_whole(router: Router) -> None:
    router.done(
        "set policy prefix-list POOL rule 10 action permit", "set policy prefix-list POOL rule 10 prefix 192.0.2.0/24",
        "set policy prefix-list POOL rule 10 ge 32", "set policy route-map IN rule 10 action permit",
        "set policy route-map IN rule 10 match ip address prefix-list POOL",
        "set policy route-map IN rule 10 set local-preference 200",
        "set BGP peer-group NODES remote-as 65000", "set BGP peer-group NODES password secret",
        "set BGP peer-group NODES address-family ipv4-unicast route-map import IN",
        "set BGP peer-group NODES address-family ipv4-unicast maximum-prefix 500",
        "set BGP listen range 10.0.0.0/24 peer-group NODES",
        "set BGP address-family ipv4-unicast maximum-paths ebgp 8",
    )
    for line in ("ip prefix-list POOL seq 10 permit 192.0.2.0/24 ge 32", "match ip address prefix-list POOL",
                 "set local-preference 200", "router bgp 64512", "neighbor NODES peer-group",
                 "neighbor NODES remote-as 65000", "neighbor NODES password secret", "maximum-paths 8",
                 "neighbor NODES route-map IN in", "neighbor NODES maximum-prefix 500",
                 "bgp listen range 10.0.0.0/24 peer-group NODES", "ip route 198.51.100.0/24 blackhole",
                 "neighbor 198.51.100.20 route-map CLIENT-OUT out"):
        assert line in router.frr.lines, line
    order = [router.frr.lines.index(line) for line in ("neighbor NODES peer-group", "neighbor NODES remote-as 65000")]
    assert order == sorted(order)


def test_communities_by_version(make: Make) -> None:
    make("1.3").done("set policy route-map M rule 10 action permit",
                     "set policy route-map M rule 10 set community 65000:1")
    router = make("1.4")
    router.done("set policy route-map M rule 10 action permit",
                "set policy route-map M rule 10 set community add 65000:1",
                "set policy community-list C rule 10 action permit",
                "set policy community-list C rule 10 regex _65000:1_",
                "set policy route-map M rule 10 match community community-list C")
    assert "set community 65000:1 additive" in router.frr.lines
    assert "bgp community-list expanded C seq 10 permit _65000:1_" in router.frr.lines
    assert "match community C" in router.frr.lines


def test_a_neighbour_without_a_family_is_warned_of(make: Make) -> None:
    said = make("1.5").done("set BGP neighbor 192.0.2.9 remote-as 65000")
    assert 'WARNING: BGP neighbor "192.0.2.9" requires address-family!' in said


def test_what_frr_refuses_fails_the_commit(router: Router) -> None:
    router.frr.refuses = True
    assert "% Unknown command" in router.refused("set BGP neighbor 192.0.2.9 remote-as 65000")


def test_13_has_the_group_of_ipv6_below_its_family(make: Make) -> None:
    router = make("1.3")
    router.done(*GROUP, "set BGP peer-group NODES address-family ipv6-unicast",
                "set BGP neighbor 2001:db8::9 remote-as 65000",
                "set BGP neighbor 2001:db8::9 address-family ipv6-unicast peer-group NODES")
    assert "neighbor 2001:db8::9 peer-group NODES" in router.frr.lines
    assert "neighbor 2001:db8::9 remote-as 65000" not in router.frr.lines  # FRR has it by the group
