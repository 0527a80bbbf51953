"""Every check of hosts on injected facts: in order, at the border, and wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.checks import CHECKS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    NOTE,
    OK,
    REFUSE,
    SKIPPED,
    WARN,
    Finding,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cluster import judge_hosts_all, reach_targets
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import (
    Clock,
    Disk,
    Facts,
    Feature,
    Link,
    Process,
    Reach,
    Situation,
    Socket,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, Inventory

VARIABLES: dict[str, Any] = {
    "k3s_version": "v1.34.4+k3s1",
    "cilium_version": "1.20.2",
    "k3s_cluster_cidr": "10.42.0.0/16",
    "k3s_service_cidr": "10.43.0.0/16",
    "preflight_min_disk_mib": 2048,
    "preflight_max_clock_skew": 2.0,
}
FEATURES = (
    "program-sched-cls", "program-cgroup-skb", "program-cgroup-sock-addr", "map-lru-hash", "map-lpm-trie",
    "map-perf-event-array", "map-percpu-hash", "veth", "clsact", "cgroup-attach", "iptables-nat", "vxlan", "btf",
)  # fmt: skip


def facts(name: str, number: int, **changes: Any) -> Facts:
    good = Facts(
        host=name,
        hostname=name,
        features={feature: Feature("yes", "tried") for feature in FEATURES},
        links=(Link("lo", 65536, ("127.0.0.1/8",)), Link("eth0", 1500, (f"192.0.2.{number}/24",))),
        default_routes={"4": "eth0"},
        units={"chrony": "active"},
        nameservers=("192.0.2.53",),
        resolves={name: True},
        clock=Clock(100.0, 100.05, 100.1),
    )
    return replace(good, **changes)


def situation(servers: int = 3, variables: dict[str, Any] | None = None, **changes: Any) -> Situation:
    """`changes` are server1's."""
    names = [f"server{n}" for n in range(1, servers + 1)] + ["agent1"]
    hosts, all_facts = [], {}
    for number, name in enumerate(names, 1):
        group = "agent" if name.startswith("agent") else "server"
        written = {**VARIABLES, **(variables or {})}
        hosts.append(Host(name, frozenset({"k3s_cluster", group}), f"192.0.2.{number}", written))
        all_facts[name] = facts(name, number, **(changes if name == "server1" else {}))
    return Situation(Inventory(tuple(hosts)), all_facts)


def told(now: Situation, check: str) -> list[Finding]:
    return [finding for finding in judge_hosts_all(now) if finding.check == check]


def worst(now: Situation, check: str) -> str:
    levels = {finding.level for finding in told(now, check)}
    return next((level for level in (REFUSE, WARN, SKIPPED, NOTE, OK) if level in levels), "")


def test_a_good_cluster_is_in_order() -> None:
    now = replace(situation(), reaches=(Reach("server1", "agent1", "192.0.2.4", {"22": "reached"}, "fits"),))
    assert [finding.sentence for finding in judge_hosts_all(now) if finding.level != OK] == []


