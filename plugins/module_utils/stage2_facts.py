# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is observed of a cluster before and while kube-proxy is replaced, or brought back. Pure data."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import Announcer, Observed
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import PodRef

# On a node: with which stage's settings its agent starts, whatever the chart says.
STAGE_LABEL = "meshwright.k3s-cilium/stage"
# On a node that the rollout has in hand: a node that is out without it was taken out by somebody for other reasons.
WORK_MARK = "meshwright.k3s-cilium/rollout"
# On CoreDNS' Deployment while its pods are exchanged: what it said before.
DNS_MARK = "meshwright.k3s-cilium/dns"
CONFIG_NAME = "meshwright-stage-{stage}"  # of the CiliumNodeConfig for the nodes with that label
RECORD_NAME = "meshwright-stage"  # of the Secret that says where the way back leads: values may hold secrets

TRUE, FALSE = "True", "False"
MODES: t.Mapping[int, str] = {1: FALSE, 2: TRUE}


@dataclass(frozen=True)
class Pod:
    """A pod on a node, as far as a drain and a restart of the agent care."""

    ref: PodRef
    owner: str = ""  # the kind of its controller; empty: nobody makes it again
    owner_name: str = ""
    replicas: int = 0  # of its controller; 0 where that is not known
    static: bool = False
    host_network: bool = False
    done: bool = False
    emptydirs: tuple[str, ...] = ()
    local_volumes: tuple[str, ...] = ()  # claims that only this node can serve
    started: float = 0.0  # seconds since the epoch

    @property
    def moves(self) -> bool:
        """A drain would send it away."""
        return not self.static and not (self.owner == "DaemonSet" and not self.done)


@dataclass(frozen=True)
class Node:
    """One node, as the API, its agent and its host tell."""

    name: str
    host: str = ""  # in the inventory
    server: bool = False
    ready: bool = True
    voter: bool | None = None  # None: not asked, as of agents
    cordoned: bool = False
    ours: bool = False  # the cordon is
    claimed: bool = False  # the rollout has it in hand
    label: int = 0  # of STAGE_LABEL; 0: none
    announcers: tuple[Announcer, ...] = ()
    pods: tuple[Pod, ...] = ()
    # its agent
    agent: str = ""  # the pod's UID; empty: none
    agent_started: float = 0.0
    replacement: str = ""  # its own word: True, False, or nothing while it says nothing
    agent_state: str = "Ok"
    agent_message: str = ""
    # its k3s
    kube_proxy: bool = True  # its process, or its port 10256
    kube_proxy_elsewhere: str = ""  # the unit of one that is not k3s'
    kube_proxy_mode: str = ""  # its own word: iptables, ipvs or nftables
    disables: bool = False  # servers: the files say so
    started_disables: bool = False  # k3s runs so: a server by its files, an agent as it was told when it started
    # what a kube-proxy leaves behind
    leftovers: int = 0  # chains
    flows: int = 0  # conntrack entries of UDP to service addresses
    dead_ports: tuple[int, ...] = ()  # health check ports that nobody answers

    @property
    def withdrawn(self) -> bool:
        return any(announcer.told for announcer in self.announcers)

    @property
    def out(self) -> bool:
        return self.cordoned or self.withdrawn

    @property
    def moving(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.moves)

    @property
    def kept(self) -> tuple[Pod, ...]:
        """Pods that no drain moves, with sockets from before the agent's start: DaemonSets', static, the host's."""
        return tuple(
            pod for pod in self.pods if not pod.moves and not pod.done and 0 < pod.started < self.agent_started
        )

    def traffic(self) -> Observed:
        """As the maintenance's planner sees it."""
        return Observed(
            self.name, self.server, self.cordoned, self.ours, self.announcers, pods=len(self.moving)
        )


@dataclass(frozen=True)
class Budget:
    """A PodDisruptionBudget."""

    namespace: str
    name: str
    selector: t.Mapping[str, t.Any] | None = field(default=None, hash=False)
    allowed: int = 1
    healthy: int = 0
    desired: int = 0
    expected: int = 0

    @property
    def never(self) -> bool:
        """It lets nobody go even when all of its pods are well."""
        return self.expected > 0 and self.desired >= self.expected


@dataclass(frozen=True)
class Service:
    namespace: str
    name: str
    health_port: int = 0  # healthCheckNodePort
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What the cluster itself keeps about stage 1."""

    revision: int
    chart_version: str = ""
    snapshot: str = ""


@dataclass(frozen=True)
class Facts:
    """The cluster."""

    nodes: tuple[Node, ...]
    chart_stage: int | None = 1  # by the values of the newest release; None: no release
    chart_status: str = "deployed"
    chart_version: str = ""
    revision: int = 0
    operator_current: bool = True  # it started after the last change of its ConfigMap
    configs: t.Mapping[int, t.Mapping[str, str]] = field(default_factory=dict)  # our CiliumNodeConfigs' defaults
    foreign_configs: tuple[str, ...] = ()  # CiliumNodeConfigs of others
    wanted: t.Mapping[int, t.Mapping[str, str]] = field(default_factory=dict)  # what ours have to say
    flip_restarts: tuple[str, ...] = ()  # pods that a flip of the chart's value would restart
    flip_changes: tuple[str, ...] = ()  # settings that it would bring though they are no part of a stage
    only_stage2: tuple[str, ...] = ()  # variables of the inventory that stage 1 cannot have
    record: Record | None = None
    snapshot: str = ""  # taken for this revision
    lease_holder: str = ""  # somebody else's, and in force
    members: int = 0  # of etcd
    budgets: tuple[Budget, ...] = ()
    services: tuple[Service, ...] = ()
    dns_replicas: int | None = None  # of CoreDNS, 1 while they are exchanged; None: no Deployment of that name
    kubernetes: str = ""
    api_host: str = "127.0.0.1"  # k8sServiceHost
    service_cidrs: tuple[str, ...] = ()
    wait_for_kube_proxy: bool = False
    health_address: str = ""  # kubeProxyReplacementHealthzBindAddr

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def servers(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.server)

    @property
    def agents(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if not node.server)

    @property
    def health_ports(self) -> tuple[int, ...]:
        return tuple(sorted({service.health_port for service in self.services if service.health_port}))

    def destined(self, node: Node) -> str:
        """What the node's agent would say after its next start."""
        stage = node.label if node.label in self.configs else self.chart_stage
        return MODES.get(stage or 0, "")
