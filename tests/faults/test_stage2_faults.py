"""What may happen to a rollout between the stages: each ends in a state that is told, and the next run completes it.

Each way begins where the last one ended: there and back by turns. They take minutes each, so all are for test-full.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from meshlab import stages
from meshlab.cluster import Cluster
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.rollout import BACK, STAGE2, Rolled, begins, go, until

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("whole_cluster")]
IMAGE = "cilium/cilium"


@dataclass(frozen=True)
class Way:
    """From the stage at which the cluster is to the other one."""

    lab: Lab
    cluster: Cluster
    members: dict[str, Host]
    target: int

    @property
    def direction(self) -> str:
        return {1: BACK, 2: STAGE2}[self.target]

    def go(self, name: str, **options: object) -> Rolled:
        return go(self.lab, self.direction, name=name, **options)  # type: ignore[arg-type]

    def completes(self, name: str) -> Rolled:
        """The next run ends it, and the one after that finds nothing to do."""
        rolled = self.go(f"{name}-rest")
        print(f"{name}: gone on with in {rolled.run.seconds:.0f} s")
        rolled.run.succeeded()
        assert stages.problems(self.cluster, self.members, self.target) == []
        again = self.go(f"{name}-again").run.succeeded()
        assert set(again.changed.values()) == {0}
        return rolled


@pytest.fixture
def way(lab: Lab) -> Iterator[Way]:
    cluster = Cluster(lab.paths.kubeconfig)
    members = {name: host for name, host in lab.hosts.items() if host.role in ("server", "agent")}
    at = 1 if stages.problems(cluster, members, 1) == [] else 2
    assert stages.problems(cluster, members, at) == [], "the test before left the cluster between the stages"
    yield Way(lab, cluster, members, 3 - at)


@pytest.fixture
def there(way: Way) -> Way:
    """Certainly to stage 2, for what is only on that way."""
    if way.target == 2:
        return way
    way.go("to-stage-1").run.succeeded()
    return Way(way.lab, way.cluster, way.members, 2)


def told(rolled: Rolled) -> str:
    """The end of what the run said, on one line."""
    return " ".join(" ".join(rolled.run.output.splitlines()[-80:]).split())


def controller(lab: Lab) -> str:
    return str(lab.inside.address("ipv4", 1))


@contextlib.contextmanager
def cut_off(host: Host, address: str) -> Iterator[None]:
    """The host answers this address no more; all its other ways stay."""
    route = ["blackhole", f"{address}/32"]
    host.run(["ip", "route", "replace", *route])
    try:
        yield
    finally:
        host.run(["ip", "route", "del", *route], check=False)


def in_background(action: Callable[[], object]) -> Callable[[], threading.Thread]:
    """Started by a line of the output, while the run goes on."""

    def begin() -> threading.Thread:
        thread = threading.Thread(target=action, daemon=True)
        thread.start()
        return thread

    return begin


# -- the controller

POINTS = (
    ("server1", "drain"), ("server2", "replaced"), ("cluster", "flip"), ("server2", "k3s"), ("server3", "rules"),
)  # fmt: skip


def test_the_controller_is_killed_five_times(there: Way) -> None:
    for node, step in POINTS:
        killed = there.go(f"killed-{step}", kill_at=begins(node, step))
        assert killed.run.returncode == -9, f"it ended before {node}: {step}\n{killed.run.tail()}"
        print(f"killed at {node}: {step} after {killed.run.seconds:.0f} s")
    rest = there.completes("killed")
    for name in there.members:
        assert {"cordon", "drain", "restart", "k3s"} & set(rest.names(name)) == set(), f"{name}: done twice"


def test_two_controllers_at_once(way: Way) -> None:
    """The second one waits until it sees that the first one lives, and is refused; the first notices nothing."""
    found: list[Rolled] = []
    second = in_background(lambda: found.append(way.go("second")))
    first = way.go("first", at={begins("server2", "drain"): second})
    first.run.succeeded()
    until(lambda: bool(found), "the second run ended", 120)
    assert "held by" in told(found[0]) and found[0].run.returncode > 0, told(found[0])
    assert not [name for name in way.members if "cordon" in found[0].names(name)]
    assert stages.problems(way.cluster, way.members, way.target) == []


def test_ssh_to_the_node_in_work_is_cut(way: Way) -> None:
    node, name = controller(way.lab), "agent1"
    with contextlib.ExitStack() as stack:
        cut = begins(name, "restart")
        rolled = way.go("cut", at={cut: lambda: stack.enter_context(cut_off(way.members[name], node))})
        assert rolled.run.returncode > 0, rolled.run.tail()
        assert name in told(rolled)
        for other in sorted(set(way.members) - {name}):
            assert not way.cluster.nodes()[other].spec.unschedulable, other
    way.completes("cut")


# -- nodes


def test_a_server_is_down_before(way: Way) -> None:
    host = way.members["server3"]
    host.kill()
    try:
        rolled = way.go("down")
        assert rolled.run.returncode > 0 and "server3" in told(rolled)
        assert not [name for name in way.members if rolled.names(name)]
    finally:
        host.start()
        until(lambda: way.cluster.ready() == set(way.members), "all nodes Ready", 240)
    way.completes("down")


def test_a_server_dies_on_the_way(way: Way) -> None:
    """While an agent is in work. Nothing that could cost a quorum, or a proxy, is done any more."""
    host = way.members["server3"]
    try:
        rolled = way.go("dies", at={begins("agent1", "drain"): host.kill})
        assert rolled.run.returncode > 0 and "server3" in rolled.run.output
    finally:
        if not host.running:
            host.start()
        until(lambda: way.cluster.ready() == set(way.members), "all nodes Ready", 240)
    way.completes("dies")


def test_a_node_is_rebooted_on_the_way(way: Way) -> None:
    host = way.members["agent1"]

    def reboot() -> None:
        host.kill()
        host.start()

    rolled = way.go("reboot", at={begins("agent1", "restart"): in_background(reboot)})
    print(f"rebooted: the run ended with {rolled.run.returncode}")
    until(lambda: host.running and way.cluster.ready() == set(way.members), "all nodes Ready", 240)
    if rolled.run.returncode:
        assert "agent1" in told(rolled)
    way.completes("reboot")


def test_somebody_cordons_a_node_meanwhile(way: Way) -> None:
    """It is not ours to take out then: the run ends there, and says so."""

    def cordon(value: bool) -> None:
        way.cluster.core.patch_node("agent1", {"spec": {"unschedulable": value}})

    try:
        rolled = way.go("cordoned", at={begins("server2", "drain"): lambda: cordon(True)})
        assert rolled.run.returncode > 0
        assert "agent1" in told(rolled) and "cordon" in told(rolled)
        assert "drain" not in rolled.names("agent1")
        assert way.cluster.nodes()["agent1"].spec.unschedulable, "it stays as somebody wanted it"
    finally:
        cordon(False)
    way.completes("cordoned")


def test_an_agent_whose_image_cannot_be_pulled(there: Way) -> None:
    """The node is put back as far as that goes, and the way out is told: with the image, the next run completes."""
    host = there.members["agent1"]
    images = [line for line in ctr(host, "images", "ls", "-q").splitlines() if IMAGE in line]
    assert images
    try:
        for name in images:
            ctr(host, "images", "tag", "--force", name, f"kept.invalid/{name.replace('@', '-')}")
            ctr(host, "images", "rm", name)
        rolled = there.go("image", variables={"stage2_timeout": 60})
        assert rolled.run.returncode > 0
        assert "agent1" in told(rolled) and "Image" in rolled.run.output, "it names what the kubelet says"
        assert "stage2" in told(rolled), "the command that continues"
    finally:
        for name in images:
            ctr(host, "images", "tag", "--force", f"kept.invalid/{name.replace('@', '-')}", name)
            ctr(host, "images", "rm", f"kept.invalid/{name.replace('@', '-')}")
    there.completes("image")


def ctr(host: Host, *words: str) -> str:
    return host.run(["k3s", "ctr", "--namespace", "k8s.io", *words], timeout=120).stdout


# -- the API


def test_the_api_is_away_for_a_minute(way: Way) -> None:
    """For the controller, on all servers. It waits, or it ends and says so; the nodes' own work is not touched."""
    servers = [host for host in way.members.values() if host.role == "server"]
    rule = ["INPUT", "-p", "tcp", "--dport", "6443", "-s", controller(way.lab), "-j", "DROP"]

    def away() -> None:
        for host in servers:
            host.run(["iptables", "-I", *rule])
        time.sleep(60)
        back()

    def back() -> None:
        for host in servers:
            host.run(["iptables", "-D", *rule], check=False)

    try:
        rolled = way.go("api", at={begins("server2", "restart"): in_background(away)})
    finally:
        time.sleep(1)
        back()
    print(f"without the API for a minute: the run ended with {rolled.run.returncode}")
    if rolled.run.returncode:
        assert "API" in told(rolled), told(rolled)
    until(lambda: way.cluster.ready() == set(way.members), "all nodes Ready", 120)
    way.completes("api")
