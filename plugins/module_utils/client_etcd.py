# SPDX-License-Identifier: GPL-3.0-or-later
"""The etcd member of this server, by its JSON gateway and its metrics. Runs on the servers, stdlib only.

k3s: pkg/etcd/etcd.go. Since v1.28 HTTP has a port of its own (2382), before it was the clients' one (2379); metrics and
health are on 2381, without TLS, for the host itself only. On IPv6-first hosts that is ::1 instead of 127.0.0.1.
"""

from __future__ import annotations

import itertools
import json
import re
import ssl
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

TLS = "/var/lib/rancher/k3s/server/tls/etcd"
HOSTS = ("127.0.0.1", "[::1]")
PORTS = (2382, 2379)
METRICS = 2381
TIMEOUT = 5.0

Answer = dict[str, t.Any]

_ACTIVE = re.compile(r'^etcd_network_active_peers\{Local="[0-9a-f]+",Remote="([0-9a-f]+)"\} (\S+)$', re.MULTILINE)


class Etcd:
    """One member, as the host that it runs on sees it."""

    def __init__(self, tls: str = TLS, ports: t.Sequence[int] = PORTS, metrics: int = METRICS) -> None:
        self._tls, self._ports, self._metrics = Path(tls), tuple(ports), metrics

    def members(self) -> Answer:
        """The header and the members as this member knows them, with or without a quorum."""
        return self._post("/v3/cluster/member/list", {"linearizable": False})

    def status(self) -> Answer:
        return self._post("/v3/maintenance/status", {})

    def remove(self, identity: int) -> None:
        self._post("/v3/cluster/member/remove", {"ID": str(identity)})

    def healthy(self) -> bool | None:
        """Whether the member can commit, or None when it cannot be asked."""
        said = self._tell("/health")
        return None if said is None else _says_healthy(said)

    def active_peers(self) -> dict[int, bool] | None:
        """Whether each peer's stream to this member is open, or None when that cannot be asked."""
        said = self._tell("/metrics")
        return None if said is None else read_active_peers(said.decode("utf-8", "replace"))

    def _tell(self, path: str) -> bytes | None:
        """What stands at the port of the metrics, with a good answer or a bad one; None where there is nobody."""
        for host in HOSTS:
            try:
                with urllib.request.urlopen(f"http://{host}:{self._metrics}{path}", timeout=TIMEOUT) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                return bytes(error.read())
            except OSError:
                continue
        return None

    def _post(self, path: str, body: Answer) -> Answer:
        context = self._context()
        said = ""
        for port, host in itertools.product(self._ports, HOSTS):
            request = urllib.request.Request(
                f"https://{host}:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
                    found: Answer = json.loads(answer.read())
                    return found
            except urllib.error.HTTPError as error:
                text = error.read().decode("utf-8", "replace")
                if text.startswith("{"):  # the gateway itself, with an error of etcd's
                    raise MeshwrightError("etcd's answer", seen=f"{error.code} {text[:200].strip()}") from error
                said = f"{error.code} on port {port}"
            except (OSError, ValueError) as error:
                said = said or f"{getattr(error, 'reason', error)} on port {port}"
        raise Unreachable(
            "etcd on this server", seen=f"not answering ({said})", wanted="its JSON gateway on the loopback address",
            remedy="see that k3s is up on the server",
        )

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=str(self._tls / "server-ca.crt"))
            context.load_cert_chain(str(self._tls / "client.crt"), str(self._tls / "client.key"))
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(
                "etcd on this server", seen=f"without readable certificates in {self._tls}",
                wanted="client.crt, client.key and server-ca.crt",
                remedy="start k3s on the server; a cluster on an external database has no etcd",
            ) from error
        return context


def _says_healthy(body: bytes) -> bool | None:
    try:
        return str(json.loads(body)["health"]).lower() == "true"
    except (ValueError, KeyError, TypeError):
        return None


def read_active_peers(metrics: str) -> dict[int, bool]:
    return {int(remote, 16): float(value) > 0 for remote, value in _ACTIVE.findall(metrics)}
