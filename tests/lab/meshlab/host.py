"""One host of a lab: a container with systemd, seen as a machine."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshlab import podman
from meshlab.errors import LabError
from meshlab.network import Port
from meshlab.release import PORT
from meshlab.topology import NODES, ROUTERS

BOOT_SECONDS = 120.0
# Directories on the machine's own filesystem: overlayfs, where the rest of a host lives, cannot lie on overlayfs.
VOLUMES = {"rancher": "/var/lib/rancher", "kubelet": "/var/lib/kubelet"}
# Programs that take the place of a router's own API, by the host's role.
STANDINS = Path(__file__).parent.parent
API_PORT = 443
# Printed lines are what is wrong; nothing printed means that the host is as a host of the lab must be.
CHECK = """
! grep -F /.. /proc/1/cgroup || echo "systemd is outside of its cgroup namespace"
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo "net.ipv4.ip_forward is off"
"""
NODE_CHECK = """
[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || echo "/sys/fs/bpf is not a BPF filesystem"
[ "$(findmnt -no PROPAGATION /)" = shared ] || echo "mounts of / are not shared"
[ "$(systemctl is-enabled containerd)" = masked ] || echo "Debian's containerd.service is not masked"
"""
ROUTER_CHECK = """
[ "$(cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ] || echo "net.ipv6.conf.all.forwarding is off"
"""
PORT_CHECK = """
has=$(ip -o address show dev {interface} scope global | awk '{{print $4}}' | cut -d/ -f1 | xargs)
[ "$has" = "{wanted}" ] || echo "{interface} has addresses ${{has:-none}}, wanted {wanted}"
"""
GATEWAY_CHECK = """
has=$({{ ip -4 route show default; ip -6 route show default; }} | cut -d' ' -f3 | xargs)
[ "$has" = "{wanted}" ] || echo "default gateways are ${{has:-none}}, wanted {shown}"
"""
NO_IPV4_CHECK = """
has=$(ip -4 -o address show | awk '$2 != "lo" {print $2, $4}' | xargs)
[ -z "$has" ] || echo "has IPv4 addresses: $has"
"""


@dataclass(frozen=True)
class Host:
    prefix: str
    hostname: str
    role: str
    ports: tuple[Port, ...]
    gateways: tuple[str, ...] | None  # None: whatever podman gives
    data: Path
    seed: Callable[[Path], None]

    @property
    def name(self) -> str:
        """The container's."""
        return f"{self.prefix}-{self.hostname}"

    @property
    def ip(self) -> str:
        """Where the host is reached: the first address of its first interface."""
        return self.ports[0].addresses[0]

    @property
    def ip6(self) -> str | None:
        return self.ports[0].ip6

    @property
    def outside_ip(self) -> str:
        """The address on the far side of the routers, of a router or a client."""
        return self.ports[-1].addresses[0]

    @property
    def is_router(self) -> bool:
        return self.role in ROUTERS

    @property
    def image(self) -> str:
        """The kind of image that it is made from."""
        return "router" if self.is_router or self.role == "client" else "node"

    @property
    def standin(self) -> Path | None:
        directory = STANDINS / self.role
        return directory if self.is_router and (directory / "__main__.py").exists() else None

    # -- commands and files

    def run(
        self,
        command: Sequence[str],
        timeout: float | None = 60,
        check: bool = True,
        stdin: str | Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        arguments = ["exec", *(["--interactive"] if stdin is not None else []), self.name, *command]
        return podman.run(arguments, timeout, check, stdin)

    def put(self, local: Path, remote: str, mode: int = 0o644) -> None:
        """Write beside and rename, so that a program that runs can be replaced."""
        self._write(Path(local), remote, mode)

    def put_text(self, text: str, remote: str, mode: int = 0o644) -> None:
        self._write(text, remote, mode)

    def _write(self, content: Path | str, remote: str, mode: int) -> None:
        target = Path(remote)
        directory, scratch = shlex.quote(str(target.parent)), shlex.quote(f"{remote}.new")
        script = (
            f"mkdir -p {directory} && rm -f {scratch} && (umask 077; cat > {scratch}) && "
            f"chmod {mode:o} {scratch} && mv -fT {scratch} {shlex.quote(remote)}"
        )
        self.run(["/bin/sh", "-c", script], timeout=300, stdin=content)

    # -- life

    @property
    def running(self) -> bool:
        shown = podman.run(["inspect", "--format", "{{.State.Running}}", self.name], check=False)
        return shown.stdout.strip() == "true"

    def kill(self) -> None:
        """The power cord: nothing on the host gets a chance to end in order."""
        podman.run(["kill", self.name])
        podman.run(["wait", self.name])

    def start(self) -> None:
        """Power on, and wait until the host can be reached."""
        podman.run(["start", self.name])
        self.wait_booted()

    def wait_booted(self, seconds: float = BOOT_SECONDS) -> None:
        """Wait for what makes a host reachable, not for all units: k3s may need servers that are not on yet."""
        deadline = time.monotonic() + seconds
        while missing := self._not_yet():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: after {seconds:.0f} s {missing}")
            time.sleep(0.2)

    def _not_yet(self) -> str:
        """What is still missing. Ports come first: podman's exec is too dear to be asked over and over."""
        if not self.answers(22, b"SSH-"):
            return f"sshd does not answer at {self.ip}:22"
        if self.role == "files" and not self.answers(PORT, b"HTTP/1.1 200", b"GET /healthz HTTP/1.0\r\n\r\n"):
            return f"the file server does not answer at {self.ip}:{PORT}"
        if self.standin is not None and not self.answers(API_PORT, b""):
            return f"the stand-in for the API does not listen at {self.ip}:{API_PORT}"
        units = ["basic.target", "ssh.service", *(["frr.service"] if self.image == "router" else [])]
        states = self.run(["systemctl", "is-active", *units], check=False).stdout.split()
        # A unit that reloads is up: a stand-in hands FRR its configuration just after the boot.
        if len(states) == len(units) and set(states) <= {"active", "reloading"}:
            return ""
        return f"systemd says {states or 'nothing'} of {units}, wanted active"

    def answers(self, port: int, expected: bytes, request: bytes = b"") -> bool:
        """Whether the answer on this port, to nothing or to a request, begins as expected."""
        try:
            with socket.create_connection((self.ip, port), timeout=2) as connection:
                connection.sendall(request)
                return connection.recv(len(expected)) == expected
        except OSError:
            return False

    def problems(self) -> list[str]:
        """What differs from a host of the lab as it must be, one sentence each."""
        found = self.run(["/bin/sh", "-c", self.check_script()], check=False)
        lines = [line for line in (found.stdout + found.stderr).splitlines() if line.strip()]
        if missing := self._not_yet():
            lines.append(missing)
        return [f"{self.name}: {line}" for line in lines]

    def check_script(self) -> str:
        parts = [CHECK]
        if self.is_router:
            parts.append(ROUTER_CHECK)
        elif self.image == "node":
            parts.append(NODE_CHECK)
        for port in self.ports:
            parts.append(PORT_CHECK.format(interface=port.interface, wanted=" ".join(port.addresses)))
        if self.gateways is not None:
            wanted = " ".join(self.gateways)
            parts.append(GATEWAY_CHECK.format(wanted=wanted, shown=wanted or "none"))
        if not any(port.ip4 for port in self.ports):
            parts.append(NO_IPV4_CHECK)
        return "".join(parts)

    # -- what lies on the machine's filesystem

    @property
    def volumes(self) -> dict[Path, str]:
        """Writable directories with their mount points; only nodes have any."""
        return {self.data / name: path for name, path in VOLUMES.items()} if self.role in NODES else {}

    def prepare(self) -> None:
        for directory in self.volumes:
            directory.mkdir(parents=True, exist_ok=True)

    def seed_images(self) -> None:
        """Give containerd its images again, after /var/lib/rancher was wiped; k3s must not be running."""
        containerd = self.data / "rancher/k3s/agent/containerd"
        if containerd.exists():
            shutil.rmtree(containerd)
        self.seed(self.data / "rancher")
