"""Snapshots, and the way back to one. Comes last: what was written after the snapshot is lost, by design."""

from __future__ import annotations

import re

import pytest

from .cluster import BINARY, DATA
from .conftest import Cluster
from .objects import config_map, voters
from .wait import until

SNAPSHOTS = f"{DATA}/server/db/snapshots"


def test_save_and_list(trio: Cluster) -> None:
    """k3s docs, cli/etcd-snapshot.md: name, node and time make the file's name; list shows its location."""
    trio.server1.apply(config_map("before", of="the snapshot"))
    trio.server1.run(BINARY, "etcd-snapshot", "save", "--name", "suite", timeout=60)
    listed = trio.server1.run(BINARY, "etcd-snapshot", "list")
    name = rf"suite-{trio.server1.name}-\d+"
    assert re.search(rf"{name}\s+file://{SNAPSHOTS}/{name}\s+\d+\s", listed), listed
    assert trio.server1.mode(SNAPSHOTS) == "700"


@pytest.mark.full
def test_a_reset_is_refused_while_there_is_a_server_to_join(trio: Cluster) -> None:
    """k3s issue 8488."""
    trio.server3.stop()
    try:
        done = trio.server3.host.run(["timeout", "30", BINARY, "server", "--cluster-reset"], check=False)
        assert done.returncode not in (0, 124)
        assert "cannot perform cluster-reset while server URL is set" in done.stdout + done.stderr
    finally:
        trio.server3.start()


def test_restore_by_reset_and_rejoin(trio: Cluster) -> None:
    """k3s docs, cli/etcd-snapshot.md, restore steps with several servers, to the letter."""
    first, others = trio.server1, (trio.server2, trio.server3)
    name = first.run("/bin/sh", "-c", f"ls {SNAPSHOTS} | grep ^suite- | tail -1").strip()
    first.kubectl("delete", "configmap", "before")
    first.apply(config_map("after", of="the snapshot"))
    for node in trio.servers:
        node.stop()
    said = first.host.run(
        ["timeout", "120", BINARY, "server", "--cluster-reset", f"--cluster-reset-restore-path={SNAPSHOTS}/{name}"],
        timeout=130, check=False,
    )  # fmt: skip
    assert "restart without --cluster-reset flag" in said.stdout + said.stderr, (said.stdout + said.stderr)[-3000:]
    first.start()
    assert first.get("configmap", "before")["data"] == {"of": "the snapshot"}
    assert not first.succeeds(BINARY, "kubectl", "get", "configmap", "after")
    assert set(first.members()) == {first.name}
    for node in others:
        node.run("rm", "-rf", f"{DATA}/server/db")
        node.start()
    wanted = {node.name for node in trio.servers}
    until("voters", lambda: voters(first), lambda seen: seen == dict.fromkeys(wanted, "True"), 90)
    assert others[1].get("configmap", "before")["data"] == {"of": "the snapshot"}


def test_the_agent_finds_the_restored_cluster(trio: Cluster) -> None:
    """k3s docs, cli/etcd-snapshot.md: agents can be started normally; one that runs goes on."""
    renewed = trio.server2.get("lease", trio.agent1.name, "-n", "kube-node-lease")["spec"]["renewTime"]

    def look() -> str:
        return str(trio.server2.get("lease", trio.agent1.name, "-n", "kube-node-lease")["spec"]["renewTime"])

    until("the agent's lease is renewed", look, lambda now: now > renewed, 60)
