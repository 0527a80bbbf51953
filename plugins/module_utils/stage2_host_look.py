# SPDX-License-Identifier: GPL-3.0-or-later
"""What stage 2 asks of a host, waits for on it, and tidies there. Runs on the hosts: Python 3.9, stdlib only."""

from __future__ import annotations

import http.client
import ipaddress
import subprocess
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    client_conntrack,
    client_host,
    k3s_observe,
    kube_rules,
    probe_host,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_iptables as iptables
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_host as judge
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.kube_flows import Services
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

REQUEST = 3.0  # seconds for one answer
_LONG = 3600.0  # after that the ports alone tell, and the log is long
_ACTIVE_SINCE = "ActiveEnterTimestampMonotonic"

Files = t.Mapping[str, str]


class Host:
    """The only way to the host; a test hands in another with the same methods."""

    def __init__(self, role: str) -> None:
        self.role = role

    def unit(self) -> dict[str, str]:
        name = k3s_observe.UNITS[self.role]
        stamp = client_host.run("systemctl", "show", name, f"--property={_ACTIVE_SINCE}", "--value").stdout.strip()
        return {**client_host.unit(name), _ACTIVE_SINCE: stamp or "0"}

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def files(self) -> Files:
        return k3s_observe.config_files(k3s_observe.CONFIG)

    def started(self) -> Files | None:
        raw: dict[str, str] = k3s_observe.config_files(k3s_observe.STARTED)
        return raw or None

    def sockets(self) -> judge.Sockets:
        return probe_host.sockets()

    def processes(self) -> judge.Processes:
        return probe_host.processes()

    def log(self, invocation: str) -> list[str]:
        """Lines about kube-proxy that this run of k3s wrote; nothing where the journal cannot be searched."""
        try:
            return client_host.run(
                "journalctl", f"_SYSTEMD_INVOCATION_ID={invocation}", f"--grep={judge.RUNNING}|{judge.WAITING}",
                "--case-sensitive=yes", "--output=short-monotonic", "--no-pager", "--quiet", timeout=20,
            ).stdout.splitlines()  # fmt: skip
        except subprocess.TimeoutExpired:
            return []

    def rules(self) -> list[tuple[iptables.Backend, str]]:
        """What is in each backend, with counters."""
        return [(backend, iptables.saved(backend, iptables.run, "-c")) for backend in iptables.backends()]

    def sweep(self, router: bool) -> iptables.Swept:
        return iptables.sweep(iptables.backends(), router)

    def destroy(self, ipset: str) -> None:
        """The kernel refuses where somebody uses it, and then it stays."""
        name = iptables.program("ipset")
        if name:
            client_host.run(name, "destroy", ipset)

    def flows(self, services: Services) -> t.Sequence[t.Any]:
        return client_conntrack.stale(services)

    def forget(self, flows: t.Sequence[t.Any]) -> int:
        return client_conntrack.forget(flows)

    def addresses(self) -> list[str]:
        return client_host.addresses()

    def get(self, address: str, port: int, path: str) -> tuple[int, str]:
        """Status and body over a connection of its own; 0: nobody answers."""
        connection = http.client.HTTPConnection(address, port, timeout=REQUEST)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()


@dataclass(frozen=True)
class Observed:
    look: judge.Look
    leftovers: int
    flows: int
    dead_ports: tuple[int, ...]
    mode: str = ""


# -- looking


def look(host: Host) -> judge.Look:
    unit, now = host.unit(), host.now()
    texts = [*host.files().values(), *(host.started() or {}).values()]
    fresh = unit["ActiveState"] != "active" or now - judge.came_up(unit) < _LONG
    lines = host.log(unit["InvocationID"]) if fresh and unit["InvocationID"] else []
    return judge.look(unit, now, host.sockets(), host.processes(), judge.log_of(lines), texts)


def settled(host: Host, clock: Clock = CLOCK) -> judge.Look:
    """A look after k3s has had the time to start kube-proxy; it may have been restarted a second ago."""
    end = clock.now() + 2 * judge.SETTLED
    seen = look(host)
    while seen.active and not seen.decided and clock.now() < end:
        clock.sleep(1.0)
        seen = look(host)
    return seen


def observe(
    host: Host, services: Services, health_ports: t.Sequence[int] = (), router: bool = True, clock: Clock = CLOCK
) -> Observed:
    chains = sum(kube_rules.leftovers(text, router) for _backend, text in host.rules())
    flows = host.flows(services) if services.networks or services.addresses or services.node_ports else ()
    addresses = host.addresses() or ["127.0.0.1"]
    dead = tuple(
        port for port in health_ports if not any(host.get(address, port, "/healthz")[0] for address in addresses)
    )
    seen = settled(host, clock)
    return Observed(seen, chains, len(flows), dead, mode(host, seen))


