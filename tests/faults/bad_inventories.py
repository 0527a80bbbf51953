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
    routers: dict[str, dict[str, Any]] = field(default_factory=dict)  # the kind of each is its variable `kind`


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
    if case.routers:
        tree["routers"] = {"children": {}, "hosts": {}}
    for name, variables in case.routers.items():
        own = dict(variables)
        home = tree["routers"]
        if kind := own.pop("kind"):
            home = tree["routers"]["children"].setdefault(kind, {"hosts": {}})
        home["hosts"][name] = own
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

_FINGERPRINT = "ab" * 32
VYOS: dict[str, Any] = {
    "kind": "vyos", "bgp_router_asn": 64512, "bgp_router_addresses": ["192.0.2.253"],
    "bgp_router_password": f"{CANARY}-bgp", "bgp_vyos_url": "https://192.0.2.253", "bgp_vyos_key": f"{CANARY}-key",
    "bgp_vyos_fingerprint": _FINGERPRINT, "bgp_vyos_version": "1.4",
}  # fmt: skip
UNIFI: dict[str, Any] = {
    "kind": "unifi", "bgp_router_asn": 64513, "bgp_router_addresses": ["192.0.2.254"],
    "bgp_router_password": f"{CANARY}-bgp", "bgp_unifi_url": "https://192.0.2.254",
    "bgp_unifi_api_key": f"{CANARY}-api", "bgp_unifi_fingerprint": _FINGERPRINT,
}  # fmt: skip
LAN: dict[str, Any] = {"name": "lan", "cidrs": ["198.51.100.0/24"]}
BGP: dict[str, Any] = {"bgp_cluster_asn": 65000, "bgp_pools": [LAN]}
ON_SIX: dict[str, Any] = {**VYOS, "bgp_router_addresses": ["2001:db8::fd"], "bgp_router_id": "198.51.100.253"}


def _bgp(name: str, thing: str, says: str, **variables: Any) -> Bad:
    """A cluster with a router, and another value for the cluster."""
    return Bad(name, thing, says, cluster={**BGP, **variables}, routers={"vyos1": VYOS})


def _router(name: str, thing: str, says: str, base: dict[str, Any] = VYOS, **variables: Any) -> Bad:
    own = {key: value for key, value in {**base, **variables}.items() if value is not None}
    return Bad(name, thing, says, host="vyos1", cluster=BGP, routers={"vyos1": own})


def _pool(name: str, thing: str, says: str, *pools: dict[str, Any]) -> Bad:
    return _bgp(name, thing, says, bgp_pools=list(pools))


def _announce(name: str, thing: str, says: str, **item: Any) -> Bad:
    services = {"name": "services", "kind": "load_balancer_ips"}
    return _bgp(name, thing, says, bgp_announce=[services, {"name": "other", **item}])


POOLS = [
    _pool("pools-overlap", "bgp_pools[b]", "the pool lan", LAN, {"name": "b", "cidrs": ["198.51.100.64/26"]}),
    _pool(
        "range-in-a-pool", "bgp_pools[b]", "apart from the pool lan",
        LAN, {"name": "b", "ranges": [{"first": "198.51.100.9", "last": "198.51.100.9"}]},
    ),
    _pool("pool-in-cluster", "bgp_pools[a]", "apart from k3s_cluster_cidr", {"name": "a", "cidrs": ["10.42.8.0/24"]}),
    _pool("pool-with-a-node", "bgp_pools[a]", "own address 192.0.2.11", {"name": "a", "cidrs": ["192.0.2.8/29"]}),
    _pool("pool-with-host-bits", "bgp_pools[a].cidrs", "198.51.100.0/24", {"name": "a", "cidrs": ["198.51.100.7/24"]}),
    _pool(
        "range-backwards", "bgp_pools[a].ranges", "not after the last",
        {"name": "a", "ranges": [{"first": "198.51.100.9", "last": "198.51.100.3"}]},
    ),
    _pool("pool-empty", "bgp_pools[a]", "add the addresses", {"name": "a"}),
    _pool("pools-one-name", "bgp_pools", "a name for each", LAN, {"name": "lan", "cidrs": ["203.0.113.0/24"]}),
    _pool("pool-name", "bgp_pools[My_Pool].name", "RFC 1123", {"name": "My_Pool", "cidrs": ["198.51.100.0/24"]}),
    _pool("pool-name-long", f"bgp_pools[{'a' * 60}].name", "60 long", {"name": "a" * 60, "cidrs": ["198.51.100.0/24"]}),
    _pool("pool-not-let-in", "bgp_pools[six]", "no router lets in", LAN, {"name": "six", "cidrs": ["2001:db8::/64"]}),
    _pool("pool-key", "bgp_pools[0].cidr", "did you mean cidrs?", {"name": "a", "cidr": "198.51.100.0/24"}),
    _pool(
        "pool-selector", "bgp_pools[a].services.app", "matchLabels",
        {"name": "a", "cidrs": ["198.51.100.0/24"], "services": {"app": "x"}},
    ),
]  # fmt: skip

