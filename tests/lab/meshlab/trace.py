"""Beginnings and resets of TCP connections as every host sees them: what a lost request is explained by, not guessed.

    with ServiceProbes(lab, "name") as running, Trace(lab) as trace:
        ...
    print(*trace.explained(running.seen.noticed), sep="\n")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from meshlab.host import Host
from meshlab.lab import Lab

UNIT = "meshlab-trace"
FILE = f"/var/tmp/{UNIT}.pcap"
LONGEST = 3600  # seconds
# Headers are enough; IPv6 without extension headers, as Linux sends it.
FILTER = "(tcp[tcpflags] & (tcp-syn|tcp-rst) != 0) or (ip6[6] == 6 and ip6[53] & 6 != 0)"
AROUND = 1.0  # seconds before and after, in which the connection began
_LINE = re.compile(r"^\d+\.\d+ .*?\bIP6? (\S+) > (\S+): Flags \[([A-Z.]+)\]")


class Trace:
    """Runs on all hosts but the file server, until its block ends."""

    def __init__(self, lab: Lab) -> None:
        self._hosts = [host for host in lab.hosts.values() if host.role != "files"]

    def __enter__(self) -> Trace:
        self._everywhere(_start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._everywhere(_stop)

    def _everywhere(self, action: Callable[[Host], None]) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(action, self._hosts))

    def explained(self, failures: Iterable[tuple[float, float, str, str]], most: int = 5) -> list[str]:
        """Each of the first failures, and the packets of all connections that anybody reset about then, by time."""
        found: list[str] = []
        for begin, end, way, why in list(failures)[:most]:
            found.append(f"{way}: {begin:.3f} to {end:.3f}: {why}")
            found += [f"    {line}" for line in self._resets(begin - AROUND, end + AROUND)]
        return found

    def _resets(self, begin: float, end: float) -> list[str]:
        lines = (
            f"{line} at {host.hostname}" for host in self._hosts for line in reset_flows(_read(host, begin, end))
        )
        return sorted(lines)


def _start(host: Host) -> None:
    _stop(host)
    command = ["tcpdump", "-i", "any", "-nn", "-U", "-s", "96", "-Z", "root", "-w", FILE, FILTER]
    host.run(["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", f"--property=RuntimeMaxSec={LONGEST}", *command])


def _stop(host: Host) -> None:
    host.run(["systemctl", "stop", UNIT], check=False)


def _read(host: Host, begin: float, end: float) -> list[str]:
    program = f"tcpdump -nn -tt -r {FILE} 2>/dev/null | awk '$1 >= {begin:.6f} && $1 <= {end:.6f}'"
    return host.run(["sh", "-c", program], timeout=120).stdout.splitlines()


def reset_flows(lines: Iterable[str]) -> list[str]:
    """Of what `tcpdump -tt` prints, the packets of connections of which one is a reset."""
    packets = []
    for line in lines:
        if seen := _LINE.match(line):
            packets.append((frozenset({seen[1], seen[2]}), "R" in seen[3], line))
    doomed = {flow for flow, reset, _line in packets if reset}
    return [line.partition(", options")[0] for flow, _reset, line in packets if flow in doomed]
