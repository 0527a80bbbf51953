# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says about k3s. Pure."""

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
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Host,
    Inventory,
    address,
    number,
    words,
)

SECRETS, VERSIONS, OPTIONS, INSTALL = "secrets", "versions", "k3s-options", "install"
REGISTRIES, EXTRA = "registries", "extra-config"

TOKEN_LENGTH = 16
_VAULT = ("$ANSIBLE_VAULT", "!vault")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)
_PREFIXED = re.compile(rf"({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_COMPONENTS = ("coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes", "gateway-api-crd")

# The kubelet starts with these labels of the reserved domains and refuses all others
# (Kubernetes: staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go).
_RESERVED_FREE = (
    "kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os", "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
)
_RESERVED_FREE_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")

# Keys of k3s' configuration that a variable of the role stands for, or that the role decides by itself.
OWNED: t.Mapping[str, str] = {
    "token": "k3s_token", "agent-token": "k3s_agent_token", "tls-san": "k3s_tls_san",
    "cluster-cidr": "k3s_cluster_cidr", "service-cidr": "k3s_service_cidr", "cluster-dns": "k3s_cluster_dns",
    "node-ip": "k3s_node_ip", "node-label": "k3s_node_labels", "node-taint": "k3s_node_taints",
    "resolv-conf": "k3s_resolv_conf", "secrets-encryption": "k3s_secrets_encryption",
    "etcd-snapshot-schedule-cron": "k3s_etcd_snapshot_schedule",
    "etcd-snapshot-retention": "k3s_etcd_snapshot_retention", "disable": "k3s_disable",
    "server": "", "cluster-init": "", "flannel-backend": "", "disable-network-policy": "", "disable-kube-proxy": "",
    "cluster-reset": "", "datastore-endpoint": "", "write-kubeconfig-mode": "", "private-registry": "k3s_registries",
}

_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_NAME = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat")
_CRON_WORD = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \d+[smh][\dsmh]*)")


def judge_secrets(host: Host) -> Findings:
    for name in ("k3s_token", "k3s_agent_token"):
        value = host.get(name)
        if isinstance(value, str) and value:
            yield from _judge_secret(host.name, name, value)
    token, agent = host.get("k3s_token"), host.get("k3s_agent_token")
    if token and token == agent:
        yield warn(
            host.name, SECRETS, "k3s_agent_token", "the same as k3s_token", "a secret of its own",
            "draw another one: who has an agent's token could otherwise join as a server",
        )


def _judge_secret(host: str, name: str, value: str) -> Findings:
    if any(sign in value for sign in _VAULT):
        yield refuse(
            host, SECRETS, name, "the text of a vault, not its content", "the decrypted secret",
            "tag it !vault in YAML (not quoted) and give the vault's password",
        )
    elif any(sign in value for sign in ":\n\t ") or value != value.strip():
        yield refuse(
            host, SECRETS, name, f"hidden, {len(value)} characters, with a colon or white space",
            "letters, digits and plain signs", "take the secret alone, without the K10…:: in front, or draw a new one",
        )
    elif len(value) < TOKEN_LENGTH:
        yield refuse(
            host, SECRETS, name, f"hidden, {len(value)} characters", f"{TOKEN_LENGTH} characters or more",
            "draw a longer one, with `openssl rand -hex 32` for example",
        )


def judge_k3s_version(inv: Inventory) -> Findings:
    try:
        version = versions.parse_k3s(inv.text("k3s_version"))
    except MeshwrightError as error:
        yield from_error(error, CLUSTER, VERSIONS)
        return
    if versions.kubernetes_line(version.kubernetes) is None:
        yield refuse(
            CLUSTER, VERSIONS, "k3s_version", str(version), f"Kubernetes {versions.known_kubernetes()}",
            "choose a release of these minors; no other was ever tried",
        )


