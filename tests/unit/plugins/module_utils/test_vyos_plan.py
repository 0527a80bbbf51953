"""The way from what is there to what is wanted, and that it leaves everybody else alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_render_vyos as render
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import vyos_plan as planning
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    IPV4,
    IPV6,
    LOAD_BALANCER_IPS,
    Announcement,
    Bgp,
    Node,
    Pool,
    Router,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

Path = tuple[str, ...]
NODES = tuple(Node(f"n{last}", f"n{last}", (f"192.0.2.{last}", f"2001:db8::{last}")) for last in range(11, 15))


def described(nodes: int = 2, version: str = "1.5", password: str = "s3cret", cluster: str = "home",
              pools: tuple[str, ...] = ("198.51.100.0/24",)) -> tuple[planning.Ours, tuple[Path, ...]]:
    router = Router("vyos1", "vyos", 64512, ("192.0.2.3", "2001:db8::3"), router_id="192.0.2.3", password=password,
                    version=version, families=(IPV4, IPV6), announcements=("lb",))
    bgp = Bgp(cluster, 65000, nodes=NODES[:nodes], routers=(router,), pools=(Pool("a", pools),),
              announcements=(Announcement("lb", LOAD_BALANCER_IPS),))
    return planning.Ours(cluster, version, "vyos1", render.root(router)), render.commands(bgp, router)


def tree_of(*lines: str) -> set[Path]:
    return {tuple(line.split()) for line in lines}


FOREIGN = tree_of(
    "protocols bgp system-as 64512",
    "protocols bgp neighbor 203.0.113.9 remote-as 64999",
    "protocols bgp neighbor 203.0.113.9 address-family ipv4-unicast route-map import THEIRS",
    "protocols bgp neighbor 203.0.113.9 address-family ipv4-unicast route-map export THEIRS",
    "protocols bgp peer-group MW-HOME-LAB-IPV4 remote-as 65001",
    "protocols bgp peer-group MW-HOME-LAB-IPV4 address-family ipv4-unicast route-map import MW-HOME-LAB-IPV4-IN",
    "protocols bgp peer-group MW-HOME-LAB-IPV4 address-family ipv4-unicast route-map export MW-HOME-LAB-IPV4-OUT",
    "protocols bgp address-family ipv4-unicast network 203.0.113.0/24",
    "policy route-map THEIRS rule 1 action permit",
    "policy route-map MW-HOME-LAB-IPV4-IN rule 10 action permit",
    "policy prefix-list MWX rule 1 action permit",
)
CASES = st.builds(
    described, st.integers(0, 4), st.just("1.5"), st.sampled_from(["", "one", "two"]),
    pools=st.sampled_from([("198.51.100.0/24",), ("203.0.113.0/28", "2001:db8:20::/64"), ()]),
)
STRAY = st.sets(st.sampled_from(sorted(tree_of(
    "protocols bgp peer-group MW-HOME-IPV4 shutdown",
    "protocols bgp peer-group MW-HOME-IPV4 address-family ipv4-unicast",
    "protocols bgp neighbor 192.0.2.77 peer-group MW-HOME-IPV4",
    "policy route-map MW-HOME-IPV4-IN rule 5 action permit",
    "policy prefix-list MW-HOME-IPV4-20 rule 10 prefix 0.0.0.0/0",
    "protocols bgp listen range 192.0.2.0/24 peer-group MW-HOME-IPV4",
))), max_size=4)


def commit(have: set[Path], plan: planning.Plan) -> set[Path]:
    return planning.applied(have, plan.ops, "1.5")


@given(CASES, CASES, STRAY, st.booleans())
def test_from_anywhere_to_what_is_wanted(
    one: tuple[planning.Ours, tuple[Path, ...]], other: tuple[planning.Ours, tuple[Path, ...]], stray: set[Path],
    shared: bool,
) -> None:
    ours, want = other
    theirs = FOREIGN if shared else set()
    have = set(one[1]) | stray | theirs
    have = {path for path in have if not any(path == longer[:len(path)] != longer for longer in have)}
    after = commit(have, planning.plan(ours, have, want))
    assert after == set(want) | theirs
    assert planning.plan(ours, after, want).ops == ()
    gone = commit(after, planning.absent(ours, after, want))
    assert gone == (theirs | {path for path in want if shared and planning.is_once(ours, path)})
    assert planning.absent(ours, gone, want).ops == ()


@given(CASES, CASES, st.booleans())
def test_restored_is_as_before(
    one: tuple[planning.Ours, tuple[Path, ...]], other: tuple[planning.Ours, tuple[Path, ...]], empty: bool
) -> None:
    ours, want = other
    have = set(FOREIGN) if empty else set(one[1]) | FOREIGN
    former = planning.former(ours, have)
    after = commit(have, planning.plan(ours, have, want))
    assert commit(after, planning.restore(ours, after, want, former)) == have


def test_nothing_there_and_back() -> None:
    ours, want = described()
    after = commit(set(), planning.plan(ours, set(), want))
    back = planning.restore(ours, after, want, ())
    assert commit(after, back) == set()
    assert planning.Op("delete", ("protocols", "bgp")) in back.ops


def test_the_order_is_safe() -> None:
    ours, want = described(pools=("203.0.113.0/28",))
    _, had = described(3)
    stray = ("policy", "route-map", "MW-HOME-IPV4-99", "rule", "1", "action", "deny")
    ops = planning.plan(ours, {*had, stray}, want).ops
    kinds = [(op.verb, op.path[0]) for op in ops]
    assert kinds == sorted(kinds, key=[
        ("delete", "protocols"), ("set", "policy"), ("set", "protocols"), ("delete", "policy"),
    ].index)
    # A node that left is one deletion; a value that changed is one setting.
    assert planning.Op("delete", ("protocols", "bgp", "neighbor", "192.0.2.13")) in ops
    accepted = ("policy", "prefix-list", "MW-HOME-IPV4-ACCEPT", "rule", "10", "prefix")
    assert planning.Op("set", (*accepted, "203.0.113.0/28")) in ops
    assert len(ops) == 4


def test_what_others_depend_on_is_not_changed() -> None:
    ours, want = described()
    have = tree_of("protocols bgp system-as 64700", "protocols bgp neighbor 203.0.113.9 remote-as 64999")
    with pytest.raises(MeshwrightError) as caught:
        planning.plan(ours, have, want)
    assert (caught.value.seen, caught.value.wanted) == ("64700", "64512")
    alone = planning.plan(ours, tree_of("protocols bgp system-as 64700"), want)
    assert planning.Op("set", ("protocols", "bgp", "system-as", "64512")) in alone.ops


def test_a_neighbour_of_somebody_elses_is_not_taken() -> None:
    ours, want = described()
    have = tree_of("protocols bgp system-as 64512", "protocols bgp neighbor 192.0.2.11 remote-as 65000")
    with pytest.raises(MeshwrightError, match=r"192\.0\.2\.11"):
        planning.plan(ours, have, want)


def test_13_has_one_as_number() -> None:
    ours, want = described(version="1.3")
    have = tree_of("protocols bgp 64700 neighbor 203.0.113.9 remote-as 64999")
    with pytest.raises(MeshwrightError, match="64700"):
        planning.plan(ours, have, want)
    after = planning.applied(set(), planning.plan(ours, set(), want).ops, "1.3")
    assert after == set(want)
    assert planning.applied(after, planning.absent(ours, after, want).ops, "1.3") == set()


def test_a_policy_is_not_required_where_others_have_none() -> None:
    ours, want = described()
    required = ("protocols", "bgp", "parameters", "ebgp-requires-policy")
    open_one = tree_of("protocols bgp system-as 64512", "protocols bgp neighbor 203.0.113.9 remote-as 64999")
    plan = planning.plan(ours, open_one, want)
    assert required not in plan.after
    assert planning.plan(ours, commit(open_one, plan), want).ops == ()
    assert required in planning.plan(ours, FOREIGN, want).after


def test_the_difference_hides_passwords() -> None:
    ours, want = described(password="one")
    _, had = described(password="two")
    diff = planning.plan(ours, had, want).diff
    assert diff["before"] != diff["after"]
    assert "password two" not in diff["before"] and "password one" not in diff["after"]


def test_a_tree_is_flattened() -> None:
    tree = {"bgp": {"system-as": "1", "parameters": {"ebgp-requires-policy": {}}, "x": ["1", "2"], "n": {"a": {}}}}
    assert planning.flat(tree) == [
        ("bgp", "system-as", "1"), ("bgp", "parameters", "ebgp-requires-policy"), ("bgp", "x", "1"), ("bgp", "x", "2"),
        ("bgp", "n", "a"),
    ]


def test_names_of_other_clusters_are_not_ours() -> None:
    ours, _ = described()
    assert ours.name("MW-HOME-IPV4-10")
    assert not any(ours.name(name) for name in ("MW-HOME-LAB-IPV4", "MW-HOME-IPV4-IPV4", "MW-HOME", "XMW-HOME-IPV4"))
    assert replace(ours, cluster="home-ipv4").name("MW-HOME-IPV4-IPV4")
