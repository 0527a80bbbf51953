"""A migration's facts from the API's own objects and what hosts say; and the plan as plays run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from migrate_world import World

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_read as read
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_tell as tell
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_values as values
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_read
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import Agent, AgentSays
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import ABSENT, BESIDE, SETTLED
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_plan import Options, plan, put_back

ROOT = Path(__file__).parents[4]
FLANNEL = {"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/public-ip": "10.1.0.11"}
SAYS = AgentSays("Ok", "", "False", 9, (), None, None, ())


def node(name: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels, "annotations": dict(FLANNEL)},
        "spec": {"podCIDRs": ["10.42.0.0/24"]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.1.0.11"}, {"type": "Hostname", "address": name}],
        },
    }


def pod(name: str, where: str, host_network: bool = False, phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "web", "name": name, "uid": name},
        "spec": {"nodeName": where, "hostNetwork": host_network}, "status": {"phase": phase},
    }


def release(**chart: Any) -> Release:
    return Release(1, "deployed", "1.20.2", chart, "", "record")


MOVED = read.HostSays("h1", runs_none=True, bridge=False, conf=True, direct=True, remains=False)


def facts(**more: Any) -> Any:
    lists = stage2_read.Lists(
        nodes=[node("one", **{"meshwright.k3s-cilium/network": "cilium"}), node("two")],
        pods=[pod("new", "one"), pod("old", "one"), pod("there", "one", host_network=True), pod("x", "two"),
              pod("done", "one", phase="Succeeded")],
    )  # fmt: skip
    words = {
        "stage": stage2_read.Words(
            agents=(Agent("one", True, False, "cilium-one", "agent-one", True, SAYS, ""),),
            release=release(nodeSelector={"meshwright.k3s-cilium/network": "cilium"}),
        ),
        "hosts": {"one": MOVED}, "endpoints": [{"metadata": {"namespace": "web", "name": "new"}}], "policies": 2,
    }  # fmt: skip
    return read.facts(lists, read.Words(**{**words, **more}))


def test_nodes() -> None:
    seen = facts()
    one, two = seen.nodes
    assert one.label and one.notes and one.connected and one.host == "h1"
    assert one.old_pods == ("web/old",) and not one.moved, "a pod that Cilium did not connect is of the old network"
    assert not two.label and two.old_pods == () and not two.runs_none and two.bridge, "nothing is known of its host"
    assert (seen.backends, seen.release, seen.policies) == (("vxlan",), BESIDE, 2)
    more = [{"metadata": {"namespace": "web", "name": name}} for name in ("new", "old")]
    assert facts(endpoints=more).nodes[0].moved


def test_releases() -> None:
    assert read.release_of(None) == ABSENT
    assert read.release_of(release()) == SETTLED
    assert read.release_of(release(nodeSelector={"kubernetes.io/os": "linux"})) == SETTLED


def test_what_hosts_are_told() -> None:
    told = read.told([node("one"), node("two")], {"two"})
    assert told[0] == {
        "name": "one", "addresses": ["10.1.0.11"], "pod_cidrs": ["10.42.0.0/24"], "moved": False,
        "notes": {"backend-type": "vxlan", "public-ip": "10.1.0.11"},
    }  # fmt: skip
    assert told[1]["moved"]


def test_values_on_top() -> None:
    given = {"operator": {"replicas": 1}, "nodeSelector": {"disk": "ssd"}, "policyEnforcementMode": "always"}
    found = values.beside(given)
    assert found["operator"] == {"replicas": 1, "unmanagedPodWatcher": {"restart": False}}
    assert found["nodeSelector"] == {
        "disk": "ssd", "kubernetes.io/os": "linux", "meshwright.k3s-cilium/network": "cilium",
    }  # fmt: skip
    assert found["policyEnforcementMode"] == "never" and given["policyEnforcementMode"] == "always"
    assert read.release_of(release(**found)) == BESIDE


def test_plays() -> None:
    world = World(3, 2, Options(agent_batch=2, together=True))
    found = world.plan()
    hosts = {name: f"h-{name}" for name in world.nodes}
    told = tell.answer(found, hosts, "h-s0")
    assert told["phases"]["nodes"] == {
        "hosts": ["h-s0", "h-s1", "h-s2", "h-a0", "h-a1"], "serial": [1, 1, 1, 2],
    }  # fmt: skip
    assert told["phases"]["stop"] == {"hosts": ["h-s0", "h-s1", "h-s2"], "serial": [3]}
    assert told["phases"]["prepare"] == told["phases"]["settlement"] == {"hosts": ["h-s0"], "serial": [1]}
    assert {step["host"] for step in told["steps"] if step["phase"] == "settlement"} == {"h-s0"}
    assert set(told["phases"]) == set(steps.PHASES) and told["rollout_plan"]
    assert "steps ahead" in tell.title(world.facts(), found) and len(found.lines()) > len(found.steps)


def test_every_kind_has_its_tasks() -> None:
    """Each step's file is there, and no file is nobody's."""
    folder = ROOT / "roles/migrate/tasks/steps"
    kinds = set(steps._TEXTS)
    files = {tell.step_dict(steps.step(kind, steps.NODES, "n"), "h")["tasks"] for kind in kinds}
    assert files | {"allowed"} == {path.stem for path in folder.glob("*.yml")}


def test_every_phase_has_its_play() -> None:
    plays = yaml.safe_load((ROOT / "playbooks/migrate.yml").read_text())
    assert tuple(play["vars"]["migrate_phase"] for play in plays if "vars" in play) == steps.PHASES


def test_states_in_words() -> None:
    world = World(1, 1)
    assert tell.state(world.node("a0")) == "flannel"
    it = world.nodes["a0"]
    it.runs_none = True
    assert tell.state(world.node("a0")) == "no network of its own"
    it.agent = it.conf = True
    assert "1 pods of flannel's" in tell.state(world.node("a0"))
    it.old = it.bridge = False
    assert tell.state(world.node("a0")) == "Cilium, and remains of flannel"
    it.claimed = True
    assert "stays as it is" in tell.put_back(world.node("a0"), ())
    back = put_back(world.facts(), world.node("a0"))
    assert "was put back" in tell.put_back(world.node("a0"), back)
    assert plan(world.facts()).steps
