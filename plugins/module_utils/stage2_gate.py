# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against going from one stage to the other, all of it, before anything is changed. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_gate_pods as pods
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    Finding,
    Findings,
    from_error,
    note,
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import FALSE, TRUE, Facts, Node
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_gate_pods import Accept
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import Options, visit
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_steps import RESTART, TARGETS


@dataclass(frozen=True)
class _Case:
    facts: Facts
    target: int
    options: Options
    accept: Accept


def judge(
    facts: Facts, direction: str, options: Options | None = None, accept: Accept | None = None
) -> tuple[Finding, ...]:
    case = _Case(facts, TARGETS[direction], options or Options(), accept or Accept())
    found: list[Finding] = [*_lease(case), *_release(case), *_versions(case), *_values(case), *_quorum(case)]
    for node in facts.nodes:
        found += _node(case, node)
    turns = {node.name: visit(facts, node, case.target, case.options) for node in facts.nodes}
    found += _alone(case, any(turns.values()))
    # A node that is empty now may have pods by its turn.
    drained = [node for node in facts.nodes if case.options.drain and RESTART in turns[node.name]]
    found += pods.judge(facts, drained, case.options, case.accept)
    found += pods.kept([node for node in facts.nodes if turns[node.name]], case.options)
    return tuple(found)


def _host(node: Node) -> str:
    return node.host or node.name


# -- the cluster as a whole


def _lease(case: _Case) -> Findings:
    if case.facts.lease_holder:
        yield refuse(
            CLUSTER, "lease", "the Lease of the rollout", f"held by {case.facts.lease_holder}", "nobody else's",
            "let that run end; a dead one's Lease ends by itself",
        )


def _release(case: _Case) -> Findings:
    facts, remedy = case.facts, "run site.yml first: it brings the release to its end"
    if facts.chart_stage is None:
        yield refuse(
            CLUSTER, "release", "Cilium's release", "missing, or without a word on kubeProxyReplacement",
            "one that Helm manages, with the stage in its values", remedy,
        )
        return
    if facts.chart_status != "deployed":
        yield refuse(CLUSTER, "release", "Cilium's release", facts.chart_status, "deployed", remedy)
    if facts.flip_restarts:
        yield refuse(
            CLUSTER, "release", "the change of the stage in the chart's values",
            f"one that restarts {'; '.join(facts.flip_restarts)}", "one that no agent notices",
            "leave rollOutCiliumPods out of cilium_values, and run site.yml first, which brings that to the agents",
        )
    if facts.flip_changes:
        yield refuse(
            CLUSTER, "release", "the live settings", f"not what the inventory says ({pods.some(facts.flip_changes)})",
            "the same but for the stage", "run site.yml first, so that the stage is the only thing that changes",
        )
    if facts.foreign_configs:
        yield refuse(
            CLUSTER, "node-configs", "the CiliumNodeConfigs", f"others' too ({pods.some(facts.foreign_configs)})",
            "ours only: what an agent starts with is to be known", "take them away, or do the same with chart values",
        )
    if case.target == 1 and facts.record is None and facts.chart_stage == 2:
        yield warn(
            CLUSTER, "record", "the record of stage 1", "missing, as in a cluster that began at stage 2",
            "the release's revision and values of before", "the inventory's own values are taken for stage 1",
        )


def _versions(case: _Case) -> Findings:
    try:
        cilium = versions.parse_plain(case.facts.chart_version, "the version of Cilium's release").line
        major, minor = case.facts.kubernetes.lstrip("v").split(".")[:2]
        kubernetes = (int(major), int(minor))
    except MeshwrightError as error:
        yield from_error(error, CLUSTER, "versions")
        return
    except ValueError:
        yield refuse(
            CLUSTER, "versions", "the cluster's version", case.facts.kubernetes or "unknown", "v1.X.Y",
            "see that the API server answers",
        )
        return
    if not versions.cilium_supports(cilium, kubernetes):
        fits = ", ".join(versions.show(line) for line in versions.cilium_for(kubernetes)) or "none that is known here"
        yield refuse(
            CLUSTER, "versions", "Cilium", f"{versions.show(cilium)} on Kubernetes {versions.show(kubernetes)}",
            f"one that its makers tested with it ({fits})", "upgrade one of the two first, with site.yml",
        )


def _values(case: _Case) -> Findings:
    facts = case.facts
    if facts.wait_for_kube_proxy:
        yield refuse(
            CLUSTER, "wait-for-kube-proxy", "kubeProxyReplacement's waitForKubeProxy", "true", "false",
            "take it out of cilium_values: without kube-proxy the agents would wait for ever",
        )
    if facts.health_address and any(node.kube_proxy for node in facts.nodes):
        yield refuse(
            CLUSTER, "health-address", "kubeProxyReplacementHealthzBindAddr", facts.health_address,
            "empty while kube-proxy runs, which has that port",
            "set it in cilium_values once the cluster is at stage 2",
        )
    yield from _api_host(facts)
    if case.target == 1 and facts.only_stage2:
        yield refuse(
            CLUSTER, "only-stage-2", ", ".join(facts.only_stage2), "on", "off at stage 1",
            "turn it off in the inventory and run site.yml: it needs Cilium in kube-proxy's place",
        )