def holder(comm: str, unit: str, port: int = 6443, protocol: str = "tcp") -> tuple[Socket, ...]:
    return (Socket(protocol, port, "0.0.0.0", Process(7, comm, unit)),)


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("architecture", {"machine": "aarch64"}, OK, "arm64"),
    ("architecture", {"machine": "armv7l"}, REFUSE, "armv7l"),
    ("kernel", {"kernel": "5.10.0-30-amd64"}, OK, "5.10"),
    ("kernel", {"kernel": "5.4.0-200-generic"}, REFUSE, "5.10 or later"),
    ("kernel", {"kernel": "4.18.0-553.el8_10.x86_64"}, WARN, "backports"),
    ("kernel", {"kernel": "strange"}, REFUSE, "uname"),
    ("kernel-features", {"features": {"veth": Feature("no", "`ip link add`: Unknown")}}, REFUSE, "veth"),
    ("kernel-features", {"features": {"veth": Feature("unknown", "ip is not installed")}}, NOTE, "not known"),
    ("kernel-features", {"features": {"btf": Feature("no", "/sys")}}, NOTE, "BTF"),
    ("kernel-features", {"features": {"vxlan": Feature("no", "x")}}, OK, "able to do"),  # no tunnel is asked for
    ("kernel-features", {"features": {"iptables-statistic": Feature("no", "x")}}, REFUSE, "statistic"),
    ("cgroups", {"cgroup": "hybrid"}, OK, "hybrid"),
    ("cgroups", {"controllers": ("cpu", "pids")}, REFUSE, "without memory"),
    ("cgroups", {"cgroup": "none", "controllers": ()}, REFUSE, "version none"),
    ("bpffs", {"bpffs": False}, NOTE, "not mounted"),
    ("disk", {"disk": Disk("/var/lib/rancher", 2048)}, OK, "2048 MiB"),
    ("disk", {"disk": Disk("/var/lib/rancher", 2047)}, REFUSE, "2047 MiB"),
    ("disk", {"disk": Disk("/var/lib/rancher", 9000, 12, True)}, REFUSE, "inodes"),
    ("resources", {"memory_mib": 900}, WARN, "900 MiB"),
    ("resources", {"swap": True}, NOTE, "swap"),
    ("hostname", {"hostname": "localhost"}, REFUSE, "hostnamectl"),
    ("hostname", {"hostname": "my_server"}, REFUSE, "my_server"),
    ("hostname", {"hostname": "agent1"}, REFUSE, "which server1 has too"),
    ("hostname", {"resolves": {"server1": False}}, WARN, "/etc/hosts"),
    ("resolver", {"nameservers": ("127.0.0.53",)}, WARN, "k3s_resolv_conf"),
    ("resolver", {"nameservers": ("127.0.0.53",), "upstream_resolv_conf": True}, OK, "systemd-resolved"),
    ("resolver", {"nameservers": ("127.0.0.53", "192.0.2.53")}, OK, "192.0.2.53"),
    ("firewall", {"units": {"firewalld": "active"}}, WARN, "firewalld"),
    ("networkd", {"units": {"systemd-networkd": "active"}}, WARN, "ManageForeignRoutes"),
    (
        "networkd",
        {
            "units": {"systemd-networkd": "active"},
            "networkd": {"ManageForeignRoutes": "no", "ManageForeignRoutingPolicyRules": "no"},
        },
        "",
        "",
    ),
    ("ports", {"sockets": holder("nginx", "nginx")}, REFUSE, "6443/tcp is held by nginx (pid 7), unit nginx"),
    ("ports", {"sockets": holder("", "")}, REFUSE, "does not show"),
    ("ports", {"sockets": holder("k3s-server", "k3s"), "units": {"k3s": "active", "chrony": "active"}}, OK, "k3s"),
    ("ports", {"sockets": holder("cilium-agent", "pod", 4240)}, OK, "free"),
    ("ports", {"sockets": holder("nginx", "nginx", 8080)}, OK, "free"),
    ("ports", {"sockets": holder("x", "x", 8472, "udp")}, OK, "free"),  # no tunnel is asked for
    ("other-cni", {"links": (Link("flannel.1", 1450),)}, REFUSE, "flannel"),
    ("other-cni", {"links": (Link("cali12ab", 1450),)}, REFUSE, "Calico"),
    ("other-cni", {"links": (Link("cilium_host", 1500),)}, WARN, "earlier Cilium"),
    ("other-cni", {"links": (Link("cilium_host", 1500),), "units": {"k3s": "active"}}, "", ""),
    ("other-cni", {"cni_files": ("10-calico.conflist",)}, REFUSE, "10-calico.conflist"),
    ("other-cni", {"cni_files": ("87-podman-bridge.conflist", "cni.lock")}, NOTE, "cilium_bak"),
    ("other-cni", {"cni_files": ("05-cilium.conflist",)}, "", ""),
    ("kube-proxy", {"processes": (Process(5, "kube-proxy", "kube-proxy"),)}, REFUSE, "by itself"),
    ("kube-proxy", {"processes": (Process(5, "kube-proxy", "pod"),)}, REFUSE, "DaemonSet"),
    ("kube-proxy", {"processes": (Process(5, "kube-proxy", "k3s"),)}, "", ""),
    ("other-kubernetes", {"units": {"rke2-server": "active"}}, REFUSE, "rke2"),
    ("other-kubernetes", {"processes": (Process(5, "kubelet", "kubelet"),)}, REFUSE, "another kubelet"),
    ("other-kubernetes", {"processes": (Process(5, "kubelet", "k3s"),)}, "", ""),
    ("other-kubernetes", {"marks": ("microk8s",)}, WARN, "microk8s"),
    ("other-kubernetes", {"units": {"docker": "active"}}, NOTE, "FORWARD"),
    ("k3s-state", {"k3s_version": "v1.33.1+k3s1"}, NOTE, "to become"),  # a new cluster may take any
    ("k3s-state", {"k3s_version": "v1.34.4+k3s1"}, OK, "v1.34.4"),
    ("k3s-state", {"k3s_version": "v1.34.4+k3s-dirty"}, NOTE, "of its own"),
    (
        "k3s-state",
        {"k3s_version": "v1.32.1+k3s1", "datastore": True, "units": {"k3s": "active"}},
        REFUSE,
        "one Kubernetes minor at a time",
    ),
    (
        "k3s-state",
        {"k3s_version": "v1.33.7+k3s1", "datastore": True, "units": {"k3s": "active"}},
        REFUSE,
        "v1.33.7+k3s3 or later",
    ),
    ("clock", {"clock": Clock(100.0, 103.0, 100.1)}, REFUSE, "ahead of"),
    ("clock", {"clock": Clock(100.0, 101.9, 100.1)}, OK, "allowed"),
    ("clock", {"clock": Clock(100.0, 103.0, 105.0)}, OK, "allowed"),  # a slow answer proves nothing
    ("clock", {"clock": None}, OK, "allowed"),
    ("mtu", {"links": (Link("eth0", 9000, ("192.0.2.1/24",)),)}, REFUSE, "9000 on server1 (eth0)"),
    ("node-networks", {"links": (Link("eth1", 1500, ("10.42.7.1/24",)),)}, REFUSE, "10.42.7.0/24 on its link eth1"),
    ("node-networks", {"links": (Link("cilium_host", 1500, ("10.42.0.5/32",)),)}, "", ""),
    ("default-route", {"default_routes": {}}, REFUSE, "missing"),
]


