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
from meshlab.release import PORT

BOOT_SECONDS = 60.0
# Directories on the machine's own filesystem: overlayfs, where the rest of a host lives, cannot lie on overlayfs.
VOLUMES = {"rancher": "/var/lib/rancher", "kubelet": "/var/lib/kubelet"}
# Printed lines are what is wrong; nothing printed means that the host is as a host of the lab must be.
CHECK = """
[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || echo "/sys/fs/bpf is not a BPF filesystem"
[ "$(findmnt -no PROPAGATION /)" = shared ] || echo "mounts of / are not shared"
! grep -F /.. /proc/1/cgroup || echo "systemd is outside of its cgroup namespace"
[ "$(systemctl is-enabled containerd)" = masked ] || echo "Debian's containerd.service is not masked"
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo "net.ipv4.ip_forward is off"
"""


@dataclass(frozen=True)
class Host:
    prefix: str
    hostname: str
    role: str
    ip: str
    ip6: str | None
    data: Path
    seed: Callable[[Path], None]

    @property
    def name(self) -> str:
        """The container's."""
        return f"{self.prefix}-{self.hostname}"

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
            time.sleep(0.1)

    def _not_yet(self) -> str:
        units = ["basic.target", "ssh.service"]
        states = self.run(["systemctl", "is-active", *units], check=False).stdout.split()
        if states != ["active"] * len(units):
            return f"systemd says {states or 'nothing'} of {units}, wanted active"
        if not self.answers(22, b"SSH-"):
            return f"sshd does not answer at {self.ip}:22"
        if self.role == "files" and not self.answers(PORT, b"HTTP/1.1 200", b"GET /healthz HTTP/1.0\r\n\r\n"):
            return f"the file server does not answer at {self.ip}:{PORT}"
        return ""

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
        found = self.run(["/bin/sh", "-c", CHECK], check=False)
        lines = [line for line in (found.stdout + found.stderr).splitlines() if line.strip()]
        if missing := self._not_yet():
            lines.append(missing)
        return [f"{self.name}: {line}" for line in lines]

    # -- what lies on the machine's filesystem

    def prepare(self) -> None:
        for directory in VOLUMES:
            (self.data / directory).mkdir(parents=True, exist_ok=True)

    def seed_images(self) -> None:
        """Give containerd its images again, after /var/lib/rancher was wiped; k3s must not be running."""
        containerd = self.data / "rancher/k3s/agent/containerd"
        if containerd.exists():
            shutil.rmtree(containerd)
        self.seed(self.data / "rancher")