def _api_host(facts: Facts) -> Findings:
    """How agents reach the API must not need what they are about to serve."""
    remedy = "set cilium_k8s_service_host to 127.0.0.1 (localhost on IPv6), port 6444: k3s serves it on every node"
    wanted = "an address that is reached without services"
    if not facts.api_host:
        yield refuse(CLUSTER, "api-host", "k8sServiceHost", "not set", wanted, remedy)
        return
    if facts.api_host.split(".")[0] == "kubernetes" or facts.api_host.endswith(".svc"):
        yield refuse(CLUSTER, "api-host", "k8sServiceHost", facts.api_host, wanted, remedy)
        return
    try:
        address = ipaddress.ip_address(facts.api_host)
    except ValueError:
        return
    for cidr in facts.service_cidrs:
        if address in ipaddress.ip_network(cidr, strict=False):
            seen = f"{address}, inside the services' {cidr}"
            yield refuse(CLUSTER, "api-host", "k8sServiceHost", seen, wanted, remedy)
    if not address.is_loopback:
        yield warn(
            CLUSTER, "api-host", "k8sServiceHost", f"{address}, one address for all nodes",
            "127.0.0.1, as k3s serves it", remedy,
        )


def _quorum(case: _Case) -> Findings:
    servers = case.facts.servers
    voters = [node for node in servers if node.voter]
    if case.facts.members and len(voters) < case.facts.members:
        missing = [_host(node) for node in servers if not node.voter] or ["a member that is no node"]
        yield refuse(
            CLUSTER, "etcd", "etcd", f"{len(voters)} voters of {case.facts.members} members (not {pods.some(missing)})",
            "all of them there", "bring them back, or remove the member that is gone",
        )
    if len(servers) < 3:
        yield warn(
            CLUSTER, "etcd", "the number of servers", str(len(servers)), "three, so that one may restart",
            "expect the Kubernetes API to be away while a server restarts",
        )


def _alone(case: _Case, work: bool) -> Findings:
    moves = case.options.drain or case.options.withdraw
    if work and moves and len(case.facts.nodes) < 2:
        yield refuse(
            CLUSTER, "alone", "the number of nodes", "1", "another one that takes the traffic",
            "say stage2_drain=false and stage2_withdraw=false, and expect connections to break",
        )


# -- node by node


def _node(case: _Case, node: Node) -> Findings:
    host = _host(node)
    if not node.ready:
        yield refuse(host, "ready", f"the node {node.name}", "not Ready", "Ready", "bring it back first")
    yield from _agent(node, host)
    yield from _cordon(case, node, host)
    yield from _proxies(case, node, host)


def _agent(node: Node, host: str) -> Findings:
    remedy = "see the agent's pod and its log: it has to be well before it is restarted"
    if not node.agent:
        yield refuse(host, "agent", "its Cilium agent", "missing", "one that is Ready", remedy)
    elif node.replacement not in (TRUE, FALSE):
        why = node.agent_message or "it says nothing of the replacement"
        yield refuse(host, "agent", "its Cilium agent", f"not to be asked ({why})", "an answer", remedy)
    elif node.agent_state != "Ok":
        yield refuse(
            host, "agent", "its Cilium agent", f"{node.agent_state} {node.agent_message}".strip(), "Ok", remedy
        )


def _cordon(case: _Case, node: Node, host: str) -> Findings:
    if not node.out or node.claimed:
        return
    how = "taken out by the maintenance" if node.ours or node.withdrawn else "cordoned by somebody else"
    if case.accept.cordoned and not node.ours and not node.withdrawn:
        yield warn(host, "cordon", f"the node {node.name}", how, "schedulable", "it stays cordoned afterwards")
        return
    yield refuse(
        host, "cordon", f"the node {node.name}", how, "in traffic",
        "bring it back with playbooks/maintenance.yml" if node.ours or node.withdrawn else
        "uncordon it, or say stage2_accept_cordoned=true: then it stays cordoned",
    )


def _proxies(case: _Case, node: Node, host: str) -> Findings:
    if node.kube_proxy_elsewhere:
        yield refuse(
            host, "kube-proxy", "its kube-proxy", f"also the unit {node.kube_proxy_elsewhere}'s", "k3s' only",
            "stop and disable that unit: nobody here would",
        )
    if node.kube_proxy_mode not in ("", "iptables"):
        yield refuse(
            host, "kube-proxy-mode", "its kube-proxy's mode", node.kube_proxy_mode, "iptables",
            "take proxy-mode out of kube-proxy-arg and run site.yml: who answers, and what is left over, is read from "
            "iptables' rules",
        )
    if not node.kube_proxy and node.replacement == FALSE:
        yield refuse(
            host, "kube-proxy", "what serves the services on it", "nobody (no kube-proxy, replacement off)",
            "one of the two", "remove disable-kube-proxy from the servers, and restart k3s there and here",
        )
    elif case.target == 2 and node.disables and any(item.replacement == FALSE for item in case.facts.nodes):
        yield refuse(
            host, "kube-proxy", "disable-kube-proxy", "true while Cilium does not replace it on all nodes",
            "false until then", "remove it from the server's configuration: the rollout writes it when it is time",
        )
    if node.leftovers and not node.kube_proxy:
        yield note(host, "leftovers", "chains of a kube-proxy that is gone", str(node.leftovers))


__all__ = ["Accept", "judge"]
