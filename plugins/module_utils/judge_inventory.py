# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole inventory, before any host is touched: all judges in their order. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    judge_bgp,
    judge_cidrs,
    judge_cilium,
    judge_k3s,
    judge_spec,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    Finding,
    Findings,
    merged,
    refuse,
    skipping,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_spec import Option, show
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, Inventory, words

GROUPS, AGREEMENT, READABLE, SKIP = "groups", "agreement", "readable", "skip"

# Names that belong to the whole cluster: every host must have the same value.
_SHARED = (
    "k3s_cluster_name", "k3s_version", "k3s_token", "k3s_agent_token", "k3s_cluster_cidr", "k3s_service_cidr",
    "k3s_cluster_dns", "k3s_secrets_encryption", "k3s_api_endpoint", "k3s_disable", "k3s_tls_san",
    "k3s_kubeconfig_path", "meshwright_state_dir",
)
_SHARED_PREFIXES = ("cilium_", "validate_", "preflight_", "bgp_")


# What these roles need their caller gives them, and no inventory.
_GIVEN_BY_TASKS = ("maintenance_", "probe_")
_OWN_PREFIXES = (*judge_bgp.ROUTER_PREFIXES, *judge_bgp.NODE_PREFIXES)


def judge_inventory(
    inv: Inventory, known: t.Mapping[str, Option], prefixes: t.Collection[str], checks: t.Collection[str]
) -> tuple[Finding, ...]:
    found = list(judge_groups(inv))
    if inv.members:
        found += _judge_hosts(inv, known, prefixes)
        # A value that is not even of its type is told once: the other judges do not see it.
        broken = {_root(finding) for finding in found if finding.check in (judge_spec.CHECK, READABLE)}
        rest = _without(inv, broken)
        found += [finding for finding in _judge_values(rest) if _root(finding) not in broken]
        found += judge_agreement(rest, known)
        found += judge_skip(inv, checks)
    return skipping(merged(found, inv.names), words(inv.get("preflight_skip")))


def _root(finding: Finding) -> str:
    """The variable of `k3s_registries.mirrors.x` or `k3s_disable[0]`."""
    return re.split(r"[.\[]", finding.thing, maxsplit=1)[0]


def _without(inv: Inventory, names: t.Collection[str]) -> Inventory:
    def kept(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {name: value for name, value in values.items() if name not in names}

    def without(host: Host) -> Host:
        return replace(host, written=kept(host.written), defaults=kept(host.defaults))

    return replace(inv, hosts=tuple(map(without, inv.hosts)), routers=tuple(map(without, inv.routers)))


def _judge_hosts(inv: Inventory, known: t.Mapping[str, Option], prefixes: t.Collection[str]) -> Findings:
    for host in (*inv.hosts, *inv.routers):
        yield from judge_spec.judge_variables(host.name, host.written, known, prefixes)
        for name, why in host.unreadable.items():
            if host in inv.hosts or judge_bgp.is_of_routers(name):
                yield refuse(
                    host.name, READABLE, name, f"not to be read ({why})", "a value",
                    "mend its template, or give the vault's password",
                )
    for host in inv.hosts:
        values = {**host.defaults, **{name: value for name, value in host.written.items() if value is not None}}
        missing = (
            option for option in known.values()
            if option.name not in host.unreadable and not option.name.startswith(_GIVEN_BY_TASKS)
        )
        yield from judge_spec.judge_required(host.name, values, {option.name: option for option in missing})


def _judge_values(inv: Inventory) -> Findings:
    for host in inv.members:
        yield from judge_k3s.judge_secrets(host)
        yield from judge_k3s.judge_install(host, inv.existing)
        yield from judge_k3s.judge_k3s_options(host)
        yield from judge_k3s.judge_extra_config(host)
        yield from judge_k3s.judge_registries(host)
    yield from judge_k3s.judge_k3s_version(inv)
    yield from judge_cilium.judge_cilium_version(inv)
    yield from judge_cidrs.judge_networks(inv)
    yield from judge_cidrs.judge_cluster_dns(inv)
    yield from judge_cidrs.judge_addresses(inv)
    yield from judge_cilium.judge_routing(inv)
    yield from judge_cilium.judge_endpoint(inv)
    yield from judge_cilium.judge_sizes(inv)
    yield from judge_cilium.judge_values(inv)
    yield from judge_cilium.judge_chart(inv, inv.existing)
    yield from judge_bgp.judge_bgp(inv)


def judge_groups(inv: Inventory) -> Findings:
    if not inv.members:
        yield refuse(
            CLUSTER, GROUPS, "the group k3s_cluster", "without hosts", "hosts in its children server and agent",
            "name the hosts in the inventory, and the inventory with -i",
        )
        return
    if not inv.servers:
        yield refuse(
            CLUSTER, GROUPS, "the group server", "empty", "at least one host", "move the first servers into it"
        )
    for host in inv.hosts:
        both = {"server", "agent"} & host.groups
        if len(both) == 2:
            yield refuse(
                host.name, GROUPS, "its groups", "both server and agent", "one of them",
                "leave it in server alone: k3s servers run an agent too",
            )
        elif not both:
            yield refuse(
                host.name, GROUPS, "its groups", "k3s_cluster alone", "server or agent as well",
                "move the host into one of the children",
            )
        elif "k3s_cluster" not in host.groups:
            yield refuse(
                host.name, GROUPS, "its groups", f"{both.pop()} without k3s_cluster", "k3s_cluster as well",
                "make server and agent children of k3s_cluster",
            )


def judge_agreement(inv: Inventory, known: t.Mapping[str, Option]) -> Findings:
    for name, option in known.items():
        if name not in _SHARED and (not name.startswith(_SHARED_PREFIXES) or name.startswith(_OWN_PREFIXES)):
            continue
        values: dict[str, list[str]] = {}
        for host in inv.members:
            values.setdefault(repr(host.get(name)), []).append(host.name)
        if len(values) > 1:
            hidden = option.secret or option.type == "dict"  # a mapping may hold a secret anywhere
            told = "; ".join(
                f"{'a value of its own (hidden)' if hidden else _short(value)} on {', '.join(hosts)}"
                for value, hosts in values.items()
            )
            yield refuse(
                CLUSTER, AGREEMENT, name, told, "the same on every host",
                f"set {name} once, for the group k3s_cluster",
            )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def judge_skip(inv: Inventory, checks: t.Collection[str]) -> Findings:
    for name in words(inv.get("preflight_skip")):
        if name not in checks:
            near = difflib.get_close_matches(name, checks, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"use some of {', '.join(sorted(checks))}"
            yield refuse(CLUSTER, SKIP, "preflight_skip", show(name), "names of checks", remedy)


INVENTORY_CHECKS = (
    GROUPS, AGREEMENT, READABLE, SKIP, judge_spec.CHECK,
    judge_cidrs.CIDRS, judge_cidrs.ADDRESSES, judge_cidrs.DNS,
    judge_k3s.SECRETS, judge_k3s.VERSIONS, judge_k3s.OPTIONS, judge_k3s.INSTALL, judge_k3s.REGISTRIES,
    judge_k3s.EXTRA,
    judge_cilium.VALUES, judge_cilium.ROUTING, judge_cilium.ENDPOINT, judge_cilium.MTU, judge_cilium.STAGE,
    judge_cilium.OPERATOR, judge_cilium.CHART, judge_cilium.TARGETS, *judge_bgp.BGP_CHECKS,
)  # fmt: skip
