"""Inventories that are refused before any host is contacted: one change to a good one each, and what must be said."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

CANARY = "canary-d41d8cd98f00b204"  # in every secret of every case; no message may show it


def _addresses(number: int) -> dict[str, str]:
    return {"ansible_host": f"192.0.2.{number}", "k3s_node_ip": f"192.0.2.{number}"}


SIXTH = {"k3s_cluster_cidr": "fd00:42::/56", "k3s_service_cidr": "fd00:43::/112"}
HOSTS = ("server1", "server2", "server3", "agent1")

SIXTH_HOSTS = {name: {"k3s_node_ip": f"2001:db8::{n}"} for n, name in enumerate(HOSTS, 1)}

GOOD: dict[str, Any] = {
    "k3s_cluster": {
        "vars": {"k3s_token": f"{CANARY}-token", "k3s_version": "v1.34.4+k3s1", "cilium_version": "1.20.2"},
        "children": {
            "server": {"hosts": {f"server{n}": _addresses(n) for n in (1, 2, 3)}},
            "agent": {"hosts": {"agent1": _addresses(11)}},
        },
    }
}


@dataclass(frozen=True)
class Bad:
    """`cluster` goes into the group's variables, `hosts` into those of single hosts; None takes a variable away."""

    name: str
    thing: str  # the variable, or what else is told of
    says: str  # a piece of the message
    host: str = "k3s_cluster"
    cluster: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    servers: tuple[str, ...] | None = None
    agents: tuple[str, ...] | None = None


def inventory(case: Bad) -> dict[str, Any]:
    tree = copy.deepcopy(GOOD)
    group = tree["k3s_cluster"]
    _merge(group["vars"], case.cluster)
    everything = {**group["children"]["server"]["hosts"], **group["children"]["agent"]["hosts"]}
    for name, variables in case.hosts.items():
        _merge(everything.setdefault(name, {}), variables)
    for child, names in (("server", case.servers), ("agent", case.agents)):
        if names is not None:
            group["children"][child]["hosts"] = {name: everything.get(name, {}) for name in names}
    return tree


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            into.pop(name, None)
        else:
            into[name] = value


def _cluster(name: str, thing: str, says: str, **variables: Any) -> Bad:
    return Bad(name, thing, says, cluster=variables)


def _on_agent(name: str, thing: str, says: str, **variables: Any) -> Bad:
    return Bad(name, thing, says, host="agent1", hosts={"agent1": variables})


def _extra(name: str, key: str, says: str, value: Any) -> Bad:
    return _cluster(name, f"k3s_extra_config.{key}", says, k3s_extra_config={key: value})


TYPES = [
    _cluster("version-as-number", "k3s_version", "put it in quotes", k3s_version=1.34),
    _cluster("token-as-number", "k3s_token", "put it in quotes", k3s_token=12345678901234567890),
    _cluster("list-as-text", "k3s_registries", "a mapping", k3s_registries="docker.io"),
    _cluster("switch-as-word", "cilium_hubble", "true or false", cilium_hubble="maybe"),
    _cluster("number-as-word", "cilium_mtu", "a whole number", cilium_mtu="jumbo"),
    _cluster("number-in-list", "k3s_disable[0]", "a string", k3s_disable=[1]),
    _cluster("stage-3", "cilium_initial_stage", "one of 1, 2", cilium_initial_stage=3),
    _cluster("routing-word", "cilium_routing_mode", "one of", cilium_routing_mode="vxlan"),
    _cluster("install-word", "k3s_install_method", "one of", k3s_install_method="curl"),
    _cluster("unknown-key", "k3s_cluster_cidrs", "did you mean k3s_cluster_cidr?", k3s_cluster_cidrs="10.42.0.0/16"),
    _cluster("unknown-cilium", "cilium_stage", "did you mean cilium_initial_stage?", cilium_stage=2),
    _on_agent("unknown-on-a-host", "k3s_node_taint", "did you mean k3s_node_taints?", k3s_node_taint="a=b:NoExecute"),
    _cluster("undefined-template", "k3s_api_endpoint", "mend its template", k3s_api_endpoint="{{ not_there }}"),
    Bad("differs", "k3s_cluster_cidr", "same on every host", hosts={"agent1": {"k3s_cluster_cidr": "10.44.0.0/16"}}),
]