@pytest.mark.parametrize(("check", "changes", "level", "says"), CASES)
def test_one_host(check: str, changes: dict[str, Any], level: str, says: str) -> None:
    now = situation(**changes)
    assert check in CHECKS
    assert worst(now, check) == level
    assert any(says in finding.sentence for finding in told(now, check)) or not says
    for finding in told(now, check):
        if finding.level in (REFUSE, WARN):
            assert finding.host and finding.seen and finding.remedy, finding


def test_even_servers_are_refused_for_a_new_cluster_and_warned_of_on_a_live_one() -> None:
    assert worst(situation(servers=2), "servers") == REFUSE
    assert worst(situation(servers=2, datastore=True), "servers") == WARN
    assert worst(situation(servers=1), "servers") == OK


def test_an_agent_with_a_datastore_is_refused() -> None:
    now = situation()
    spoiled = {**now.facts, "agent1": replace(now.facts["agent1"], datastore=True)}
    assert worst(replace(now, facts=spoiled), "k3s-state") == REFUSE


def test_tunnel_needs_its_link_and_its_port() -> None:
    variables = {"cilium_routing_mode": "tunnel", "cilium_tunnel_protocol": "vxlan"}
    assert worst(situation(variables=variables, features={"vxlan": Feature("no", "x")}), "kernel-features") == REFUSE
    assert worst(situation(variables=variables, sockets=holder("x", "x", 8472, "udp")), "ports") == REFUSE
    ours = {"sockets": holder("", "", 8472, "udp"), "links": (Link("cilium_vxlan", 1500),)}
    assert worst(situation(variables=variables, **ours), "ports") == OK


def test_cgroup_v1_and_newer_kubernetes() -> None:
    variables = {"k3s_version": "v1.35.1+k3s1"}
    assert worst(situation(variables=variables, cgroup="hybrid"), "cgroups") == REFUSE
    assert worst(situation(variables=variables, cgroup="2"), "cgroups") == OK


def test_mtu_may_differ_where_cilium_is_told_the_smaller_one() -> None:
    links = (Link("eth0", 9000, ("192.0.2.1/24",)),)
    assert worst(situation(variables={"cilium_mtu": 1500}, links=links), "mtu") == WARN
    assert worst(situation(variables={"cilium_mtu": 9000}), "mtu") == REFUSE


def test_a_resolver_file_by_name() -> None:
    systemd = {"k3s_resolv_conf": "/run/systemd/resolve/resolv.conf"}
    assert worst(situation(variables=systemd), "resolver") == REFUSE
    assert worst(situation(variables=systemd, upstream_resolv_conf=True), "resolver") == REFUSE  # the other hosts
    assert worst(situation(variables={"k3s_resolv_conf": "/etc/resolv.conf"}), "resolver") == OK
    stub = {"nameservers": ("127.0.0.53",), "upstream_resolv_conf": True}
    assert worst(situation(variables={"k3s_resolv_conf": ""}, **stub), "resolver") == NOTE


