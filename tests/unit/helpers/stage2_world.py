"""A small cluster that does what the steps between the stages say, and looks after each whether that was right."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import (
    Announcer,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import PodRef
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import (
    MODES,
    TRUE,
    Facts,
    Node,
    Pod,
    Record,
    Service,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import (
    STAGE2,
    Options,
    Plan,
    Step,
    plan,
)

WANTED = {1: {"kube-proxy-replacement": "false"}, 2: {"kube-proxy-replacement": "true"}}
PODS = (Pod(PodRef("web", "a", "u", {}), "ReplicaSet"), Pod(PodRef("web", "d", "v", {}), "DaemonSet"))


@dataclass
class Machine:
    server: bool
    mode: str
    kube_proxy: bool
    label: int = 0
    claimed: bool = False
    cordoned: bool = False
    ours: bool = False
    theirs: bool = False  # cordoned by somebody else: must stay
    told: bool = False
    pods: bool = True
    up: bool = True  # its agent
    ready: bool = True
    disables: bool = False
    started_disables: bool = False
    leftovers: int = 0
    flows: int = 0
    dead: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def served(self) -> bool:
        """What an agent that is away loaded goes on serving."""
        return self.kube_proxy or self.mode == TRUE


class World:
    """A cluster that does what it is told, and looks after every step whether that was right."""

    def __init__(
        self, servers: int, agents: int, stage: int = 1, options: Options | None = None, seed: int = 0
    ) -> None:
        two = stage == 2
        names = [f"s{number}" for number in range(servers)] + [f"a{number}" for number in range(agents)]
        self.nodes = {
            name: Machine(name[0] == "s", MODES[stage], not two, disables=two and name[0] == "s", started_disables=two)
            for name in names
        }
        self.chart, self.operator, self.configs = stage, True, dict[int, dict[str, str]]()
        self.record: Record | None = None
        self.snapshot, self.dns = "", 1
        self.options = options or Options()
        self.random = random.Random(seed)
        self.strict = True  # nothing may be done that changes nothing

    # -- what is seen

    def facts(self) -> Facts:
        return Facts(
            tuple(self.node(name) for name in self.nodes), chart_stage=self.chart, operator_current=self.operator,
            configs=dict(self.configs), wanted=WANTED, record=self.record, snapshot=self.snapshot,
            dns_replicas=self.dns, services=(Service("web", "local", 31000),),
        )  # fmt: skip

    def node(self, name: str) -> Node:
        it = self.nodes[name]
        return Node(
            name, server=it.server, ready=it.ready, voter=it.ready if it.server else None, cordoned=it.cordoned,
            ours=it.ours, claimed=it.claimed, label=it.label, announcers=(Announcer("bgp", it.told, None),),
            pods=PODS if it.pods else PODS[1:], replacement=it.mode if it.up else "", kube_proxy=it.kube_proxy,
            disables=it.disables, started_disables=it.started_disables, leftovers=it.leftovers, flows=it.flows,
            dead_ports=(31000,) if it.dead else (),
        )  # fmt: skip

    def plan(self, direction: str) -> Plan:
        return plan(self.facts(), direction, self.options)

    # -- what happens

    def destined(self, it: Machine) -> str:
        return MODES[it.label if it.label in self.configs else self.chart]

    def asked(self) -> bool:
        return self.random.choice([it.started_disables for it in self.nodes.values() if it.server])

    def settle(self) -> None:
        """Time passes: what was started comes up."""
        for it in self.nodes.values():
            it.ready = True
            self._agent_up(it)

    def reboot(self, name: str) -> None:
        it = self.nodes[name]
        self._k3s(it)
        it.up, it.leftovers, it.flows, it.dead = False, 0, 0, False
        self.settle()
        it.counts.clear()

    def cordon(self, name: str) -> None:
        it = self.nodes[name]
        if not it.cordoned:
            it.cordoned = it.theirs = True

    def do(self, step: Step) -> None:
        before = self._state(step)
        getattr(self, "_do_" + step.kind.replace("-", "_"), self._look)(step, self.nodes.get(step.node))
        idle = step.kind in (*steps.LOOKS, steps.RENEW, steps.DRAIN) or step.phase in (steps.LEFTOVERS, steps.PORTS)
        assert idle or not self.strict or self._state(step) != before, f"{step.id} did nothing"
        self.check()

    def _state(self, step: Step) -> str:
        cluster = (self.chart, self.operator, self.configs, self.record, self.snapshot, self.dns)
        return repr((self.nodes.get(step.node), cluster))

    def _look(self, step: Step, it: Any) -> None:
        assert step.kind in (*steps.LOOKS, steps.RENEW), step
        if step.kind == steps.REPLACED:
            self._agent_up(it)
        if step.kind == steps.JOINED:
            it.ready = True
        if step.kind == steps.PROXYLESS:
            assert not it.kube_proxy and it.mode == TRUE
        if step.kind == steps.PROXIED:
            assert it.kube_proxy

    def _do_snapshot(self, _step: Step, _it: Any) -> None:
        self.snapshot = "taken"

    def _do_record(self, _step: Step, _it: Any) -> None:
        assert self.snapshot and self.chart == 1
        self.record = Record(1)

    def _do_forget(self, _step: Step, _it: Any) -> None:
        self.record = None

    def _do_dns(self, _step: Step, _it: Any) -> None:
        self.dns = 2

    def _do_node_config(self, step: Step, _it: Any) -> None:
        stage = step.stage
        self.configs[stage] = WANTED[stage]

    def _do_claim(self, _step: Step, it: Machine) -> None:
        it.claimed = True

    def _do_release(self, _step: Step, it: Machine) -> None:
        assert not it.told and not it.ours
        it.claimed = False

    def _do_cordon(self, _step: Step, it: Machine) -> None:
        it.cordoned = it.ours = True

    def _do_uncordon(self, _step: Step, it: Machine) -> None:
        assert it.ours, "somebody else's cordon"
        it.cordoned = it.ours = False
        it.pods = True

    def _do_withdraw(self, _step: Step, it: Machine) -> None:
        it.told = True

    def _do_announce(self, _step: Step, it: Machine) -> None:
        it.told = False

    def _do_drain(self, _step: Step, it: Machine) -> None:
        it.pods = False

    def _do_label(self, step: Step, it: Machine) -> None:
        it.label = step.stage
        assert it.label in self.configs or it.label == self.chart

    def _do_unlabel(self, _step: Step, it: Machine) -> None:
        it.label = 0

    def _do_unconfigure(self, _step: Step, _it: Any) -> None:
        self.configs.clear()

    def _do_restart(self, _step: Step, it: Machine) -> None:
        wish = self.options
        assert it.claimed and (it.told or not wish.withdraw) and ((it.cordoned and not it.pods) or not wish.drain)
        assert self.destined(it) != it.mode or not it.up or not self.strict, "restarted for nothing"
        it.up = False
        self._count(it, "agent")

    def _do_flip(self, step: Step, _it: Any) -> None:
        self.chart = 2 if "stage 2" in step.what else 1
        assert all(it.mode == MODES[self.chart] for it in self.nodes.values())
        self.operator = False

    def _do_operator(self, _step: Step, _it: Any) -> None:
        self.operator = True

    def _do_drop_in(self, step: Step, it: Machine) -> None:
        it.disables = "stage 2" in step.what

    def _do_k3s(self, _step: Step, it: Machine) -> None:
        assert all(other.ready for other in self.nodes.values() if other.server), "one server at a time"
        self._k3s(it)
        it.ready = False
        self._count(it, "k3s")

    def _do_rules(self, _step: Step, it: Machine) -> None:
        assert not it.kube_proxy and it.mode == TRUE
        it.leftovers = 0

    def _do_flows(self, _step: Step, it: Machine) -> None:
        it.flows = 0

    def _do_health(self, _step: Step, it: Machine) -> None:
        it.dead = False

    def _k3s(self, it: Machine) -> None:
        it.started_disables = it.disables if it.server else self.asked()
        if it.kube_proxy and it.started_disables:
            it.leftovers, it.flows, it.dead = 7, 3, True
        it.kube_proxy = not it.started_disables

    def _agent_up(self, it: Machine) -> None:
        if not it.up:
            it.mode, it.up = self.destined(it), True

    def _count(self, it: Machine, what: str) -> None:
        it.counts[what] = it.counts.get(what, 0) + 1

    # -- what must be so at every point

    def check(self) -> None:
        servers = [it for it in self.nodes.values() if it.server]
        # One or two have no majority to lose.
        assert sum(it.ready for it in servers) >= min(len(servers) // 2 + 1, len(servers) - 1), "quorum"
        out = [it for it in self.nodes.values() if it.ours or it.told]
        assert len(out) <= max(1, self.options.agent_batch) and sum(it.server for it in out) <= 1, "too many out"
        any_disables = any(it.started_disables for it in servers)
        for name, it in self.nodes.items():
            assert it.served, f"{name} serves nothing"
            without = it.disables if it.server else any_disables
            assert self.destined(it) == TRUE or not without, f"{name} would serve nothing after a reboot"
            assert it.cordoned or not it.theirs, "somebody else's cordon was taken away"

    def there(self, direction: str) -> None:
        target = steps.TARGETS[direction]
        assert self.chart == target and self.operator and not self.configs
        for it in self.nodes.values():
            assert it.mode == MODES[target] and it.kube_proxy is (target == 1)
            assert not (it.label or it.claimed or it.told or it.ours) and it.cordoned is it.theirs
            assert target == 1 or not (it.leftovers or it.flows or it.dead)
        assert (self.record is None) or direction == STAGE2
        assert self.plan(direction).steps == ()


def in_turn(found: Plan) -> Iterator[Step]:
    """As Ansible goes: in a batch, each step on all of its nodes before the next one."""
    batches: dict[tuple[str, int], dict[str, list[Step]]] = {}
    for step in found.steps:
        batches.setdefault((step.phase, step.batch), {}).setdefault(step.node, []).append(step)
    for nodes in batches.values():
        for number in range(max(map(len, nodes.values()))):
            yield from (turn[number] for turn in nodes.values() if number < len(turn))


def run(world: World, direction: str, until: int = sys.maxsize) -> bool:
    """True when it came to its end."""
    for number, step in enumerate(in_turn(world.plan(direction))):
        if number == until:
            return False
        world.do(step)
    return True