def judge_install(host: Host, existing: t.Collection[str]) -> Findings:
    method = host.get("k3s_install_method", "release")
    needs = {"release": ("k3s_release_url",), "local": ("k3s_local_binary",), "airgap": ("k3s_airgap_images",)}
    for name in needs.get(method, ()):
        if not host.get(name):
            yield refuse(
                host.name, INSTALL, name, "missing", f"a value, for k3s_install_method is {method}",
                f"set {name}, or choose another k3s_install_method",
            )
    for name in ("k3s_local_binary", "k3s_airgap_images"):
        for path in words(host.get(name)) if method in ("local", "airgap") else ():
            if "://" not in path and path not in existing:
                yield refuse(
                    host.name, INSTALL, name, repr(path), "a file on the controller", "correct the path, or fetch it"
                )
    url = host.get("k3s_release_url")
    if method == "release" and isinstance(url, str) and url and not re.match(r"https?://[^\s/]+", url):
        yield refuse(host.name, INSTALL, "k3s_release_url", repr(url), "http:// or https://…", "correct the address")
    yield from _judge_sums(host)


def _judge_sums(host: Host) -> Findings:
    sums = host.get("k3s_binary_sha256")
    for arch, value in sums.items() if isinstance(sums, dict) else ():
        if arch not in ("amd64", "arm64"):
            yield refuse(
                host.name, INSTALL, "k3s_binary_sha256", f"for {arch!r}", "amd64 or arm64", "use the release's names"
            )
        elif not isinstance(value, str) or not _SHA256.fullmatch(value):
            yield refuse(
                host.name, INSTALL, f"k3s_binary_sha256.{arch}", repr(value), "64 hexadecimal digits",
                f"copy the sum from the release's sha256sum-{arch}.txt",
            )


def judge_k3s_options(host: Host) -> Findings:
    for san in words(host.get("k3s_tls_san")):
        if address(san) is None and not NAME.fullmatch(san):
            yield refuse(
                host.name, OPTIONS, "k3s_tls_san", repr(san), "a host name or an address, nothing around it",
                "leave out scheme, port, brackets and wildcards",
            )
    endpoint = host.get("k3s_api_endpoint")
    if isinstance(endpoint, str) and endpoint and address(endpoint) is None and not NAME.fullmatch(endpoint):
        yield refuse(
            host.name, OPTIONS, "k3s_api_endpoint", repr(endpoint), "a host name or an address",
            "leave out scheme and port",
        )
    yield from _judge_labels(host)
    yield from _judge_taints(host)
    yield from _judge_amounts(host)
    yield from _judge_snapshots(host)
    for component in words(host.get("k3s_disable")):
        if component not in _COMPONENTS:
            yield refuse(
                host.name, OPTIONS, "k3s_disable", repr(component), f"some of {', '.join(_COMPONENTS)}",
                "correct the name; k3s would pass over it in silence",
            )
    name = host.get("k3s_cluster_name")
    if isinstance(name, str) and not (len(name) <= 32 and re.fullmatch(_LABEL, name)):
        yield refuse(
            host.name, OPTIONS, "k3s_cluster_name", repr(name), "at most 32 small letters, digits and dashes",
            "Cilium takes no other names for a cluster",
        )


def _judge_amounts(host: Host) -> Findings:
    batch = host.get("k3s_agent_batch")
    if batch is not None and not re.fullmatch(r"[1-9]\d*|[1-9]\d?%|100%", str(batch)):
        yield refuse(
            host.name, OPTIONS, "k3s_agent_batch", repr(batch), "a number such as 5 or a share such as 50%",
            "write one that is more than nothing",
        )
    for name in ("k3s_start_timeout", "cilium_timeout", "validate_timeout", "preflight_timeout"):
        seconds = number(host.get(name))
        if seconds is not None and seconds < 1:
            yield refuse(host.name, OPTIONS, name, str(seconds), "1 second or more", "leave it out for the default")


def _judge_labels(host: Host) -> Findings:
    given = host.get("k3s_node_labels")
    pairs = [f"{key}={value}" for key, value in given.items()] if isinstance(given, dict) else list(words(given))
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not (sign and _PREFIXED.fullmatch(key) and _VALUE.fullmatch(value)):
            yield refuse(
                host.name, OPTIONS, "k3s_node_labels", repr(pair), "name=value as Kubernetes allows it",
                "63 letters, digits, dashes, dots and underscores at most on either side",
            )
        elif _reserved(key):
            yield refuse(
                host.name, OPTIONS, "k3s_node_labels", repr(pair), "a name outside kubernetes.io and k8s.io",
                "the kubelet does not start with it; label the node through the API instead",
            )


