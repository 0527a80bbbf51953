# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from flannel to Cilium: what each does, why, and what takes it back. Data."""

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

# Phases, by the names under which people see them.
PREPARE, STOP, START, NODES, SETTLEMENT, LEFTOVERS = "prepare", "stop", "start", "nodes", "settlement", "leftovers"
PHASES = (PREPARE, STOP, START, NODES, SETTLEMENT, LEFTOVERS)
# In these each node's steps are taken by its own host; in the others, all by one.
BY_NODE = (STOP, START, NODES, LEFTOVERS)

SNAPSHOT, DNS, RELEASE_BESIDE = "snapshot", "dns", "beside"
CLAIM, DROP_IN, HALT, K3S, JOINED = "claim", "drop-in", "halt", "k3s", "joined"
DISMISS, CLEAR, OVERLAY, ADMIT, CONNECTED, RENEW, REACH, RELEASE = (
    "dismiss", "clear", "overlay", "admit", "connected", "renew", "reach", "release",
)  # fmt: skip
SETTLE, OPERATOR, UNLABEL, SWEEP, NOTES = "settle", "operator", "unlabel", "sweep", "notes"
EXPEL, DROP_OUT, RETURNED = "expel", "drop-out", "returned"

# Steps that only look: made again, they change nothing.
LOOKS = frozenset({GONE, PRESENT, JOINED, CONNECTED, REACH, RETURNED})
# Taken by the role maintenance.
TRAFFIC = frozenset({CORDON, WITHDRAW, GONE, DRAIN, UNCORDON, ANNOUNCE, PRESENT})
# Taken by way of the Kubernetes API alone.
API = frozenset({DNS, CLAIM, DISMISS, ADMIT, CONNECTED, RELEASE, OPERATOR, UNLABEL, NOTES, EXPEL})


@dataclass(frozen=True)
class Step:
    id: str
    kind: str
    phase: str
    batch: int  # steps of one phase and batch belong to nodes that are in work together
    node: str  # empty: the whole cluster
    what: str
    why: str
    undo: str  # empty: nothing to take back

    def as_dict(self) -> dict[str, t.Any]:
        return asdict(self)


_NOTHING = ""
# kind → what, why, undo; {node} is filled in.
_TEXTS: t.Mapping[str, tuple[str, str, str]] = {
    SNAPSHOT: ("take an etcd snapshot", "for disasters only: it would lose what was written since", _NOTHING),
    DNS: ("scale CoreDNS to two replicas", "names resolve while one of them moves (asked for)", "scale it back"),
    RELEASE_BESIDE: (
        "install Cilium with agents that wait for a label", "no node has it yet, so only the operator starts",
        "uninstall the release",
    ),
    CLAIM: ("note on {node} that the migration has it in hand", "a run that is killed goes on with it", "remove it"),
    CORDON: ("cordon {node}", "new pods stay away", "uncordon it"),
    WITHDRAW: ("take {node}'s announcements away", "new connections stay away", "announce again"),
    GONE: ("let every router confirm that it sends {node} nothing", "only routers know where they send", _NOTHING),
    DRAIN: (
        "drain {node}, respecting budgets", "its pods get other addresses of another network",
        "uncordon it: pods come again by themselves",
    ),
    DROP_IN: (
        "write {node}'s drop-in with flannel-backend none", "k3s reads it when it starts; its network policy "
        "controller ends with it", "delete the drop-in",
    ),
    HALT: (
        "stop k3s on {node}", "this k3s compares with the other servers when it starts, so all change together: "
        "the Kubernetes API is away until they are back; pods go on", "start it",
    ),
    K3S: (
        "restart k3s on {node}, without flannel", "containerd looks for Cilium then; what flannel put into the kernel "
        "stays", "delete the drop-in, and restart",
    ),
    JOINED: ("wait until {node}'s k3s answers, and votes", "before anything else happens; Ready it cannot be yet",
             _NOTHING),
    DISMISS: (
        "delete the pods on {node} that no drain moves", "services stop leading to them, and they end in order; they "
        "are gone for good, and made anew, when Cilium is there", _NOTHING,
    ),
    CLEAR: (
        "take the old bridge off {node}, and frozen rules", "Cilium gives the same addresses to other pods",
        "flannel makes them again",
    ),
    OVERLAY: (
        "mend {node}'s way to the nodes that have flannel yet", "a reboot took it from the kernel, and nobody there "
        "makes it again", _NOTHING,
    ),
    ADMIT: ("label {node} for Cilium", "its agent comes now, and only its", "remove the label"),
    CONNECTED: ("wait for {node}'s agent, its CNI configuration and Ready", "before any pod comes", _NOTHING),
    RENEW: (
        "let kubelet make {node}'s remaining pods anew", "static ones hang on the bridge that is gone", _NOTHING,
    ),
    REACH: (
        "let pods and services answer between {node} and both networks", "traffic is what counts", _NOTHING,
    ),
    UNCORDON: ("uncordon {node}", "the cordon was ours", "cordon it"),
    ANNOUNCE: ("announce from {node} again", "it serves again", "take the announcements away"),
    PRESENT: ("let every router confirm that it sends to {node} again", "before the next node goes out", _NOTHING),
    RELEASE: ("remove the migration's note from {node}", "it is finished", "write it again"),
    SETTLE: (
        "bring Cilium's release to what site.yml says", "agents need no label then and enforce policies; they restart "
        "one by one", "the values of before",
    ),
    OPERATOR: ("restart Cilium's operator", "it reads the ConfigMap when it starts, and only that", _NOTHING),
    UNLABEL: ("remove the label from {node}", "nothing reads it any more", "label it again"),
    SWEEP: (
        "remove flannel's links, routes, rules and files from {node}", "every node reaches every other directly",
        _NOTHING,
    ),
    NOTES: ("remove flannel's annotations from {node}", "no flannel reads them any more", _NOTHING),
    EXPEL: ("remove the label from {node}, and wait until its agent is gone", "flannel comes back to it",
            "label it again"),
    DROP_OUT: ("delete {node}'s drop-in", "k3s runs flannel without it", "write it again"),
    RETURNED: ("wait until {node} is Ready with flannel, and votes", "before any pod comes", _NOTHING),
}  # fmt: skip


def step(kind: str, phase: str, node: str = "", batch: int = 0) -> Step:
    what, why, undo = (text.format(node=node) for text in _TEXTS[kind])
    return Step(f"{kind}@{node}" if node else kind, kind, phase, batch, node, what, why, undo)
