# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says about Cilium, by itself and together with the stage of the cluster. Pure."""

from __future__ import annotations

import re
import typing as t

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
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cidrs import node_addresses, overlap
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Inventory,
    address,
    networks,
    number,
    truth,
)

VERSIONS, VALUES, ROUTING, ENDPOINT, MTU = "versions", "cilium-values", "routing", "service-host", "mtu-value"
STAGE, OPERATOR, CHART, TARGETS = "stage", "operator", "chart", "egress-targets"

# A value of the chart and the typed option that stands for it.
_TWINS: t.Mapping[str, str] = {
    "routingMode": "cilium_routing_mode",
    "tunnelProtocol": "cilium_tunnel_protocol",
    "ipam.mode": "cilium_ipam_mode",
    "endpointRoutes.enabled": "cilium_endpoint_routes",
    "autoDirectNodeRoutes": "cilium_auto_direct_node_routes",
    "ipv4NativeRoutingCIDR": "cilium_native_routing_cidr",
    "ipv6NativeRoutingCIDR": "cilium_ipv6_native_routing_cidr",
    "k8sServiceHost": "cilium_k8s_service_host",
    "k8sServicePort": "cilium_k8s_service_port",
    "MTU": "cilium_mtu",
    "hubble.enabled": "cilium_hubble",
    "operator.replicas": "cilium_operator_replicas",
    "gatewayAPI.enabled": "cilium_gateway_api",
    "bpf.masquerade": "cilium_bpf_masquerade",
    "bgpControlPlane.enabled": "cilium_bgp",
    "l2announcements.enabled": "cilium_l2_announcements",
}
_OLD_STAGES = {"strict": True, "true": True, "disabled": False, "false": False}
_IPV6_LEAST_MTU = 1280


def dig(values: t.Mapping[str, t.Any], path: str) -> t.Any:
    """A nested value by its dotted path, or None."""
    found: t.Any = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def judge_cilium_version(inv: Inventory) -> Findings:
    try:
        version = versions.parse_plain(inv.text("cilium_version"), "cilium_version")
    except MeshwrightError as error:
        yield from_error(error, CLUSTER, VERSIONS)
        return
    if versions.cilium_line(version.line) is None:
        wanted = f"Cilium {versions.known_cilium()}"
        yield refuse(CLUSTER, VERSIONS, "cilium_version", str(version), wanted, "choose a release of these minors")
        return
    yield from _judge_pair(inv, version)
    yield from _judge_gateway_api(inv, version)


def _judge_pair(inv: Inventory, cilium: versions.Version) -> Findings:
    try:
        k3s = versions.parse_k3s(inv.text("k3s_version"))
    except MeshwrightError:
        return  # told already
    line = versions.cilium_line(cilium.line)
    known = versions.kubernetes_line(k3s.kubernetes)
    if line and known and not versions.cilium_supports(cilium.line, k3s.kubernetes):
        fitting = ", ".join(versions.show(minor) for minor in versions.cilium_for(k3s.kubernetes)) or "none yet"
        yield refuse(
            CLUSTER, VERSIONS, "cilium_version", f"{cilium} with Kubernetes {versions.show(k3s.kubernetes)}",
            f"Kubernetes {versions.show(line.kubernetes_first)} to {versions.show(line.kubernetes_last)}, "
            "which it was tested with",
            f"change k3s_version, or cilium_version (tested with this Kubernetes: {fitting})",
        )


def _judge_gateway_api(inv: Inventory, cilium: versions.Version) -> Findings:
    if not truth(inv.get("cilium_gateway_api")) or not inv.get("cilium_gateway_api_version"):
        return
    wanted = versions.gateway_api_for(cilium.line)
    try:
        asked = versions.parse_plain(str(inv.get("cilium_gateway_api_version")), "cilium_gateway_api_version")
    except MeshwrightError as error:
        yield from_error(error, CLUSTER, VERSIONS)
        return
    if not versions.gateway_api_fits(cilium.line, asked):
        yield refuse(
            CLUSTER, VERSIONS, "cilium_gateway_api_version", str(asked),
            f"{wanted}, or a later patch of it, for Cilium {cilium}", f"set it to {wanted}, or leave it out",
        )


def judge_routing(inv: Inventory) -> Findings:
    mode = inv.get("cilium_routing_mode", "native")
    yield from _judge_native_cidr(inv, "cilium_native_routing_cidr", 4)
    yield from _judge_native_cidr(inv, "cilium_ipv6_native_routing_cidr", 6)
    own_pods = inv.get("cilium_ipam_mode") in ("cluster-pool", "multi-pool")
    written = inv.get("cilium_native_routing_cidr") or inv.get("cilium_ipv6_native_routing_cidr")
    if mode == "native" and not written and (own_pods or not networks(inv.get("k3s_cluster_cidr"))):
        where = "k3s_cluster_cidr is not where the pods are" if own_pods else "k3s_cluster_cidr is not there either"
        yield refuse(
            CLUSTER, ROUTING, "cilium_native_routing_cidr", f"missing, and {where}",
            "the network that is routed without masquerading", "set it to the pods' network",
        )
    if mode == "tunnel":
        yield from _judge_tunnel(inv)


