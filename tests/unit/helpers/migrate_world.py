"""A small cluster that goes from flannel to Cilium, and looks after each step whether that was right."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import Announcer
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import (
    ABSENT,
    BESIDE,
    SETTLED,
    Ends,
    Facts,
    Node,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_guard import objections
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_plan import Options, Plan, Step, plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import PodRef

PODS = (
    stage2_facts.Pod(PodRef("web", "a", "u", {}), "ReplicaSet"),
    stage2_facts.Pod(PodRef("web", "d", "v", {}), "DaemonSet"),
)
CIDR = ("10.42.0.0/16",)


@dataclass
class Machine:
    server: bool
    up: bool = True
    voter: bool = True
    wants_none: bool = False
    runs_none: bool = False
    bridge: bool = True
    overlay: bool = True
    remains: bool = True
    notes: bool = True
    frozen: int = 0
    old: bool = True  # a DaemonSet's pod hangs on the old network
    served: bool = True  # and services lead to it
    label: bool = False
    agent: bool = False
    conf: bool = False
    claimed: bool = False
    cordoned: bool = False
    ours: bool = False
    theirs: bool = False
    told: bool = False
    pods: bool = True
    fell: bool = False  # an accident took its network before its turn
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def flannel(self) -> bool:
        return not self.runs_none

    @property
    def cilium(self) -> bool:
        return self.runs_none and self.agent and self.conf

    @property
    def in_traffic(self) -> bool:
        return not self.ours and not self.told


class World:
    """A cluster that does what it is told."""

    def __init__(self, servers: int, agents: int, options: Options | None = None, seed: int = 0) -> None:
        names = [f"s{number}" for number in range(servers)] + [f"a{number}" for number in range(agents)]
        self.nodes = {name: Machine(name[0] == "s") for name in names}
        self.release, self.operator, self.snapshot, self.dns = ABSENT, True, "", 1
        self.options = options or Options()
        self.random = random.Random(seed)
        self.stopped = 0  # how often all servers were stopped

    # -- what is seen

    def facts(self) -> Facts:
        nodes = tuple(self.node(name) for name in self.nodes)
        cluster = stage2_facts.Facts(
            tuple(node.base for node in nodes), dns_replicas=self.dns, chart_status="deployed",
            members=sum(node.server for node in nodes),
        )
        return Facts(
            nodes, cluster, release=self.release, operator_current=self.operator, snapshot=self.snapshot,
            ends=Ends(native_cidrs=CIDR, cluster_cidrs=CIDR),
        )  # fmt: skip

    def node(self, name: str) -> Node:
        it = self.nodes[name]
        base = stage2_facts.Node(
            name, server=it.server, ready=it.up and (it.flannel or it.cilium), voter=it.voter if it.server else None,
            cordoned=it.cordoned, ours=it.ours, claimed=it.claimed, announcers=(Announcer("bgp", it.told, None),),
            pods=PODS if it.pods else PODS[1:], agent="uid" if it.agent else "",
        )  # fmt: skip
        return Node(
            base, label=it.label, notes=it.notes, up=it.up, wants_none=it.wants_none, runs_none=it.runs_none,
            bridge=it.bridge, overlay=it.overlay, remains=it.remains, frozen=it.frozen,
            old_pods=("web/d",) if it.old and it.runs_none else (), direct=self.direct(name), conf=it.conf,
        )  # fmt: skip

    def direct(self, name: str) -> bool:
        """Cilium knows the nodes on which an agent has been."""
        return self.nodes[name].cilium and all(it.cilium for it in self.nodes.values())

    def plan(self) -> Plan:
        return plan(self.facts(), self.options)

    # -- what happens to it

    def told_by_a_server(self) -> bool:
        return self.random.choice([it.runs_none for it in self.nodes.values() if it.server])

    def start_k3s(self, it: Machine) -> None:
        before = it.runs_none
        it.runs_none = it.wants_none if it.server else self.told_by_a_server()
        it.up = it.voter = True
        if it.runs_none and not before:
            it.frozen = 4
        if not it.runs_none:
            it.overlay = it.bridge = it.remains = True

    def restart(self, name: str) -> None:
        """Somebody restarts k3s, or it crashed."""
        it = self.nodes[name]
        flannel = it.flannel
        self.start_k3s(it)
        it.fell |= flannel and it.runs_none and not it.claimed
        self.check()

    def reboot(self, name: str) -> None:
        it = self.nodes[name]
        flannel = it.flannel
        it.bridge = it.overlay = it.old = False
        it.frozen = 0
        self.start_k3s(it)
        it.frozen = 0
        it.old = it.served = it.flannel
        it.fell |= (flannel and it.runs_none and not it.claimed) or (it.runs_none and not it.overlay)
        self.check()

    def cordon(self, name: str) -> None:
        it = self.nodes[name]
        if not it.cordoned:
            it.cordoned = it.theirs = True

    def do(self, step: Step) -> None:
        kinds = {"drop-in": "drop_in", "drop-out": "drop_out"}
        if objection := objections(self.facts(), step):
            raise AssertionError(f"{step.id}: {objection[0]}")
        act = getattr(self, "_do_" + kinds.get(step.kind, step.kind), None)
        assert act or step.kind in steps.LOOKS, step
        if act:
            act(self.nodes.get(step.node))
        self.check(stopping=step.phase in (steps.STOP, steps.START))

    def _do_snapshot(self, _it: Any) -> None:
        self.snapshot = "taken"

    def _do_dns(self, _it: Any) -> None:
        self.dns = 2

    def _do_beside(self, _it: Any) -> None:
        assert self.release == ABSENT and self.snapshot
        self.release, self.operator = BESIDE, True

    def _do_claim(self, it: Machine) -> None:
        it.claimed = True

    def _do_release(self, it: Machine) -> None:
        assert not it.told and not it.ours
        it.claimed = False

    def _do_cordon(self, it: Machine) -> None:
        it.cordoned = it.ours = True

    def _do_uncordon(self, it: Machine) -> None:
        assert it.ours, "somebody else's cordon"
        it.cordoned = it.ours = False
        it.pods = True

    def _do_withdraw(self, it: Machine) -> None:
        it.told = True

    def _do_announce(self, it: Machine) -> None:
        it.told = False

    def _do_drain(self, it: Machine) -> None:
        it.pods = False

    def _do_drop_in(self, it: Machine) -> None:
        assert it.server and not it.wants_none
        it.wants_none = True

    def _do_drop_out(self, it: Machine) -> None:
        it.wants_none = False

    def _do_halt(self, it: Machine) -> None:
        it.up = it.voter = False
        self.stopped += 1

    def _do_k3s(self, it: Machine) -> None:
        self.start_k3s(it)
        it.counts["k3s"] = it.counts.get("k3s", 0) + 1

    def _do_dismiss(self, it: Machine) -> None:
        assert it.runs_none, "flannel would connect them again"
        it.served = False

    def _do_clear(self, it: Machine) -> None:
        assert it.runs_none and not it.pods
        assert not (it.bridge and it.old and it.served), "services lead to a pod that is cut off"
        it.bridge, it.frozen = False, 0

    def _do_overlay(self, it: Machine) -> None:
        assert it.runs_none
        it.overlay, it.fell = True, it.fell and not it.cilium

    def _do_admit(self, it: Machine) -> None:
        assert self.release == BESIDE
        it.label = True
        self.agents()

    def _do_expel(self, it: Machine) -> None:
        it.label = it.agent = False

    def agents(self) -> None:
        """The DaemonSet puts an agent where it may."""
        for it in self.nodes.values():
            wanted = it.label if self.release == BESIDE else self.release == SETTLED
            if wanted and not it.agent:
                assert it.runs_none and not it.bridge, "two networks on one node"
                it.agent = it.conf = True

    def _do_renew(self, it: Machine) -> None:
        assert it.cilium or it.flannel
        it.old, it.served, it.fell = it.flannel, True, False

    def _do_settle(self, _it: Any) -> None:
        assert all(it.cilium for it in self.nodes.values())
        self.release, self.operator = SETTLED, False
        self.agents()

    def _do_operator(self, _it: Any) -> None:
        self.operator = True

    def _do_unlabel(self, it: Machine) -> None:
        assert self.release == SETTLED, "the agent would leave"
        it.label = False

    def _do_sweep(self, it: Machine) -> None:
        it.overlay = it.remains = False

    def _do_notes(self, it: Machine) -> None:
        it.notes = False

    # -- what must be so at every point

    def check(self, stopping: bool = False) -> None:
        servers = [it for it in self.nodes.values() if it.server]
        down = [it for it in servers if not it.up]
        assert not down or (self.options.together and stopping), "quorum, outside the announced stop"
        out = [it for it in self.nodes.values() if it.ours or it.told]
        assert len(out) <= max(1, self.options.agent_batch) and sum(it.server for it in out) <= 1, "too many out"
        for name, it in self.nodes.items():
            assert not (it.agent and it.flannel), f"{name}: Cilium beside flannel"
            fine = it.flannel or it.cilium or it.fell or self.stopped
            assert fine or it.claimed, f"{name} takes pods and has no network"
            assert it.cordoned or not it.theirs, "somebody else's cordon was taken away"
        self._reach()

    def _reach(self) -> None:
        """Between any two nodes that are in traffic there is a way, both ways."""
        known = [it for it in self.nodes.values() if (it.flannel or it.cilium) and it.in_traffic and not it.fell]
        for one in known:
            for other in known:
                same = one.cilium and other.cilium
                assert same or (one.overlay and other.overlay), "the two networks lost each other"
                assert same or other.notes, "flannel forgot a node"

    def there(self) -> None:
        assert self.release == SETTLED and self.operator
        for it in self.nodes.values():
            assert it.cilium and not it.old and not it.bridge
            assert not (it.label or it.claimed or it.told or it.ours or it.remains or it.notes or it.frozen)
            assert it.cordoned is it.theirs
        assert self.plan().steps == ()


def in_turn(found: Plan) -> list[Step]:
    """As Ansible goes: in a batch, each step on all of its nodes before the next one."""
    batches: dict[tuple[str, int], dict[str, list[Step]]] = {}
    for step in found.steps:
        batches.setdefault((step.phase, step.batch), {}).setdefault(step.node, []).append(step)
    order: list[Step] = []
    for nodes in batches.values():
        for number in range(max(map(len, nodes.values()))):
            order += [turn[number] for turn in nodes.values() if number < len(turn)]
    return order


def run(world: World, until: int = sys.maxsize) -> bool:
    """True when it came to its end."""
    for number, step in enumerate(in_turn(world.plan())):
        if number == until:
            return False
        world.do(step)
    return True