SECRETS = [
    _cluster("no-token", "k3s_token", "missing", k3s_token=None),
    _cluster("empty-token", "k3s_token", "missing", k3s_token=""),
    _cluster("short-token", "k3s_token", "16 characters or more", k3s_token="canary-short"),
    _cluster("full-token", "k3s_token", "without the K10", k3s_token=f"K10abc::server:{CANARY}"),
    _cluster("token-with-newline", "k3s_token", "white space", k3s_token=f"{CANARY}-token\n"),
    _cluster("vault-text", "k3s_token", "tag it !vault", k3s_token="$ANSIBLE_VAULT;1.1;AES256\n363030"),
    _cluster("vault-tag-as-text", "k3s_agent_token", "tag it !vault", k3s_agent_token="!vault | canary canary"),
    Bad("token-differs", "k3s_token", "same on every host", hosts={"agent1": {"k3s_token": f"{CANARY}-other"}}),
]

NETWORKS = [
    _cluster("not-a-network", "k3s_cluster_cidr", "a network such as", k3s_cluster_cidr="10.42.0.0/33"),
    _cluster("host-bits", "k3s_cluster_cidr", "write 10.42.0.0/16", k3s_cluster_cidr="10.42.3.0/16"),
    _cluster("no-prefix", "k3s_service_cidr", "prefix length", k3s_service_cidr="10.43.0.0"),
    _cluster("pods-in-services", "k3s_service_cidr", "apart from k3s_cluster_cidr", k3s_service_cidr="10.42.128.0/17"),
    _cluster("pool-in-pods", "preflight_lb_pools", "apart from", preflight_lb_pools=["10.42.8.0/24"]),
    _cluster("pool-broken", "preflight_lb_pools", "a network such as", preflight_lb_pools=["10.9.0.1-10.9.0.9"]),
    _on_agent("node-in-pods", "k3s_cluster_cidr", "own address 10.42.0.5", k3s_node_ip="10.42.0.5"),
    Bad("node-in-pool", "preflight_lb_pools", "own address", "agent1", {"preflight_lb_pools": ["192.0.2.8/29"]}),
    _cluster("two-of-a-family", "k3s_cluster_cidr", "one of each family", k3s_cluster_cidr="10.42.0.0/17,10.44.0.0/17"),
    _cluster("families-differ", "k3s_service_cidr", "the same families", k3s_cluster_cidr="10.42.0.0/16,fd00:42::/56"),
    _cluster(
        "order-differs", "k3s_service_cidr", "the same order",
        k3s_cluster_cidr="10.42.0.0/16,fd00:42::/56", k3s_service_cidr="fd00:43::/112,10.43.0.0/16",
    ),
    _cluster("room-for-two", "k3s_cluster_cidr", "room for 4 nodes", k3s_cluster_cidr="10.42.0.0/23"),
    _cluster("smaller-than-a-share", "k3s_cluster_cidr", "room for 0 nodes", k3s_cluster_cidr="10.42.0.0/26"),
    _cluster(
        "too-wide-v6", "k3s_cluster_cidr", "a /48 or smaller",
        k3s_cluster_cidr="10.42.0.0/16,fd00::/40", k3s_service_cidr="10.43.0.0/16,fd01::/112",
    ),
    _cluster("services-too-wide", "k3s_service_cidr", "a /12 or smaller", k3s_service_cidr="172.0.0.0/8"),
    _cluster("dns-outside", "k3s_cluster_dns", "inside 10.43.0.0/16", k3s_cluster_dns="10.44.0.10"),
    _cluster("dns-is-the-api", "k3s_cluster_dns", "10.43.0.10", k3s_cluster_dns="10.43.0.1"),
    _cluster("dns-a-name", "k3s_cluster_dns", "an address", k3s_cluster_dns="dns.example.org"),
    _on_agent("node-ip-twice", "k3s_node_ip", "192.0.2.1, which server1 has too", k3s_node_ip="192.0.2.1"),
    _on_agent("node-ip-loopback", "k3s_node_ip", "other nodes can reach", k3s_node_ip="127.0.0.1"),
    _on_agent("node-ip-a-name", "k3s_node_ip", "one address per family", k3s_node_ip="agent1.example.org"),
    _on_agent("node-ip-family", "k3s_node_ip", "of a family", k3s_node_ip="192.0.2.11,2001:db8::11"),
]

