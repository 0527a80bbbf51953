# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps between the stages: what each does, why, and what takes it back. Data."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import (
    ANNOUNCE,
    CORDON,
    DRAIN,
    GONE,
    PRESENT,
    UNCORDON,
    WITHDRAW,
)

STAGE2, BACK = "stage2", "back"
TARGETS: t.Mapping[str, int] = {STAGE2: 2, BACK: 1}


def direction_of(stage: int) -> str:
    return STAGE2 if stage == 2 else BACK


# Phases, by the names under which people see them.
PREPARE, PASS_ONE, DEFAULT, SERVERS, AGENTS, LEFTOVERS, PORTS, END = (
    "prepare", "nodes", "default", "servers", "agents", "leftovers", "health ports", "end",
)  # fmt: skip

SNAPSHOT, RECORD, DNS, NODE_CONFIG = "snapshot", "record", "dns", "node-config"
CLAIM, LABEL, RESTART, REPLACED, RENEW, ANSWERED, RELEASE = (
    "claim", "label", "restart", "replaced", "renew", "answered", "release",
)  # fmt: skip
FLIP, OPERATOR, UNCONFIGURE, UNLABEL = "flip", "operator", "unconfigure", "unlabel"
DROP_IN, K3S, JOINED, PROXYLESS, PROXIED = "drop-in", "k3s", "joined", "proxyless", "proxied"
RULES, FLOWS, HEALTH, FORGET = "rules", "flows", "health", "forget"

# In these each node's steps are taken by its own host; in the others, all by one.
BY_NODE = (PASS_ONE, SERVERS, AGENTS, LEFTOVERS, PORTS)
PHASES = (PREPARE, PASS_ONE, DEFAULT, SERVERS, AGENTS, LEFTOVERS, PORTS, END)
# Taken by the role maintenance.
TRAFFIC = frozenset({CORDON, WITHDRAW, GONE, DRAIN, UNCORDON, ANNOUNCE, PRESENT})
# Taken by way of the Kubernetes API alone.
API = frozenset({
    RECORD, DNS, NODE_CONFIG, CLAIM, LABEL, RESTART, REPLACED, RENEW, RELEASE, OPERATOR, UNCONFIGURE, UNLABEL, FORGET,
})  # fmt: skip
# What is waited for in them is not ours.
WAITS: t.Mapping[str, str] = {
    REPLACED: "pod", OPERATOR: "pod", DNS: "pod", RENEW: "pod", K3S: "k3s", JOINED: "cluster", ANSWERED: "",
}

# Steps that only look: made again, they change nothing.
LOOKS = frozenset({GONE, PRESENT, REPLACED, ANSWERED, JOINED, PROXYLESS, PROXIED})


@dataclass(frozen=True)
class Step:
    id: str
    kind: str
    phase: str
    stage: int  # whereto
    batch: int  # steps of one phase and batch belong to nodes that are in work together
    node: str  # empty: the whole cluster
    what: str
    why: str
    undo: str  # empty: nothing to take back

    def as_dict(self) -> dict[str, t.Any]:
        return asdict(self)


