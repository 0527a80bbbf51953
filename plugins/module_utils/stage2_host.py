# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kube-proxy runs on a host, and which proxy answered: judged from what was read there. Pure, Python 3.9.

kube-proxy runs inside k3s' own process, so there is none to look for. What is relied on instead:

* Ports. It serves its health on 10256 and its metrics on 10249, or where kube-proxy-arg says; they are its own when a
  process of k3s' unit holds them. Cilium may serve 10256 as well, from a pod.
* The log of this run. k3s writes `Running kube-proxy` when it starts it, and it ends when it does (k3s:
  pkg/daemons/agent/agent.go). A log that was lost, or goes to a file, says nothing.
* Time. An agent learns from a server whether it is to run one. Until a server is ready it asks every 5 s, and says
  so (k3s: pkg/agent/config/config.go, KubeProxyDisabled). So silence counts only some time after k3s came up and
  after it last said so: then it was told to run none.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import kube_rules

UNITS = ("k3s", "k3s-agent")
PORTS = frozenset({10249, 10256})
METRICS = 10249
SETTLED = 7.0  # seconds: one more round of asking, and the start of what was asked for
KUBE_PROXY, CILIUM = "kube-proxy", "cilium"

RUNNING, WAITING = "Running kube-proxy ", "Waiting to retrieve kube-proxy configuration"
_CANARY, _SERVICES, _NODE_PORTS = "KUBE-PROXY-CANARY", "KUBE-SERVICES", "KUBE-NODEPORTS"
_SYNCED = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
_BOUND = re.compile(r"(?:healthz|metrics)-bind-address=([^\s\"',\]]+(?:\]:\d+)?)")
_PORT = re.compile(r"(?:\]|^[^:]*):(\d+)$")
_STAMP = re.compile(r"^\[\s*(\d+\.\d+)\]")
_COUNTED = re.compile(r"^\[(\d+):\d+\] -A (\S+) (.*)$")

Sockets = t.Sequence[t.Mapping[str, t.Any]]  # as probe_host tells them
Processes = t.Sequence[t.Mapping[str, t.Any]]
Counts = t.Mapping[str, int]  # packets, by rule


@dataclass(frozen=True)
class Log:
    """What k3s has written since it was started."""

    running: bool = False
    waited: float = 0.0  # the boot's clock when it last waited for a server's word


@dataclass(frozen=True)
class Look:
    """One look at a host."""

    state: str = "active"  # of k3s' unit
    ports: tuple[int, ...] = ()  # of kube-proxy, held by k3s
    elsewhere: str = ""  # the unit of a kube-proxy that is not k3s'
    log: Log = Log()
    quiet: float = 0.0  # seconds since k3s came up, or last waited for a server's word

    @property
    def active(self) -> bool:
        return self.state == "active"

    @property
    def kube_proxy(self) -> bool:
        return bool(self.ports) or (self.log.running and self.state in ("active", "activating", "reloading"))

    @property
    def decided(self) -> bool:
        """It runs, or was not started although there was time."""
        return self.kube_proxy or (self.active and self.quiet >= SETTLED)

    @property
    def gone(self) -> bool:
        return self.decided and not self.kube_proxy

    @property
    def told(self) -> str:
        """What kube-proxy is, for people."""
        if self.elsewhere:
            return f"run by {self.elsewhere}"
        if self.ports:
            return f"serving port {' and '.join(map(str, self.ports))} in k3s"
        if not self.active:
            return f"not to be judged while k3s is {self.state or 'not there'}"
        if self.log.running:
            return "started, as k3s' log says"
        return "gone" if self.decided else f"not to be seen for {max(0.0, self.quiet):.0f} s only"


def look(
    unit: t.Mapping[str, str], now: float, sockets: Sockets, processes: Processes, log: Log,
    texts: t.Iterable[str] = (),
) -> Look:  # fmt: skip
    """`now` is the boot's clock, as systemd's monotonic stamps are; the texts are those of k3s' configuration."""
    ports = PORTS | bound(texts)
    mine = {item["port"] for item in sockets if item["port"] in ports and _is_k3s(item)}
    return Look(
        unit.get("ActiveState", ""), tuple(sorted(mine)), elsewhere(sockets, processes, ports), log,
        now - max(came_up(unit), log.waited),
    )  # fmt: skip