def _judge_native_cidr(inv: Inventory, name: str, family: int) -> Findings:
    value = inv.get(name)
    if not value:
        return
    found = networks(value)
    if len(found) != 1 or found[0].version != family or "/" not in str(value):
        yield refuse(
            CLUSTER, ROUTING, name, repr(value), f"one IPv{family} network with its prefix length",
            "write the pods' network, or leave it out",
        )
        return
    if inv.get("cilium_ipam_mode", "kubernetes") != "kubernetes":
        return
    for pods in networks(inv.get("k3s_cluster_cidr")):
        if pods.version == family and not (overlap(pods, found[0]) and pods.prefixlen >= found[0].prefixlen):
            yield warn(
                CLUSTER, ROUTING, name, str(found[0]), f"a network that holds k3s_cluster_cidr ({pods})",
                "pods outside it are masqueraded on their way to other nodes",
            )


def _judge_tunnel(inv: Inventory) -> Findings:
    if truth(inv.get("cilium_auto_direct_node_routes")) and inv.is_written("cilium_auto_direct_node_routes"):
        yield refuse(
            CLUSTER, ROUTING, "cilium_auto_direct_node_routes", "true with cilium_routing_mode tunnel",
            "false, or native routing", "the agent does not start with both",
        )
    line = _line(inv)
    if is_ipv6_only(inv) and line is not None and not line.tunnel_over_ipv6:
        yield refuse(
            CLUSTER, ROUTING, "cilium_routing_mode", f"tunnel, on IPv6 alone, with Cilium {versions.show(line.minor)}",
            "Cilium 1.18 or later for a tunnel over IPv6", "set it to native, or raise cilium_version",
        )


def is_ipv6_only(inv: Inventory) -> bool:
    families = {network.version for network in networks(inv.get("k3s_cluster_cidr"))}
    return families == {6}


def _line(inv: Inventory) -> versions.CiliumLine | None:
    try:
        return versions.cilium_line(versions.parse_plain(inv.text("cilium_version"), "cilium_version").line)
    except MeshwrightError:
        return None


def judge_endpoint(inv: Inventory) -> Findings:
    host = inv.get("cilium_k8s_service_host")
    if isinstance(host, str) and host:
        yield from _judge_service_host(inv, host)
    port = number(inv.get("cilium_k8s_service_port"))
    if port is not None and not 1 <= port <= 65535:
        yield refuse(CLUSTER, ENDPOINT, "cilium_k8s_service_port", str(port), "1 to 65535", "write 6444 for k3s")


def _judge_service_host(inv: Inventory, host: str) -> Findings:
    name, ip = "cilium_k8s_service_host", address(host.strip("[]"))
    in_services = ip is not None and any(
        ip.version == network.version and ip in network for network in networks(inv.get("k3s_service_cidr"))
    )
    if in_services or host.startswith("kubernetes.default"):
        yield refuse(
            CLUSTER, ENDPOINT, name, repr(host), "an address that needs no Service",
            "write 127.0.0.1 or localhost: Cilium itself makes Services reachable",
        )
    elif "/" in host or (ip is None and ":" in host):
        yield refuse(CLUSTER, ENDPOINT, name, repr(host), "a host name or an address", "leave out scheme and port")
    elif ip is not None and ip.is_loopback and ip.version == 4 and is_ipv6_only(inv):
        yield refuse(
            CLUSTER, ENDPOINT, name, repr(host), "localhost, for k3s listens on ::1 here", "write localhost"
        )
    elif any(host in node_addresses(server) for server in inv.servers) and len(inv.servers) > 1:
        yield warn(
            CLUSTER, ENDPOINT, name, f"{host}, one of the servers", "127.0.0.1, which is there on every node",
            "without that server every agent loses the API (cilium issue 19038)",
        )


def judge_sizes(inv: Inventory) -> Findings:
    mtu = number(inv.get("cilium_mtu"))
    least = _IPV6_LEAST_MTU if any(n.version == 6 for n in networks(inv.get("k3s_cluster_cidr"))) else 576
    if mtu is not None and mtu != 0 and not least <= mtu <= 65535:
        yield refuse(
            CLUSTER, MTU, "cilium_mtu", str(mtu), f"{least} to 65535, or 0 to find it out",
            "write the MTU of the nodes' links, or leave it out",
        )
    replicas = number(inv.get("cilium_operator_replicas"))
    if replicas is not None and inv.is_written("cilium_operator_replicas"):
        nodes = len(inv.members)
        if replicas < 0 or replicas > nodes:
            yield refuse(
                CLUSTER, OPERATOR, "cilium_operator_replicas", str(replicas),
                f"1 to {nodes}, the number of nodes, or 0 to leave it to the role",
                "no two of them run on one node, so the others would wait for ever",
            )
    if inv.is_written("cilium_hubble") and not truth(inv.get("cilium_hubble")):
        for name in ("cilium_hubble_relay", "cilium_hubble_ui"):
            if inv.is_written(name) and truth(inv.get(name)):
                yield refuse(
                    CLUSTER, VALUES, name, "true without cilium_hubble", "both or neither", "set cilium_hubble to true"
                )