_NOTHING = ""
# kind → what, why, undo; {node}, {stage} (the target), {former}, {mode} (on or off) are filled in.
_TEXTS: t.Mapping[str, tuple[str, str, str]] = {
    SNAPSHOT: ("take an etcd snapshot", "for disasters only: going back does not need it", _NOTHING),
    RECORD: (
        "write the release's revision and values on the cluster, with the snapshot's name",
        "so that any controller finds the way back", "delete that Secret",
    ),
    DNS: (
        "let CoreDNS run twice, and pause before its end",
        "a drain takes one of them away, and names must go on resolving",
        "scale it to one again",
    ),
    NODE_CONFIG: (
        "write the CiliumNodeConfig of stage {stage}", "nodes take its settings one by one, when labelled",
        "delete it, labels first",
    ),
    CLAIM: (
        "note on {node} that the rollout has it in hand", "a run that was killed knows by it which node to finish",
        "remove the annotation",
    ),
    CORDON: ("cordon {node}", "new pods stay away", "uncordon it"),
    WITHDRAW: ("take {node}'s announcements away", "new connections go elsewhere", "announce again"),
    GONE: ("let every router confirm that it sends nothing to {node}", "only routers know where they send", _NOTHING),
    DRAIN: (
        "drain {node}, respecting budgets", "connections to services break when the proxy changes under them",
        "uncordon it: pods come again by themselves",
    ),
    LABEL: (
        "label {node} for stage {stage}", "its agent takes the settings at its next start, and only its agent",
        "label it for stage {former}",
    ),
    RESTART: (
        "restart the Cilium agent of {node}", "with the replacement {mode}",
        "label it for stage {former} and restart the agent",
    ),
    REPLACED: (
        "wait for {node}'s new agent to say that the replacement is {mode}", "the old one's word counts for nothing",
        _NOTHING,
    ),
    RENEW: (
        "restart pods on {node} that no drain moves", "their sockets are from before the change (asked for)", _NOTHING,
    ),
    ANSWERED: (
        "let a NodePort answer on {node}, and see which proxy did it", "traffic is what counts", _NOTHING,
    ),
    UNCORDON: ("uncordon {node}", "the cordon was ours", "cordon it"),
    ANNOUNCE: ("announce from {node} again", "it serves again", "take the announcements away"),
    PRESENT: ("let every router confirm that it sends to {node} again", "before the next node goes out", _NOTHING),
    RELEASE: ("remove the rollout's note from {node}", "it is finished", "write it again"),
    FLIP: (
        "set the chart's value to stage {stage}", "nodes that join or are rebuilt start so; no agent restarts",
        "set it to stage {former}",
    ),
    OPERATOR: ("restart Cilium's operator", "it reads the ConfigMap when it starts, and only that", _NOTHING),
    UNCONFIGURE: ("delete our CiliumNodeConfigs", "the chart says the same now", "write them again"),
    UNLABEL: ("remove the stage's label from {node}", "nothing reads it any more", "label it again"),
    DROP_IN: (
        "write {node}'s drop-in for stage {stage}", "k3s reads there whether it runs kube-proxy",
        "write it for stage {former}",
    ),
    K3S: ("restart k3s on {node}", "it reads its configuration when it starts; pods stay", "the drop-in, and restart"),
    JOINED: ("wait until {node} is Ready, its etcd votes and its Cilium is well", "before the next one", _NOTHING),
    PROXYLESS: (
        "see that kube-proxy is gone from {node}: process, port 10256, log since the start", "an agent may have asked "
        "a server that was not restarted yet", _NOTHING,
    ),
    PROXIED: ("see that kube-proxy answers on {node} and has its rules", "before anything leaves Cilium", _NOTHING),
    RULES: (
        "remove kube-proxy's and kube-router's chains from {node}", "nobody keeps them up to date any more",
        "kube-proxy writes its own again when it starts",
    ),
    FLOWS: (
        "forget {node}'s UDP flows to service addresses", "kube-proxy cleaned them; now nobody does", _NOTHING,
    ),
    HEALTH: (
        "try each health check port of {node}, and restart its agent where one is dead",
        "an agent that found it taken does not try again", _NOTHING,
    ),
    FORGET: ("delete the record of the way back", "the cluster is back", _NOTHING),
}  # fmt: skip


def step(kind: str, phase: str, target: int, node: str = "", batch: int = 0) -> Step:
    names = {"node": node, "stage": target, "former": 3 - target, "mode": "on" if target == 2 else "off"}
    what, why, undo = (text.format(**names) for text in _TEXTS[kind])
    return Step(f"{kind}@{node}" if node else kind, kind, phase, target, batch, node, what, why, undo)