def came_up(unit: t.Mapping[str, str]) -> float:
    return int(unit.get("ActiveEnterTimestampMonotonic") or 0) / 1e6


def _is_k3s(item: t.Mapping[str, t.Any]) -> bool:
    return item["protocol"] == "tcp" and item["unit"] in UNITS


def elsewhere(sockets: Sockets, processes: Processes, ports: t.Collection[int] = PORTS) -> str:
    """The unit of a kube-proxy that somebody else runs; what a pod holds is kube-proxy's only by its name."""
    for process in processes:
        if process["comm"] == KUBE_PROXY and process["unit"] not in UNITS:
            return str(process["unit"] or f"process {process['pid']}")
    for item in sockets:
        foreign = item["pid"] and item["unit"] not in (*UNITS, "pod")
        if foreign and item["protocol"] == "tcp" and item["port"] in ports:
            return str(item["unit"] or item["comm"])
    return ""


def bound(texts: t.Iterable[str]) -> frozenset[int]:
    """Ports that kube-proxy-arg names."""
    addresses = (address for text in texts for address in _BOUND.findall(text))
    return frozenset(int(found.group(1)) for found in map(_PORT.search, addresses) if found)


def log_of(lines: t.Iterable[str]) -> Log:
    """From the journal of one run, with the boot's clock in front of each line."""
    running, waited = False, 0.0
    for line in lines:
        running = running or RUNNING in line
        stamp = _STAMP.match(line)
        if WAITING in line and stamp:
            waited = max(waited, float(stamp.group(1)))
    return Log(running, waited)


# -- its rules


def missing(rules: t.Mapping[int, t.Sequence[str]], families: t.Collection[int] = ()) -> list[str]:
    """What a kube-proxy that works would have, by family; without a family named, one has to have it."""
    found = {family: _missing(texts) for family, texts in rules.items()}
    if not families:
        least = min(found.values(), key=len, default=[f"chains {_SERVICES}, {_CANARY}"])
        return list(least)
    lacking = {family: found.get(family, ["iptables"]) for family in families}
    return [f"{what} (IPv{family})" for family, whats in sorted(lacking.items()) for what in whats]


def _missing(texts: t.Sequence[str]) -> list[str]:
    """In one backend, not here and there."""
    return min((_missing_in(text) for text in texts), key=len, default=["iptables"])


def _missing_in(text: str) -> list[str]:
    tables = {table.name: table for table in kube_rules.parse(text)}
    lacking = [
        f"chain {_CANARY} in {name}" for name in ("mangle", "nat", "filter")
        if name not in tables or _CANARY not in tables[name].chains
    ]  # fmt: skip
    if "nat" not in tables or not any(rule.chain == _SERVICES for rule in tables["nat"].rules):
        lacking.append(f"rules in {_SERVICES}")
    return lacking


def synced(metrics: str) -> bool:
    """Whether this kube-proxy wrote its rules: chains alone may be a former one's."""
    values = [line.rsplit(None, 1)[-1] for line in metrics.splitlines() if line.startswith(_SYNCED)]
    return any(_number(value) > 0 for value in values)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


# -- who answered


def counts(saved: str, port: int) -> Counts:
    """Packets that kube-proxy's rules took for a NodePort, from `iptables-save -c`: the way to KUBE-SVC begins so."""
    found: dict[str, int] = {}
    for line in saved.splitlines():
        rule = _COUNTED.match(line.strip())
        if rule and rule.group(2) == _NODE_PORTS and f" --dport {port} " in f" {rule.group(3)} ":
            found[rule.group(3)] = found.get(rule.group(3), 0) + int(rule.group(1))
    return found


def answered_by(before: Counts, after: Counts) -> str:
    """Empty: rules were written anew meanwhile, and count from nothing again."""
    if any(after.get(rule, 0) > packets for rule, packets in ((rule, before.get(rule, 0)) for rule in after)):
        return KUBE_PROXY
    if any(after.get(rule, -1) < packets for rule, packets in before.items()):
        return ""
    return CILIUM


def describe_answer(statuses: t.Mapping[str, int], by: str) -> str:
    silent = [address for address, status in statuses.items() if not status]
    if silent:
        return f"not answered at {', '.join(silent)}"
    bad = [f"{status} at {address}" for address, status in statuses.items() if status >= 500]
    return f"answered with {', '.join(bad)}" if bad else f"answered by {by or 'somebody, not sure by whom'}"
