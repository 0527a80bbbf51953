"""Planted secrets appear in no output at -vvv, no diff, no process argument and no file wider than 0600."""

from __future__ import annotations

import json
import subprocess
import threading

import pytest
from conftest import site
from meshlab.lab import Lab

pytestmark = pytest.mark.usefixtures("whole_cluster")

SEARCH = r"""
cat > /run/canary.py <<'EOF'
import os, sys
needles = [needle.encode() for needle in sys.stdin.read().split()]
k3s = "/var/lib/rancher/k3s/"
for base in ("/etc", "/usr/local", "/run", "/tmp", "/root", "/var/log", k3s + "server", k3s + "agent"):
    for folder, folders, files in os.walk(base):
        if folder.endswith(("/containerd", "/db/etcd")):
            folders[:] = []
            continue
        for name in files:
            path = os.path.join(folder, name)
            try:
                info = os.lstat(path)
                if not (info.st_mode & 0o170000) == 0o100000 or info.st_size > 4 << 20:
                    continue
                data = open(path, "rb").read()
            except OSError:
                continue
            if info.st_mode & 0o077 and any(needle in data for needle in needles):
                print(oct(info.st_mode & 0o777), path)
EOF
python3 /run/canary.py; rm /run/canary.py
"""


class Arguments:
    """Samples the command lines of all processes of this machine, the lab's hosts among them."""

    def __init__(self, needles: list[str]) -> None:
        self.needles = needles
        self.found: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Arguments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            shown = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=False).stdout
            self.found |= {line[:80] for line in shown.splitlines() if any(needle in line for needle in self.needles)}


def test_canaries_are_nowhere(lab: Lab) -> None:
    variables = json.loads(lab.paths.inventory.read_text())["all"]["vars"]
    secrets = {key: value for key, value in variables.items() if "token" in key}
    assert len(secrets) >= 2, "the lab has a token and an agent token at least"
    login = {"username": "u", "password": "canary-registry-pw-77"}
    setting = {"k3s_registries": {"configs": {"registry.lab.test": {"auth": login}}}}
    needles = [*secrets.values(), login["password"]]
    extra = lab.paths.root / "canary-vars.json"
    extra.touch(mode=0o600)
    extra.write_text(json.dumps(setting))
    try:
        with Arguments(needles) as arguments:
            dry = site("-vvv", "--check", "--diff", "--extra-vars", f"@{extra}").succeeded()
            real = site("-vvv", "--diff", "--extra-vars", f"@{extra}").succeeded()
        for run in (dry, real):
            shown = [line for line in run.output.splitlines() if any(needle in line for needle in needles)]
            assert not shown, f"{len(shown)} lines of the output show a secret"
        assert arguments.found == set()
        for name, host in lab.hosts.items():
            if host.role in ("server", "agent"):
                found = host.run(["sh", "-c", SEARCH], stdin="\n".join(needles)).stdout
                assert found == "", f"{name}: secrets in files that others may read:\n{found}"
    finally:
        extra.unlink()
        site().succeeded()