def mode(host: Host, seen: judge.Look) -> str:
    """kube-proxy's own word (kubernetes: cmd/kube-proxy/app/server.go, `/proxyMode`); empty where it is not heard."""
    status, text = _kube_proxys(host, seen, "/proxyMode")
    return text.strip() if status == 200 else ""


def _kube_proxys(host: Host, seen: judge.Look, path: str) -> tuple[int, str]:
    """A page beside its metrics; status 0 where they are not where they usually are."""
    if judge.METRICS not in seen.ports:
        return 0, ""
    pages = (host.get(address, judge.METRICS, path) for address in ("127.0.0.1", "::1", *host.addresses()))
    return next((page for page in pages if page[0]), (0, ""))


def services_of(
    host: Host, cidrs: t.Iterable[str], addresses: t.Iterable[str] = (), node_ports: t.Iterable[int] = ()
) -> Services:
    try:
        return Services(
            tuple(ipaddress.ip_network(cidr.strip(), strict=False) for cidr in cidrs),
            frozenset(map(ipaddress.ip_address, addresses)), frozenset(node_ports),
            frozenset(map(ipaddress.ip_address, host.addresses())),
        )  # fmt: skip
    except ValueError as error:
        raise MeshwrightError(
            "the networks and addresses of services", seen=f"not to be read ({error})", wanted="addresses",
            remedy="correct k3s_service_cidr",
        ) from error


# -- waiting


def wait_proxyless(host: Host, timeout: float, clock: Clock = CLOCK) -> judge.Look:
    return wait_until(
        lambda: look(host), lambda seen: seen.gone and not seen.elsewhere, describe=lambda seen: seen.told,
        thing="kube-proxy", wanted="gone", timeout=timeout, clock=clock,
        remedy="see that every server runs with disable-kube-proxy; then restart k3s-agent on an agent once more: it "
        "asks a server when it starts",
    )  # fmt: skip


def wait_proxied(host: Host, families: t.Collection[int], timeout: float, clock: Clock = CLOCK) -> judge.Look:
    def lacking() -> tuple[judge.Look, list[str]]:
        seen = look(host)
        if not seen.ports:
            return seen, ["its ports" if seen.active else f"its ports ({seen.told})"]
        texts: dict[int, list[str]] = {}
        for backend, text in host.rules():
            texts.setdefault(backend.family, []).append(text)
        return seen, [*judge.missing(texts, families), *_unsynced(host, seen)]

    found, _none = wait_until(
        lacking, lambda pair: not pair[1], describe=lambda pair: f"without {', '.join(pair[1])}", thing="kube-proxy",
        wanted="there, with its rules", timeout=timeout, clock=clock,
        remedy="see that no server has disable-kube-proxy, and k3s' log on the host; an agent asks a server when it "
        "starts: restart k3s-agent once more",
    )  # fmt: skip
    return found


def _unsynced(host: Host, seen: judge.Look) -> list[str]:
    """Where its metrics are not where they usually are, its rules have to do."""
    if judge.METRICS not in seen.ports:
        return []
    status, text = _kube_proxys(host, seen, "/metrics")
    return [] if status == 200 and judge.synced(text) else ["a first writing of its rules"]


@dataclass(frozen=True)
class Answer:
    statuses: t.Mapping[str, int]
    by: str

    @property
    def good(self) -> bool:
        return bool(self.by) and all(0 < status < 500 for status in self.statuses.values())


def wait_answered(
    host: Host, addresses: t.Sequence[str], port: int, path: str, wanted_by: str, timeout: float, clock: Clock = CLOCK
) -> Answer:
    """New connections to the node's own addresses. That Cilium did it is believed when it is seen twice in a row: rules
    that are written anew in between count from nothing."""
    before, last = _counts(host, port), ""

    def ask() -> Answer:
        nonlocal before, last
        statuses = {address: host.get(address, port, path)[0] for address in addresses}
        after = _counts(host, port)
        by, former = judge.answered_by(before, after), last
        before, last = after, by
        return Answer(statuses, by if by in (judge.KUBE_PROXY, former) else "")

    return wait_until(
        ask, lambda seen: seen.good and wanted_by in ("", seen.by), timeout=timeout, clock=clock, interval=0.5,
        thing=f"NodePort {port} on this node", wanted=f"answered{f' by {wanted_by}' if wanted_by else ''}",
        describe=lambda seen: judge.describe_answer(seen.statuses, seen.by), remedy=_REMEDIES[wanted_by],
    )  # fmt: skip


