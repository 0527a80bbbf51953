"""A host on which FRR checks and runs configurations, many for each call."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

IN_BOX = "/run/frr-cases"
# bgpd waits more than it computes: some at a time.
CHECK = f"""\
check() {{ /usr/lib/frr/bgpd -C -f $1 > ${{1%.text}}.bgpd 2>&1; }}
export -f check
vtysh -C -f {IN_BOX}/all.text > {IN_BOX}/all.vtysh 2>&1; echo $? > {IN_BOX}/all.rc
ls {IN_BOX}/bgpd-*.text | xargs -P 8 -I{{}} bash -c 'check {{}}'
"""


@dataclass(frozen=True)
class Checked:
    code: int
    vtysh: str
    bgpd: Mapping[str, str]


class Box:
    def __init__(self, container: str, environment: Mapping[str, str]) -> None:
        self._container, self._environment = container, dict(environment)

    def run(self, script: str, data: bytes = b"", timeout: float = 300) -> str:
        done = subprocess.run(
            ["podman", "exec", "-i", self._container, "bash", "-c", script],
            input=data, capture_output=True, timeout=timeout, check=False, env=self._environment,
        )  # fmt: skip
        assert not done.returncode, f"{self._container}: {script}: {done.stderr.decode()[-2000:]}"
        return done.stdout.decode()

    def put(self, files: Mapping[str, str]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(text.encode()), 0o644
                archive.addfile(member, io.BytesIO(text.encode()))
        self.run(f"rm -rf {IN_BOX}; mkdir -p {IN_BOX}; tar -xf - -C {IN_BOX}", buffer.getvalue())

    def checked(self, together: str, alone: Sequence[str]) -> Checked:
        """One text by vtysh, which keeps nothing in mind; several by bgpd, which does."""
        self.put({"all.text": together, **{f"bgpd-{number:03}.text": text for number, text in enumerate(alone)}})
        self.run(CHECK)
        told = self.run(f"cd {IN_BOX} && for f in *.bgpd; do echo \"== $f\"; cat $f; done")
        parts = (part.partition("\n") for part in told.split("== ")[1:])
        return Checked(
            int(self.run(f"cat {IN_BOX}/all.rc")), self.run(f"cat {IN_BOX}/all.vtysh"),
            {name: text for name, _, text in parts},
        )  # fmt: skip

    def running(self) -> str:
        return self.run("vtysh -c 'show running-config no-header'")

    def apply(self, text: str) -> str:
        """What FRR says of the lines; nothing where all went well."""
        return self.run("cat > /run/applied; vtysh -f /run/applied 2>&1 || echo \"ended with $?\"", text.encode())
