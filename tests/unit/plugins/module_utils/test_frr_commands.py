"""Only what differs is sent, in an order in which nothing is open for a moment."""

from __future__ import annotations

from frr_cases import EMPTY, FOREIGN, sample

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import config
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_commands import commands
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_plan import owner_of, plan


def after(have: str, **changes: object) -> str:
    bgp, router = sample(**changes)  # type: ignore[arg-type]
    return plan(have, config(bgp, router), owner_of(bgp, router)).after


def lines(before: str, later: str) -> list[str]:
    return [line.strip() for line in commands(before, later).splitlines()]


def test_nothing_differs() -> None:
    assert commands(FOREIGN, FOREIGN) == ""


def test_a_node_more_is_two_lines() -> None:
    sent = lines(after(FOREIGN, count=2), after(FOREIGN, count=3))
    assert sent == [
        "router bgp 64512", "neighbor 10.118.0.12 peer-group MW-HOME-IPV4",
        "neighbor 2001:db8:18::12 peer-group MW-HOME-IPV6", "exit",
    ]  # fmt: skip


def test_a_node_less_goes_as_a_whole() -> None:
    sent = lines(after(FOREIGN, count=3), after(FOREIGN, count=2))
    assert sent == ["router bgp 64512", "no neighbor 10.118.0.12", "no neighbor 2001:db8:18::12", "exit"]


def test_a_new_value_takes_the_place_of_the_old() -> None:
    sent = lines(after(EMPTY, password="a"), after(EMPTY, password="b", router_id="10.118.0.3"))
    assert sent == [
        "router bgp 64512", "bgp router-id 10.118.0.3", "neighbor MW-HOME-IPV4 password b",
        "neighbor MW-HOME-IPV6 password b", "exit",
    ]  # fmt: skip


def test_filters_before_sessions() -> None:
    sent = lines(EMPTY, after(EMPTY))
    assert sent.index("route-map MW-HOME-IPV4-IN permit 1000") < sent.index("router bgp 64512")
    gone = lines(after(FOREIGN), FOREIGN)
    assert gone.index("no neighbor MW-HOME-IPV4 peer-group") < gone.index("no route-map MW-HOME-IPV4-IN permit 1000")
    assert gone.index("no neighbor 10.118.0.10") < gone.index("no neighbor MW-HOME-IPV4 peer-group")


def test_an_instance_that_was_ours_alone_goes_as_one() -> None:
    gone = lines(after(EMPTY), EMPTY)
    assert gone[0] == "no router bgp 64512" and not any("neighbor" in line for line in gone)


def test_from_members_to_ranges() -> None:
    ranges = {"neighbors": "listen", "listen_ranges": ("10.118.0.0/16",), "families": ("ipv4",)}
    one, other = after(FOREIGN, families=("ipv4",)), after(FOREIGN, **ranges)
    assert "bgp listen range 10.118.0.0/16 peer-group MW-HOME-IPV4" in lines(one, other)
    assert "no neighbor 10.118.0.10" in lines(one, other)
    assert "no bgp listen range 10.118.0.0/16 peer-group MW-HOME-IPV4" in lines(other, one)


def test_lines_of_others_are_never_named() -> None:
    there, back = commands(FOREIGN, after(FOREIGN)), commands(after(FOREIGN), FOREIGN)
    assert not any(word in there + back for word in ("198.51.100.9", "UPSTREAM", "THEIRS", "203.0.113"))