_REMEDIES = {
    "": "see the Service's endpoints, and `cilium-dbg service list` in this node's agent",
    judge.CILIUM: "see `cilium-dbg status` and `cilium-dbg service list` in this node's agent: is its replacement on?",
    judge.KUBE_PROXY: "see k3s' log on the host, and that this node's Cilium agent does not replace kube-proxy",
}


def _counts(host: Host, port: int) -> judge.Counts:
    return {
        f"{backend.name} {rule}": packets
        for backend, text in host.rules() for rule, packets in judge.counts(text, port).items()
    }  # fmt: skip


# -- tidying


@dataclass(frozen=True)
class Sweep:
    chains: tuple[str, ...]  # backend, table and name
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    sets: tuple[str, ...]


def plan_sweep(host: Host, router: bool = True) -> Sweep:
    parts = [
        (f"{backend.name} {item.table}", item)
        for backend, text in host.rules() for item in kube_rules.removals(text, router)
    ]  # fmt: skip
    return Sweep(
        tuple(f"{where} {chain}" for where, item in parts for chain in item.chains),
        tuple(f"{where} {chain}" for where, item in parts for chain in item.kept),
        tuple(f"{where} {chain}" for where, item in parts for chain in item.unknown),
        tuple(dict.fromkeys(name for _where, item in parts for name in item.sets)),
    )


def sweep(host: Host, planned: Sweep, router: bool = True, clock: Clock = CLOCK) -> int:
    """How many chains went. Never under a kube-proxy that runs: services would be gone until it wrote them again."""
    if not planned.chains:
        return 0
    seen = settled(host, clock)
    if seen.kube_proxy or seen.elsewhere:
        raise MeshwrightError(
            "kube-proxy", seen=seen.told, wanted="gone before its rules are removed",
            remedy="restart k3s without it first",
        )
    done = host.sweep(router)
    for name in done.sets:
        host.destroy(name)
    return sum(done.removed.values())


# -- for the module


def act(host: Host, wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """What the module answers."""
    actions = {
        "proxyless": _proxyless, "proxied": _proxied, "answered": _answered, "swept": _swept, "forgotten": _forgotten,
    }  # fmt: skip
    return actions.get(wanted["state"], _observed)(host, wanted, check)


def _observed(host: Host, wanted: t.Mapping[str, t.Any], _check: bool) -> dict[str, t.Any]:
    found = observe(host, _services(host, wanted), wanted["health_ports"], wanted["network_policy"])
    seen, server = found.look, host.role == "server"
    return {
        "evidence": evidence(seen),
        "raw": {
            "kube_proxy": seen.kube_proxy, "kube_proxy_elsewhere": seen.elsewhere, "kube_proxy_mode": found.mode,
            "leftovers": found.leftovers, "flows": found.flows, "dead_ports": list(found.dead_ports),
            "active": seen.active, "gone": seen.gone, "files": host.files() if server else {},
            "started": host.started() if server else None,
        },
    }  # fmt: skip


def evidence(seen: judge.Look) -> dict[str, t.Any]:
    return {
        "state": seen.state, "ports": list(seen.ports), "log": seen.log.running, "quiet": round(seen.quiet, 1),
        "told": seen.told,
    }  # fmt: skip


def _proxyless(host: Host, wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    if not check:
        wait_proxyless(host, wanted["timeout"])
    return _observed(host, wanted, check)


def _proxied(host: Host, wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    if not check:
        wait_proxied(host, {network.version for network in _services(host, wanted).networks}, wanted["timeout"])
    return _observed(host, wanted, check)


def _answered(host: Host, wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    if check:
        return {}
    found = wait_answered(
        host, wanted["addresses"], wanted["node_port"], wanted["path"], wanted["wanted_by"] or "", wanted["timeout"]
    )
    return {"answered": dict(found.statuses), "by": found.by}


def _swept(host: Host, wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    planned = plan_sweep(host, wanted["network_policy"])
    removed = len(planned.chains) if check else sweep(host, planned, wanted["network_policy"])
    return {
        "changed": bool(planned.chains), "removed": removed, "kept": list(planned.kept),
        "unknown": list(planned.unknown),
        "diff": {"before": "".join(f"{chain}\n" for chain in planned.chains), "after": ""},
    }  # fmt: skip


def _forgotten(host: Host, wanted: t.Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    flows = host.flows(_services(host, wanted))
    if flows and not check:
        host.forget(flows)
    return {"changed": bool(flows), "removed": len(flows)}


def _services(host: Host, wanted: t.Mapping[str, t.Any]) -> Services:
    return services_of(host, wanted["service_cidrs"], wanted["service_addresses"], wanted["udp_node_ports"])
