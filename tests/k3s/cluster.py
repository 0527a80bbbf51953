"""A host under test and what k3s documents about it: files, ports, commands, API."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshlab.host import Host

from . import onhost
from .wait import Unavailable, until

BINARY = "/usr/local/bin/k3s"
CONFIG = "/etc/rancher/k3s/config.yaml"
DATA = "/var/lib/rancher/k3s"
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
START_SECONDS = 120.0
UNIT = """\
[Unit]
Description=k3s {role}, under test

[Service]
Type=notify
ExecStart={binary} {role} {arguments}
KillMode=process
Delegate=yes
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=2s
"""


@dataclass
class Node:
    """One machine; `role` is the k3s command that it runs."""

    host: Host
    role: str
    _started_at: str = field(default="-1h", repr=False)

    @property
    def name(self) -> str:
        return self.host.hostname

    @property
    def ip(self) -> str:
        return self.host.ip

    @property
    def url(self) -> str:
        return f"https://{self.ip}:6443"

    @property
    def service(self) -> str:
        return "k3s" if self.role == "server" else "k3s-agent"

    # -- the machine

    def run(self, *command: str, timeout: float = 30, check: bool = True) -> str:
        done = self.host.run(list(command), timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise Unavailable(f"{self.name}: `{' '.join(command[:6])}`: {(done.stderr or done.stdout).strip()[-1500:]}")
        return done.stdout

    def succeeds(self, *command: str) -> bool:
        return self.host.run(list(command), check=False).returncode == 0

    def python(self, program: str, *arguments: str, timeout: float = 30) -> str:
        return self.run("python3", "-c", program, *arguments, timeout=timeout)

    def read(self, path: str) -> str:
        return self.run("cat", path)

    def mode(self, path: str) -> str:
        """Permission bits of what the path leads to, as 600."""
        return self.run("stat", "-L", "-c", "%a", path).strip()

    def exists(self, path: str) -> bool:
        return self.succeeds("test", "-e", path)

    def put(self, path: str, content: str | Mapping[str, Any], mode: int = 0o600) -> None:
        self.host.put_text(content if isinstance(content, str) else json.dumps(content, indent=1), path, mode)

    def configure(self, config: Mapping[str, Any]) -> None:
        """The whole configuration: drop-ins of an earlier one go."""
        self.run("rm", "-rf", f"{CONFIG}.d")
        self.put(CONFIG, config)

    def processes(self, text: str) -> set[tuple[str, str]]:
        """Pid and start time of each process with the text in its command line."""
        return {(pid, start) for pid, start in map(str.split, self.python(onhost.PROCESSES, text).splitlines())}

    # -- the service

    def install(self, role: str, arguments: str = "") -> None:
        self.role = role
        self.put(f"/etc/systemd/system/{self.service}.service",
                 UNIT.format(role=role, binary=BINARY, arguments=arguments), 0o644)  # fmt: skip
        self.run("systemctl", "daemon-reload")

    def launch(self) -> None:
        """Start without waiting, for a start that is expected not to end well."""
        self._mark()
        self.run("systemctl", "reset-failed", self.service, check=False)
        self.run("systemctl", "start", "--no-block", self.service)

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start, and wait until k3s tells systemd that it is up."""
        self._systemctl("start", timeout)

    def restart(self, timeout: float = START_SECONDS) -> None:
        self._systemctl("restart", timeout)

    def _systemctl(self, verb: str, timeout: float) -> None:
        self._mark()
        self.run("systemctl", "reset-failed", self.service, check=False)
        try:
            self.run("timeout", str(timeout), "systemctl", verb, self.service, timeout=timeout + 10)
        except Unavailable as error:
            raise AssertionError(f"{error}\n{self.journal()[-2500:]}") from None

    def stop(self) -> None:
        self.run("systemctl", "stop", self.service, timeout=60)

    def state(self) -> str:
        return self.run("systemctl", "is-active", self.service, check=False).strip()

    def wait_active(self, timeout: float = START_SECONDS) -> None:
        """Until a start that somebody else has asked for, or systemd's own next try, is over."""
        try:
            until(f"{self.name}: {self.service} is up", self.state, lambda state: state == "active", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal()[-2500:]}") from None

    def main_pid(self) -> str:
        return self.run("systemctl", "show", "-p", "MainPID", "--value", self.service).strip()

    def _mark(self) -> None:
        self._started_at = self.run("date", "+%F %T.%6N").strip()

    def journal(self, unit: str = "") -> str:
        """What k3s has said since it was last started."""
        since = ("--since", self._started_at)
        return self.run("journalctl", "-u", unit or self.service, "-o", "cat", "--no-pager", *since)

    def wait_said(self, pattern: str, timeout: float, unit: str = "") -> str:
        return until(
            f"{self.name}: k3s says /{pattern}/", lambda: self.journal(unit)[-20000:],
            lambda said: re.search(pattern, said), timeout, 1,
        )  # fmt: skip

    def attempt(self, role: str, config: Mapping[str, Any], pattern: str, timeout: float = 45) -> None:
        """Run k3s beside the service with a configuration that it must refuse for the reason given, then end it."""
        path = "/etc/rancher/k3s/attempt.yaml"
        self.put(path, config)
        self._mark()
        try:
            self.run("systemd-run", "--quiet", "--unit=k3s-attempt", BINARY, role, "--config", path)
            self.wait_said(pattern, timeout, "k3s-attempt")
        finally:
            self.run("systemctl", "stop", "k3s-attempt", check=False)
            self.run("systemctl", "reset-failed", "k3s-attempt", check=False)
            self.run("rm", "-f", path)

    def wipe(self, *paths: str) -> None:
        """As a machine that was set up anew, but for containerd's images."""
        self.run("systemctl", "stop", "k3s", "k3s-agent", check=False, timeout=60)
        self.python(onhost.END_PODS)
        keep = "-not -name containerd -not -name images"
        agent = f"find {DATA}/agent -mindepth 1 -maxdepth 1 {keep} -exec rm -rf {{}} +"
        self.run("/bin/sh", "-c", f"test ! -d {DATA}/agent || {agent}")
        self.run("rm", "-rf", f"{DATA}/server", "/etc/rancher", *paths)

    # -- ports

    def request(self, url: str, **options: Any) -> dict[str, Any]:
        """One request made on the machine itself: {status, body}, or {error} if nothing answers."""
        answer: dict[str, Any] = json.loads(self.python(onhost.REQUEST, json.dumps({"url": url, **options})))
        return answer

    def certificate_is_valid_for(self, name: str) -> bool:
        """Whether the certificate on 6443 names the host, checked against the cluster's own authority."""
        context = ssl.create_default_context(cadata=self.read(f"{DATA}/server/tls/server-ca.crt"))
        try:
            with socket.create_connection((self.ip, 6443), timeout=5) as plain:
                context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError:
            return False
        return True

    # -- the API

    def kubectl(self, *arguments: str, timeout: float = 30) -> str:
        return self.run(BINARY, "kubectl", *arguments, timeout=timeout)

    def get(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def apply(self, *objects: Mapping[str, Any]) -> None:
        path = "/run/k3s-suite-apply.json"
        self.put(path, {"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "-f", path)

    # -- etcd, with the certificates that the documentation names for etcdctl

    def etcd(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        tls = f"{DATA}/server/tls/etcd"
        options = {"ca": f"{tls}/server-ca.crt", "cert": f"{tls}/client.crt", "key": f"{tls}/client.key"}
        answer: dict[str, Any] = {}
        for port in (2382, 2379):  # k3s pull request 8402: HTTP has a port of its own
            answer = self.request(f"https://127.0.0.1:{port}{path}", body=json.dumps(body), **options)
            if answer.get("status") == 200:
                found: dict[str, Any] = json.loads(answer["body"])
                return found
        raise Unavailable(f"{self.name}: etcd answers {answer}")

    def members(self) -> dict[str, bool]:
        """Name of the node of each etcd member, and whether it votes."""
        listed = self.etcd("/v3/cluster/member/list", {})["members"]
        # A member is called after its node, with a random suffix; one that has not started yet has no name.
        return {m.get("name", "").rpartition("-")[0]: not m.get("isLearner", False) for m in listed}
