# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against moving a cluster from flannel to Cilium, all of it, before anything is changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_gate_pods as pods
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    Finding,
    Findings,
    note,
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import (
    BACKENDS,
    SETTLED,
    Facts,
    Node,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_plan import Options, visit
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_steps import CLAIM, CLEAR
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_gate_pods import Accept
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import Options as DrainOptions


@dataclass(frozen=True)
class _Case:
    facts: Facts
    options: Options
    accept: Accept
    policies: bool  # the user knows that they are not enforced meanwhile


def judge(
    facts: Facts, options: Options | None = None, accept: Accept | None = None, policies: bool = False
) -> tuple[Finding, ...]:
    case = _Case(facts, options or Options(), replace(accept or Accept(), role="migrate"), policies)
    turns = {node.name: visit(facts, node) for node in facts.nodes}
    busy = [node for node in facts.nodes if turns[node.name]]
    found: list[Finding] = [*_lease(facts), *_flannel(facts), *_ends(facts), *_quorum(case)]
    for node in facts.nodes:
        found += _node(case, node)
    if busy:
        found += [*_policies(case), *_alone(facts), *_announced(case)]
        drained = [node.base for node in busy if CLEAR in turns[node.name] or CLAIM in turns[node.name]]
        found += pods.judge(facts.cluster, drained, DrainOptions(scale_dns=case.options.scale_dns), case.accept)
    return tuple(found)


# -- the cluster as a whole


def _lease(facts: Facts) -> Findings:
    if facts.cluster.lease_holder:
        yield refuse(
            CLUSTER, "lease", "the Lease of the rollout", f"held by {facts.cluster.lease_holder}", "nobody else's",
            "let that run end; a dead one's Lease ends by itself",
        )


def _flannel(facts: Facts) -> Findings:
    """Ways through the kernel that outlive flannel are known for these only."""
    if facts.moved:
        return
    strange = [name for name in facts.backends if name not in BACKENDS]
    if strange or len(facts.backends) != 1:
        yield refuse(
            CLUSTER, "backend", "flannel's backend", " and ".join(facts.backends) or "unknown",
            f"one of {', '.join(BACKENDS)}, the same on all nodes",
            "change it to vxlan first, with all servers at once, or drain the workload to a new cluster",
        )
    if facts.release == SETTLED and any(not node.runs_none for node in facts.nodes):
        yield refuse(
            CLUSTER, "release", "Cilium's release", "there, with agents on nodes that run flannel",
            "none, or one whose agents wait for the migration's label",
            "uninstall it: two networks would give the same addresses to different pods",
        )
    if facts.cluster.chart_status not in ("deployed", "missing"):
        yield refuse(
            CLUSTER, "release", "Cilium's release", facts.cluster.chart_status, "deployed",
            "mend it with Helm: `helm -n kube-system history cilium` says what happened",
        )


def _ends(facts: Facts) -> Findings:
    ends, remedy = facts.ends, "set it so; other ways are open once the cluster has been moved"
    if ends.routing_mode != "native" or not ends.auto_direct_node_routes:
        seen = f"{ends.routing_mode}, {'with' if ends.auto_direct_node_routes else 'without'} direct node routes"
        yield refuse(
            CLUSTER, "routing", "cilium_routing_mode", seen, "native with cilium_auto_direct_node_routes: both "
            "networks use the nodes' own routes", remedy,
        )
    if ends.ipam_mode != "kubernetes":
        yield refuse(
            CLUSTER, "ipam", "cilium_ipam_mode", ends.ipam_mode, "kubernetes: nodes keep their podCIDRs", remedy
        )
    foreign = [cidr for cidr in ends.cluster_cidrs if cidr not in ends.native_cidrs]
    if foreign:
        yield refuse(
            CLUSTER, "native-cidr", "cilium_native_routing_cidr", ", ".join(ends.native_cidrs) or "not set",
            f"the cluster's own {', '.join(foreign)}: pods of flannel would see masqueraded ones",
            "leave it to its default",
        )


def _quorum(case: _Case) -> Findings:
    servers, members = case.facts.servers, case.facts.cluster.members
    voters = [node for node in servers if node.base.voter]
    halted = [node for node in servers if not node.up]
    if halted and len(halted) == len(servers):
        yield note(CLUSTER, "etcd", "all servers", "stopped, as a run left them: they are started first")
    elif members and len(voters) < members:
        missing = [node.host for node in servers if not node.base.voter] or ["a member that is no node"]
        yield refuse(
            CLUSTER, "etcd", "etcd", f"{len(voters)} voters of {members} members (not {pods.some(missing)})",
            "all of them there", "bring them back, or remove the member that is gone",
        )


def _announced(case: _Case) -> Findings:
    """What will be away, and when: said before anything is done."""
    late = [node.host for node in case.facts.servers if not node.runs_none]
    if case.options.together and late:
        yield warn(
            CLUSTER, "stop", "the Kubernetes API", f"away while {pods.some(late)} stop and start together",
            "seconds, measured and told at the end", "pods and services go on; nothing is scheduled meanwhile",
        )
    elif late and len(case.facts.servers) < 3:
        yield warn(
            CLUSTER, "stop", "the number of servers", str(len(case.facts.servers)), "three, so that one may restart",
            "expect the Kubernetes API to be away while a server restarts",
        )


def _policies(case: _Case) -> Findings:
    if not case.facts.policies:
        return
    seen = f"{case.facts.policies}, enforced by neither network between pods of both"
    if case.policies:
        yield warn(CLUSTER, "policies", "the NetworkPolicies", seen, "none that is missed until the end", "be quick")
    else:
        yield refuse(
            CLUSTER, "policies", "the NetworkPolicies", seen, "your consent",
            "say migrate_accept_policies=true: moved nodes enforce them again at the end",
        )


def _alone(facts: Facts) -> Findings:
    if len(facts.nodes) < 2:
        yield refuse(
            CLUSTER, "alone", "the number of nodes", "1", "another one that takes the pods",
            "take the workload away, and build the cluster anew",
        )


# -- node by node


def _node(case: _Case, node: Node) -> Findings:
    base, host = node.base, node.host
    if not base.ready and not node.between and node.up:
        yield refuse(host, "ready", f"the node {node.name}", "not Ready", "Ready", "bring it back first")
    if node.fixed and not node.moved:
        yield refuse(
            host, "fixed", "flannel-backend or disable-network-policy", f"given in {node.fixed}",
            "in config.yaml, or in a drop-in that comes before ours",
            "move it there: what is given elsewhere beats our drop-in",
        )
    if node.behind:
        yield refuse(
            host, "one-network", f"its way to {pods.some(node.behind)}", "by way of a gateway", "a direct one",
            "nodes have to be in one network for direct routes between pods",
        )
    if base.kube_proxy_elsewhere or not base.kube_proxy:
        seen = f"the unit {base.kube_proxy_elsewhere}'s" if base.kube_proxy_elsewhere else "not there"
        yield refuse(
            host, "kube-proxy", "its kube-proxy", seen, "k3s' own: the end is stage 1",
            "disable that unit, or remove disable-kube-proxy from the servers, and restart k3s",
        )
    yield from _cordon(case, node)


def _cordon(case: _Case, node: Node) -> Findings:
    base, host = node.base, node.host
    if not base.out or base.claimed:
        return
    if case.accept.cordoned and not base.ours and not base.withdrawn:
        yield warn(
            host, "cordon", f"the node {node.name}", "cordoned by somebody else", "schedulable",
            "it stays cordoned afterwards",
        )
        return
    ours = base.ours or base.withdrawn
    how = "taken out by the maintenance" if ours else "cordoned by somebody else"
    yield refuse(
        host, "cordon", f"the node {node.name}", how,
        "in traffic", "bring it back with playbooks/maintenance.yml" if ours else
        "uncordon it, or say migrate_accept_cordoned=true: then it stays cordoned",
    )


__all__ = ["Accept", "judge"]