BGP_CLUSTER = [
    _bgp("no-cluster-asn", "bgp_cluster_asn", "64512 to 65534", bgp_cluster_asn=None),
    _bgp("reserved-asn", "bgp_cluster_asn", "RFC 6793", bgp_cluster_asn=23456),
    _bgp("asn-too-large", "bgp_cluster_asn", "1 to 4294967294", bgp_cluster_asn=4294967296),
    _bgp("timers-word", "bgp_timers", "one of", bgp_timers="slow"),
    _bgp("nodes-word", "bgp_nodes", "one of", bgp_nodes="workers"),
    _bgp("no-node", "bgp_node_selector", "no node", bgp_node_selector={"matchLabels": {"rack": "7"}}),
    _bgp(
        "expression", "bgp_node_selector.matchExpressions", "operator",
        bgp_node_selector={"matchExpressions": [{"key": "rack", "operator": "is", "values": ["7"]}]},
    ),
    _bgp("unknown-bgp", "bgp_pool", "did you mean bgp_pools?", bgp_pool=[]),
    _announce("community", "bgp_announce[other].communities", "up to 65535", kind="pod_cidrs", communities=["65000"]),
    _announce(
        "large-community", "bgp_announce[other].large_communities", "3 numbers",
        kind="pod_cidrs", large_communities=["65000:1"],
    ),
    _announce("preference", "bgp_announce[other].local_preference", "0 to", kind="pod_cidrs", local_preference=-1),
    _announce("kind", "bgp_announce[1].kind", "one of", kind="cluster_ip"),
    _announce("cluster-ips", "bgp_announce", "lbExternalClusterIP: true", kind="cluster_ips"),
    _announce("external-ips", "bgp_external_ips", "name them", kind="external_ips"),
    Bad(
        "node-router-id", "bgp_node_router_id", "32 bits", host="agent1", cluster=BGP, routers={"vyos1": VYOS},
        hosts={"agent1": {"bgp_node_router_id": "300"}},
    ),
    Bad(
        "same-router-ids", "bgp_node_router_id", "which server1 has too", host="agent1",
        cluster={**BGP, **SIXTH, "bgp_pools": []}, routers={"vyos1": ON_SIX},
        hosts={
            **SIXTH_HOSTS,
            "server1": {**SIXTH_HOSTS["server1"], "bgp_node_router_id": "198.51.100.1"},
            "agent1": {**SIXTH_HOSTS["agent1"], "bgp_node_router_id": "198.51.100.1"},
        },
    ),
    _bgp("routers-variable", "bgp_router_port", "move it to group_vars/routers", bgp_router_port=179),
    _bgp("l2-none", "bgp_l2_policies[a]", "one of them", bgp_l2_policies=[{"name": "a", "load_balancer_ips": False}]),
]  # fmt: skip