def test_node_ip_has_to_be_there() -> None:
    now = situation(variables={"k3s_node_ip": "192.0.2.1"})
    assert {finding.host for finding in told(now, "node-ip")} == {"server2, server3, agent1"}


STAGE_VALUES = [
    (1, {"cilium_gateway_api": True}, REFUSE),
    (2, {"cilium_gateway_api": True}, ""),
    (1, {"cilium_bpf_masquerade": True}, REFUSE),
    (1, {"cilium_values": {"l2announcements": {"enabled": True}}}, REFUSE),
    (2, {"cilium_values": {"l2announcements": {"enabled": True}}}, ""),
    (1, {"cilium_values": {"kubeProxyReplacement": True}}, REFUSE),
    (1, {"cilium_values": {"kubeProxyReplacement": "disabled"}}, NOTE),
    (2, {"cilium_values": {"kubeProxyReplacement": "strict"}}, NOTE),
    (2, {"cilium_values": {"kubeProxyReplacement": False}}, REFUSE),
    (1, {"cilium_values": {"kubeProxyReplacementHealthzBindAddr": "0.0.0.0:10256"}}, REFUSE),
]


@pytest.mark.parametrize(("stage", "variables", "level"), STAGE_VALUES)
def test_values_and_the_stage(stage: int, variables: dict[str, Any], level: str) -> None:
    """The live cluster's stage counts; the inventory's counts for a new one."""
    new = situation(variables={**variables, "cilium_initial_stage": stage})
    live = situation(variables={**variables, "cilium_initial_stage": 3 - stage}, datastore=True,
                     without_kube_proxy=stage == 2)  # fmt: skip
    assert (new.stage, new.live, live.stage, live.live) == (stage, False, stage, True)
    assert worst(new, "stage") == worst(live, "stage") == level


def test_reachability() -> None:
    lost = Reach("server1", "agent1", "192.0.2.4", {"22": "reached", "10250": "lost: no answer in 3 s"}, "fits")
    narrow = Reach("server1", "agent1", "192.0.2.4", {"22": "refused"}, "too large")
    assert worst(replace(situation(), reaches=(lost,)), "reachability") == REFUSE
    assert worst(replace(situation(), reaches=(narrow,)), "reachability") == WARN
    assert worst(replace(situation(), reaches=(replace(narrow, echo="unknown"),)), "reachability") == OK


def test_targets_are_all_others_with_the_ports_they_will_have() -> None:
    targets = {target["host"]: target for target in reach_targets("agent1", situation(), {"server2": 2222})}
    assert set(targets) == {"server1", "server2", "server3"}
    assert targets["server2"] == {
        "host": "server2", "address": "192.0.2.2", "ports": [2222, 10250, 4240, 6443], "mtu": 1500,
    }  # fmt: skip
    assert 2380 in reach_targets("server1", situation(), {})[0]["ports"]


def test_daemonsets_of_the_live_cluster() -> None:
    images = {"kube-system/kube-flannel-ds": "flannel:1", "kube-system/cilium": "cilium:v1.18.2"}
    now = replace(situation(), daemonsets=images)
    assert [finding.thing for finding in told(now, "other-cni")] == ["the DaemonSet kube-system/kube-flannel-ds"]
    assert "go to a 1.19 release first" in told(now, "versions")[0].sentence


def test_skipped_checks_stay_in_the_report() -> None:
    now = situation(servers=2, variables={"preflight_skip": ["servers"]})
    assert worst(now, "servers") == SKIPPED


def test_hosts_without_facts_are_left_out() -> None:
    now = situation()
    limited = replace(now, facts={"server1": now.facts["server1"]})
    assert {finding.host for finding in judge_hosts_all(limited)} <= {"server1", "k3s_cluster"}


def test_without_a_server_nothing_is_said_of_the_cluster() -> None:
    """A run limited to agents does not know whether the cluster is new."""
    now = situation(servers=2)
    limited = replace(now, facts={"agent1": now.facts["agent1"]})
    assert worst(limited, "servers") == ""
    assert worst(limited, "stage") == NOTE
