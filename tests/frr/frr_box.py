"""A container in which FRR checks and runs configurations, many for each call."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import dataclass

IN_BOX = "/run/frr-cases"
# Checks wait more than they compute: all at once, a few at a time.
CHECK = """\
check() { d=$1
  vtysh -C -f $d/text > $d/vtysh 2>&1; echo $? > $d/rc
  /usr/lib/frr/bgpd -C -f $d/text > $d/bgpd 2>&1
}
export -f check
ls -d %s/*/ | xargs -P 8 -I{} bash -c 'check {}'
"""


@dataclass(frozen=True)
class Checked:
    code: int
    vtysh: str
    bgpd: str


class Box:
    """`container` runs FRR; `podman` is the command with which it is reached."""

    def __init__(self, podman: tuple[str, ...], container: str) -> None:
        self._podman, self._container = podman, container

    def run(self, script: str, data: bytes = b"", timeout: float = 300) -> bytes:
        done = subprocess.run(
            [*self._podman, "exec", "-i", self._container, "bash", "-c", script],
            input=data, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"in {self._container}: {script}: {done.returncode} {done.stderr.decode()[-2000:]}")
        return done.stdout

    def put(self, files: dict[str, str]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(text.encode()), 0o644
                archive.addfile(member, io.BytesIO(text.encode()))
        self.run(f"rm -rf {IN_BOX}; mkdir -p {IN_BOX}; tar -xf - -C {IN_BOX}", buffer.getvalue())

    def get(self) -> dict[str, str]:
        packed = self.run(f"tar -cf - -C {IN_BOX} .")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            found = {}
            for member in archive.getmembers():
                content = archive.extractfile(member)
                if content is not None:
                    found[member.name.removeprefix("./")] = content.read().decode()
        return found

    def checked(self, texts: list[str]) -> list[Checked]:
        self.put({f"{number:04}/text": text for number, text in enumerate(texts)})
        self.run(CHECK % IN_BOX)
        told = self.get()
        return [
            Checked(int(told[f"{n:04}/rc"]), told[f"{n:04}/vtysh"], told[f"{n:04}/bgpd"]) for n in range(len(texts))
        ]

    def running(self) -> str:
        return self.run("vtysh -c 'show running-config no-header'").decode()

    def apply(self, text: str) -> str:
        """What vtysh says of the lines; nothing where all went well."""
        return self.run("cat > /run/applied; vtysh -f /run/applied 2>&1; code=$?; [ $code = 0 ] || echo \"rc $code\"",
                        text.encode()).decode()  # fmt: skip

    def json(self, command: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run(f"vtysh -c '{command}'"))
        return found