BGP_ROUTERS = [
    _router("no-router-asn", "bgp_router_asn", "missing", bgp_router_asn=None),
    _router("one-as", "bgp_router_asn", "the cluster's own", bgp_router_asn=65000),
    _router("no-router-addresses", "bgp_router_addresses", "the IPv4 address", bgp_router_addresses=None),
    _router("router-is-a-node", "bgp_router_addresses", "agent1 has too", bgp_router_addresses=["192.0.2.11"]),
    _router("router-link-local", "bgp_router_addresses", "without prefix length", bgp_router_addresses=["fe80::1"]),
    _router("password-blank", "bgp_router_password", "visible ASCII", bgp_router_password=f"{CANARY} bgp"),
    _router("password-long", "bgp_router_password", "80 characters", bgp_router_password=CANARY * 4),
    _router("password-empty", "bgp_router_password", "draw one", bgp_router_password=""),
    _router("password-quote", "bgp_router_password", "quotes", bgp_router_password=f"{CANARY}'"),
    _router("hold-short", "bgp_router_timers.hold", "three times", bgp_router_timers={"hold": 6, "keepalive": 3}),
    _router("hold-of-2", "bgp_router_timers.hold", "RFC 4271", bgp_router_timers={"hold": 2, "keepalive": 0}),
    _router("no-ranges", "bgp_router_listen_ranges", "without a range of ipv4", bgp_router_neighbors="listen"),
    _router(
        "ranges-without-a-node", "bgp_router_listen_ranges", "holds agent1",
        bgp_router_neighbors="listen", bgp_router_listen_ranges=["192.0.2.0/29"],
    ),
    _router("family-without-nodes", "bgp_router_families", "which no node has",
            bgp_router_addresses=["192.0.2.253", "2001:db8::fd"], bgp_router_families=["ipv4", "ipv6"]),
    _router("announce-unknown", "bgp_router_announce", "did you mean services?", bgp_router_announce=["service"]),
    _router("accept-everything", "bgp_router_accept", "take over", bgp_router_accept=["0.0.0.0/0"]),
    _router("accept-nodes", "bgp_router_accept", "own address", bgp_router_accept=["192.0.2.0/24"]),
    _router("max-prefixes", "bgp_router_max_prefixes", "256 or more", bgp_router_max_prefixes=100),
    _router("multihop", "bgp_router_multihop", "0 to 255", bgp_router_multihop=300),
    _router("bgp-port", "bgp_router_port", "1 to 65535", bgp_router_port=0),
    _router("vyos-number", "bgp_vyos_version", "put it in quotes", bgp_vyos_version=1.4),
    _router("vyos-version", "bgp_vyos_version", "missing", bgp_vyos_version=None),
    _router("vyos-http", "bgp_vyos_url", "in clear", bgp_vyos_url="http://192.0.2.253"),
    _router("vyos-key", "bgp_vyos_key", "missing", bgp_vyos_key=None),
    _router("vyos-transport", "bgp_vyos_transport", "one of http, network_cli", bgp_vyos_transport="ssh"),
    _router("vyos-unverified", "bgp_vyos_fingerprint", "or bgp_vyos_ca_path", bgp_vyos_fingerprint=None),
    _router("fingerprint", "bgp_vyos_fingerprint", "64 hexadecimal", bgp_vyos_fingerprint="ab:cd"),
    _router("ca-gone", "bgp_vyos_ca_path", "on the controller", bgp_vyos_fingerprint=None, bgp_vyos_ca_path="/no/ca"),
    _router("unifi-login", "bgp_unifi_api_key", "bgp_unifi_username", UNIFI, bgp_unifi_api_key=None),
    _router("unifi-url", "bgp_unifi_url", "missing", UNIFI, bgp_unifi_url=None),
    _router("no-kind", "its groups", "unifi, vyos, frr", kind=""),
    _router("unknown-of-a-router", "bgp_router_adresses", "bgp_router_addresses?", bgp_router_adresses=["192.0.2.253"]),
    _router("clusters-variable", "bgp_nodes", "move it to group_vars/k3s_cluster", bgp_nodes="all"),
    Bad(
        "six-without-id", "bgp_router_id", "no packet goes there", host="vyos1",
        cluster={**BGP, **SIXTH, "bgp_pools": []}, hosts=SIXTH_HOSTS,
        routers={"vyos1": {**ON_SIX, "bgp_router_id": ""}},
    ),
    Bad(
        "two-routers-one-address", "bgp_router_addresses", "vyos1 has too", host="vyos2", cluster=BGP,
        routers={"vyos1": VYOS, "vyos2": VYOS},
    ),
    Bad("router-name", "its name", "in the inventory", host="Vyos_1", cluster=BGP, routers={"Vyos_1": VYOS}),
]  # fmt: skip

BAD: list[Bad] = [*TYPES, *SECRETS, *NETWORKS, *GROUPS, *K3S, *CILIUM, *OTHERS, *POOLS, *BGP_CLUSTER, *BGP_ROUTERS]