def judge_chart(inv: Inventory, existing: t.Collection[str]) -> Findings:
    chart = inv.get("cilium_chart")
    if isinstance(chart, str) and chart.startswith(("/", "./", "~")) and chart not in existing:
        yield refuse(
            CLUSTER, CHART, "cilium_chart", repr(chart), "a file or directory on the controller", "correct the path"
        )
    url = inv.get("cilium_chart_repo_url")
    if isinstance(url, str) and url and not re.match(r"(https?|oci)://[^\s/]+", url):
        yield refuse(
            CLUSTER, CHART, "cilium_chart_repo_url", repr(url), "http(s)://… or oci://…", "correct the address"
        )
    targets = inv.get("validate_egress_targets")
    for target in targets if isinstance(targets, (list, tuple)) else ():
        if not re.match(r"(https?|tcp)://[^\s/]+", str(target)):
            yield refuse(
                CLUSTER, TARGETS, "validate_egress_targets", repr(target), "http(s)://host/…",
                "write addresses in full",
            )


def judge_values(inv: Inventory) -> Findings:
    """What is wrong with the free values at either stage."""
    values = inv.mapping("cilium_values")
    for key in values:
        if "." in str(key):
            yield refuse(
                CLUSTER, VALUES, f"cilium_values['{key}']", "a key with dots", "nested keys",
                "nest it: Helm does not take it apart in a file of values and the chart never sees it",
            )
    if truth(dig(values, "waitForKubeProxy")):
        yield refuse(
            CLUSTER, VALUES, "cilium_values.waitForKubeProxy", "true", "false",
            "leave it out: without kube-proxy's chains new agents would wait for ever",
        )
    for path, name in _TWINS.items():
        here, there = dig(values, path), inv.get(name)
        if here is not None and inv.is_written(name) and str(here).lower() != str(there).lower():
            yield refuse(
                CLUSTER, VALUES, f"cilium_values.{path}", repr(here), f"what {name} says ({there!r})",
                f"keep one of the two, {name} for choice",
            )


def judge_stage(inv: Inventory, stage: int) -> Findings:
    """What does not go together with the stage: the live cluster's, or cilium_initial_stage for a new one."""
    values = inv.mapping("cilium_values")
    asked = dig(values, "kubeProxyReplacement")
    if asked is not None:
        meant = _OLD_STAGES.get(str(asked).lower())
        if meant is not (stage == 2):
            yield refuse(
                CLUSTER, STAGE, "cilium_values.kubeProxyReplacement", f"{asked!r} at stage {stage}",
                "true" if stage == 2 else "false",
                "leave it out: a new cluster takes cilium_initial_stage, a live one is moved with --tags stage2",
            )
        else:
            yield note(
                CLUSTER, STAGE, "cilium_values.kubeProxyReplacement", f"{asked!r}, as the stage has it",
                "it may be left out",
            )
    if stage == 1:
        yield from _judge_stage_1(inv, values)


def _judge_stage_1(inv: Inventory, values: t.Mapping[str, t.Any]) -> Findings:
    if truth(inv.get("cilium_gateway_api")) or truth(dig(values, "gatewayAPI.enabled")):
        yield _needs_replacement("cilium_gateway_api", "true")
    if inv.is_written("cilium_l2_announcements") and truth(inv.get("cilium_l2_announcements")):
        yield _needs_replacement("cilium_l2_announcements", "true")
    if truth(inv.get("cilium_bpf_masquerade")) or truth(dig(values, "bpf.masquerade")):
        yield _needs_replacement("cilium_bpf_masquerade", "true")
    for path in ("l2announcements.enabled", "ingressController.enabled"):
        if truth(dig(values, path)):
            yield _needs_replacement(f"cilium_values.{path}", "true")
    if dig(values, "kubeProxyReplacementHealthzBindAddr"):
        yield refuse(
            CLUSTER, STAGE, "cilium_values.kubeProxyReplacementHealthzBindAddr", "set at stage 1", "nothing",
            "leave it out: kube-proxy holds the port and the agent would not start",
        )


def _needs_replacement(thing: str, seen: str) -> Finding:
    return refuse(
        CLUSTER, STAGE, thing, f"{seen} at stage 1", "stage 2: it needs Cilium in kube-proxy's place",
        "turn it off until the cluster is at stage 2, or start a new cluster with cilium_initial_stage: 2",
    )
