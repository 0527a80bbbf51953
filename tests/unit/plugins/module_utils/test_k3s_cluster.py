"""Who begins a cluster, who joins it, who stays: for any inventory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_cluster
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_cluster import (
    INITIALISE,
    JOIN,
    KEEP,
    UNSEEN,
    ClusterPlan,
    Server,
    plan,
)

NODES = ("server1", "server2", "server3")


def empty(number: int, **changes: object) -> Server:
    return replace(Server(f"server{number}", f"192.0.2.{number}", node=f"server{number}"), **changes)  # type: ignore[arg-type]


def live(number: int, **changes: object) -> Server:
    known: dict[str, object] = {
        "datastore": True, "active": True, "ca_hash": "aaaa", "cluster_id": "1f", "members": NODES,
    }  # fmt: skip
    return empty(number, **{**known, **changes})


def actions(planned: ClusterPlan) -> dict[str, str]:
    return {step.host: step.action for step in planned.steps}


def refusal(*servers: Server) -> str:
    with pytest.raises(MeshwrightError) as caught:
        plan(servers)
    assert caught.value.remedy
    return str(caught.value)


def test_a_new_cluster_has_one_beginning() -> None:
    planned = plan([empty(1), empty(2), empty(3)])
    assert actions(planned) == {"server1": INITIALISE, "server2": JOIN, "server3": JOIN}
    assert planned.order == NODES
    assert {step.peers for step in planned.steps if step.action == JOIN} == {("https://192.0.2.1:6443",)}


@pytest.mark.parametrize(("stage", "kube_proxy"), [(1, True), (2, False)])
def test_a_new_cluster_takes_the_initial_stage(stage: int, kube_proxy: bool) -> None:
    assert {step.kube_proxy for step in plan([empty(1), empty(2), empty(3)], stage).steps} == {kube_proxy}


def test_a_live_cluster_stays() -> None:
    planned = plan([live(1), live(2), live(3)], initial_stage=2)
    assert set(actions(planned).values()) == {KEEP}
    assert planned.live and planned.helper == "server1"
    assert all(step.kube_proxy is None for step in planned.steps), "the stage is the servers' own"
    assert all(not any(step.host[-1] == url[16] for url in step.peers) and step.peers for step in planned.steps)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_wiped_server_joins_the_survivors_after_its_member_is_gone(lost: int) -> None:
    planned = plan([empty(number) if number == lost else live(number) for number in (1, 2, 3)])
    step = planned.steps[lost - 1]
    assert (step.action, step.forget) == (JOIN, True)
    assert len(step.peers) == 2
    assert planned.order[-1] == f"server{lost}"


def test_a_new_server_has_nothing_to_be_forgotten() -> None:
    step = plan([live(1, members=("server1",)), empty(2), empty(3)]).steps[1]
    assert (step.action, step.forget, step.peers) == (JOIN, False, ("https://192.0.2.1:6443",))


def test_a_joining_server_takes_the_stage_of_the_live_ones() -> None:
    assert plan([live(1, kube_proxy=False), live(2, kube_proxy=False), empty(3)]).steps[2].kube_proxy is False
    assert plan([live(1, kube_proxy=False), live(2), empty(3)], 2).steps[2].kube_proxy is True


def test_members_that_are_down_come_first() -> None:
    planned = plan([live(1), live(2), live(3, active=False, members=(), cluster_id="")])
    assert planned.order == ("server3", "server1", "server2")


def test_an_ipv6_address_is_bracketed() -> None:
    planned = plan([live(1, address="2001:db8::1", members=()), empty(2), empty(3)])
    assert planned.steps[1].peers == ("https://[2001:db8::1]:6443",)


def test_servers_that_took_no_part() -> None:
    planned = plan([replace(empty(1), seen=False), live(2), replace(empty(3), seen=False)])
    assert actions(planned) == {"server1": UNSEEN, "server2": KEEP, "server3": UNSEEN}
    assert planned.order == ("server2",)
    assert len(planned.steps[1].peers) == 2
    nobody = plan([replace(empty(number), seen=False) for number in (1, 2, 3)])
    assert nobody.order == () and len(nobody.agent_peers) == 3


def test_two_clusters_are_refused() -> None:
    assert "aaaa on server1" in refusal(live(1), live(2, ca_hash="bbbb"), live(3))
    assert "not one but several" in refusal(live(1), live(2, cluster_id="2e"), live(3))


def test_nobody_begins_a_cluster_while_a_server_is_unknown() -> None:
    assert "without --limit" in refusal(empty(1), replace(empty(2), seen=False), replace(empty(3), seen=False))


def test_a_lost_quorum_is_refused() -> None:
    said = refusal(live(1), empty(2), empty(3))
    assert "server2, server3" in said and "cluster-reset" in said


def test_a_server_that_was_put_out_is_refused() -> None:
    out = live(3, members=(), active=False)
    assert "removed" in refusal(live(1, members=("server1", "server2")), live(2, members=("server1", "server2")), out)


def test_an_even_number_is_refused_for_a_new_cluster_only() -> None:
    assert "odd" in refusal(empty(1), empty(2))
    assert actions(plan([live(1, members=("server1", "server2")), live(2, members=("server1", "server2"))]))


SERVER = st.builds(
    lambda seen, datastore, active, asked: {
        "seen": seen, "datastore": datastore and seen, "active": active and datastore and seen,
        "members": NODES if asked and active and datastore and seen else (),
    },
    st.booleans(), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(SERVER, min_size=1, max_size=5), st.sampled_from([1, 2]))
def test_for_any_servers(states: list[dict[str, object]], stage: int) -> None:
    """Refused, or: at most one begins, and none when anybody has a datastore or was not asked."""
    servers = [empty(number, **state) for number, state in enumerate(states, 1)]
    try:
        planned = plan(servers, stage)
    except MeshwrightError as error:
        assert error.remedy
        return
    begins = [step for step in planned.steps if step.action == INITIALISE]
    assert len(begins) <= 1
    if begins:
        assert not any(server.datastore for server in servers)
        assert all(server.seen for server in servers)
    for server, step in zip(servers, planned.steps, strict=True):
        assert (step.action == KEEP) == server.datastore
        assert (step.action == UNSEEN) == (not server.seen)
        assert server.url not in step.peers
        if step.action == JOIN:
            assert step.peers, "a server that joins always names somebody: else it would begin a cluster"
    ranks = [next(step.action for step in planned.steps if step.host == host) for host in planned.order]
    assert ranks == sorted(ranks, key=[INITIALISE, KEEP, JOIN].index)
    assert k3s_cluster.refusals(servers) == []