def _reserved(key: str) -> bool:
    domain = key.split("/")[0] if "/" in key else ""
    inside = any(domain == end or domain.endswith(f".{end}") for end in ("kubernetes.io", "k8s.io"))
    free = any(domain == end or domain.endswith(f".{end}") for end in _RESERVED_FREE_DOMAINS)
    return inside and not free and key not in _RESERVED_FREE


def _judge_taints(host: Host) -> Findings:
    for taint in words(host.get("k3s_node_taints")):
        pair, _sign, effect = taint.rpartition(":")
        key, _sign, value = pair.partition("=")
        if effect not in _EFFECTS or not _PREFIXED.fullmatch(key) or not _VALUE.fullmatch(value):
            yield refuse(
                host.name, OPTIONS, "k3s_node_taints", repr(taint), f"name=value:effect ({', '.join(_EFFECTS)})",
                "correct the taint",
            )


def _judge_snapshots(host: Host) -> Findings:
    schedule = host.get("k3s_etcd_snapshot_schedule")
    if isinstance(schedule, str) and schedule and not is_cron(schedule):
        yield refuse(
            host.name, OPTIONS, "k3s_etcd_snapshot_schedule", repr(schedule), "five fields of cron, or @daily",
            "write minute, hour, day, month, day of the week, as in `0 */12 * * *`",
        )
    retention = number(host.get("k3s_etcd_snapshot_retention"))
    if retention is not None and retention < 1:
        yield refuse(
            host.name, OPTIONS, "k3s_etcd_snapshot_retention", str(retention), "1 or more",
            "keep at least one snapshot",
        )


def is_cron(text: str) -> bool:
    if text.startswith("@"):
        return bool(_CRON_WORD.fullmatch(text))
    fields = text.split()
    return len(fields) == 5 and all(_is_cron_field(*pair) for pair in zip(fields, _CRON_RANGES))


def _is_cron_field(text: str, limits: tuple[int, int]) -> bool:
    for part in text.lower().split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isdigit() and int(step) > 0):
            return False
        if span in ("*", "?"):
            continue
        for end in span.split("-", 1):
            if not _CRON_NAME.fullmatch(end) and not (end.isdigit() and limits[0] <= int(end) <= limits[1]):
                return False
    return True


def judge_extra_config(host: Host) -> Findings:
    extra = host.get("k3s_extra_config")
    for key in extra if isinstance(extra, dict) else ():
        bare = str(key).rstrip("+")
        if bare in OWNED:
            instead = f"set {OWNED[bare]} instead" if OWNED[bare] else "leave it to the role"
            yield refuse(
                host.name, EXTRA, f"k3s_extra_config.{key}", "a key that the role writes itself", "other keys only",
                instead,
            )
        elif "_" in bare:
            yield refuse(
                host.name, EXTRA, f"k3s_extra_config.{key}", "spelled with an underscore", "k3s' own spelling",
                f"write {bare.replace('_', '-')}; k3s passes over keys that it does not know",
            )


def judge_registries(host: Host) -> Findings:
    """Only names of keys are ever told: the values hold passwords."""
    given = host.get("k3s_registries")
    if not isinstance(given, dict):
        return
    known = {"mirrors": ("endpoint", "rewrite"), "configs": ("auth", "tls")}
    for section, entries in given.items():
        if section not in known:
            yield _bad_registry(host, str(section), "an unknown key", "mirrors and configs")
            continue
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            for key in entry if isinstance(entry, dict) else ():
                if key not in known[section]:
                    yield _bad_registry(host, f"{section}.{name}.{key}", "an unknown key", " and ".join(known[section]))
            if section == "mirrors":
                yield from _judge_endpoints(host, str(name), entry)


def _judge_endpoints(host: Host, name: str, entry: t.Any) -> Findings:
    for endpoint in words(entry.get("endpoint")) if isinstance(entry, dict) else ():
        if not re.match(r"https?://[^\s/]+", endpoint):
            yield _bad_registry(host, f"mirrors.{name}.endpoint", "an address without http(s)://", "http(s)://host…")


def _bad_registry(host: Host, key: str, seen: str, wanted: str) -> Finding:
    return refuse(host.name, REGISTRIES, f"k3s_registries.{key}", seen, wanted, "write it as k3s' registries.yaml does")