GROUPS = [
    Bad("no-server", "the group server", "at least one host", servers=()),
    Bad("both-groups", "its groups", "leave it in server", host="server1", agents=("agent1", "server1")),
    Bad("no-hosts", "the group k3s_cluster", "with -i", servers=(), agents=()),
]

K3S = [
    _cluster("version-short", "k3s_version", "full name", k3s_version="v1.34"),
    _cluster("version-unknown", "k3s_version", "Kubernetes 1.30 to 1.37", k3s_version="v1.22.1+k3s1"),
    _cluster("san-with-port", "k3s_tls_san", "leave out scheme", k3s_tls_san=["api.example.org:6443"]),
    _cluster("endpoint-url", "k3s_api_endpoint", "leave out scheme", k3s_api_endpoint="https://api.example.org"),
    _on_agent("taint", "k3s_node_taints", "name=value:effect", k3s_node_taints=["gpu=yes:Never"]),
    _on_agent("label-reserved", "k3s_node_labels", "outside", k3s_node_labels=["node-role.kubernetes.io/x=y"]),
    _on_agent("label-syntax", "k3s_node_labels", "name=value", k3s_node_labels=["rack 7"]),
    _cluster("cron", "k3s_etcd_snapshot_schedule", "five fields", k3s_etcd_snapshot_schedule="61 * * * *"),
    _cluster("retention", "k3s_etcd_snapshot_retention", "1 or more", k3s_etcd_snapshot_retention=0),
    _cluster("batch", "k3s_agent_batch", "such as 50%", k3s_agent_batch="0%"),
    _cluster("timeout", "cilium_timeout", "1 second or more", cilium_timeout=0),
    _cluster("sha256", "k3s_binary_sha256.amd64", "64 hexadecimal", k3s_binary_sha256={"amd64": "abc"}),
    _cluster("sha256-arch", "k3s_binary_sha256", "amd64 or arm64", k3s_binary_sha256={"x86_64": "0" * 64}),
    _cluster("local-without-file", "k3s_local_binary", "missing", k3s_install_method="local"),
    _cluster(
        "local-file-gone", "k3s_local_binary", "a file on the controller",
        k3s_install_method="local", k3s_local_binary="/nowhere/k3s",
    ),
    _cluster("airgap-without-images", "k3s_airgap_images", "missing", k3s_install_method="airgap"),
    _cluster("release-url", "k3s_release_url", "http:// or https://", k3s_release_url="files.example.org/k3s"),
    _cluster("disable-unknown", "k3s_disable", "'treafik'", k3s_disable=["treafik"]),
    _cluster("cluster-name", "k3s_cluster_name", "small letters", k3s_cluster_name="My_Cluster"),
    _extra("extra-owned", "cluster-cidr", "set k3s_cluster_cidr", "10.42.0.0/16"),
    _extra("extra-proxy", "disable-kube-proxy", "the role", True),
    _extra("extra-token", "token", "set k3s_token", CANARY),
    _extra("extra-spelling", "kubelet_arg", "write kubelet-arg", ["a"]),
    _cluster("registries-key", "k3s_registries.mirror", "mirrors and configs", k3s_registries={"mirror": {}}),
    _cluster(
        "registries-auth", "k3s_registries.configs.r.example.org.password", "auth and tls",
        k3s_registries={"configs": {"r.example.org": {"password": CANARY}}},
    ),
    _cluster(
        "registries-endpoint", "k3s_registries.mirrors.docker.io.endpoint", "http(s)://",
        k3s_registries={"mirrors": {"docker.io": {"endpoint": ["r.example.org"]}}},
    ),
]

CILIUM = [
    _cluster("cilium-version", "cilium_version", "three numbers", cilium_version="stable"),
    _cluster("cilium-old", "cilium_version", "1.16 to 1.20", cilium_version="1.12.4"),
    _cluster("cilium-and-kubernetes", "cilium_version", "1.20, 1.19", cilium_version="1.17.3"),
    _cluster(
        "gateway-version", "cilium_gateway_api_version", "1.6.1", cilium_gateway_api=True, cilium_initial_stage=2,
        cilium_gateway_api_version="1.5.0",
    ),
    _cluster("wait-for-proxy", "cilium_values.waitForKubeProxy", "for ever", cilium_values={"waitForKubeProxy": True}),
    _cluster("dotted-value", "cilium_values['hubble.ui']", "nest it", cilium_values={"hubble.ui": True}),
    _cluster("service-address", "cilium_k8s_service_host", "needs no Service", cilium_k8s_service_host="10.43.0.1"),
    _cluster("service-url", "cilium_k8s_service_host", "leave out scheme", cilium_k8s_service_host="https://10.0.0.1"),
    _cluster("service-port", "cilium_k8s_service_port", "1 to 65535", cilium_k8s_service_port=70000),
    _cluster("mtu", "cilium_mtu", "576 to 65535", cilium_mtu=100),
    _cluster("native-v6-in-v4", "cilium_native_routing_cidr", "one IPv4", cilium_native_routing_cidr="fd00::/56"),
    _cluster("native-without-network", "cilium_native_routing_cidr", "missing", cilium_ipam_mode="cluster-pool"),
    _cluster(
        "direct-routes-in-tunnel", "cilium_auto_direct_node_routes", "does not start",
        cilium_routing_mode="tunnel", cilium_auto_direct_node_routes=True,
    ),
    Bad(
        "loopback-on-v6", "cilium_k8s_service_host", "write localhost",
        cluster={**SIXTH, "cilium_k8s_service_host": "127.0.0.1"}, hosts=SIXTH_HOSTS,
    ),
    Bad(
        "tunnel-on-v6", "cilium_routing_mode", "1.18 or later",
        cluster={
            "k3s_version": "v1.32.9+k3s1", "cilium_version": "1.17.3", "cilium_routing_mode": "tunnel",
            **SIXTH,
        },
        hosts=SIXTH_HOSTS,
    ),
    _cluster("operators", "cilium_operator_replicas", "number of nodes", cilium_operator_replicas=9),
    Bad("values-differ", "cilium_values", "same on every host", hosts={"agent1": {"cilium_values": {"key": CANARY}}}),
    _cluster("values-as-text", "cilium_values", "a mapping", cilium_values=f"key: {CANARY}"),
    _cluster("chart-gone", "cilium_chart", "on the controller", cilium_chart="/nowhere/cilium-1.20.2.tgz"),
    _cluster("chart-url", "cilium_chart_repo_url", "http(s)://", cilium_chart_repo_url="helm.example.org"),
    _cluster(
        "two-places", "cilium_values.ipam.mode", "keep one of the two",
        cilium_ipam_mode="kubernetes", cilium_values={"ipam": {"mode": "multi-pool"}},
    ),
]

OTHERS = [
    _cluster("egress", "validate_egress_targets", "in full", validate_egress_targets=["example.org"]),
    _cluster("skip-unknown", "preflight_skip", "did you mean cidrs?", preflight_skip=["cidr"]),
]

BAD: list[Bad] = [*TYPES, *SECRETS, *NETWORKS, *GROUPS, *K3S, *CILIUM, *OTHERS]
