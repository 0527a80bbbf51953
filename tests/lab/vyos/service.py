# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the router: the device, its HTTPS API, its logins."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import typing as t
from pathlib import Path

from vyos import initial, shell, web
from vyos.api import Api
from vyos.device import Device
from vyos.frr import Frr

STATE = Path("/var/lib/meshlab/vyos")
BOOTED = Path("/run/meshlab-vyos.booted")  # gone after a boot
LOGIN_SHELL = Path("/usr/local/bin/vbash")
USER = "vyos"
ROOTS_KEYS = (Path("/etc/meshlab/authorized_keys"), Path("/root/.ssh/authorized_keys"))
SSHD = Path("/etc/ssh/sshd_config.d/vyos.conf")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    env = dict(os.environ)
    env.setdefault("VYOS_HOSTNAME", socket.gethostname())
    context = web.context(env["TLS_CERT"], env["TLS_KEY"])
    server = web.Server(("::", int(env.get("VYOS_PORT", "443"))), None, context)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    frr = Frr()
    frr.wait()
    device = Device(env.get("VYOS_VERSION", "1.5"), STATE, frr)
    device.start(lambda: initial.config(device.spec, device.version, env), booted=not BOOTED.exists())
    BOOTED.touch()
    login(env)
    shell.serve(device)
    server.api = Api(device)
    print(f"VyOS stand-in {device.version} on port {server.server_port}", flush=True)
    serving.join()
    return 0


def login(env: t.Mapping[str, str]) -> None:
    """The user of the command line, let in by the keys that root is let in by."""
    program = Path(__file__).resolve().parent
    LOGIN_SHELL.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exec /bin/bash "$@"\nexec python3 {program} shell\n'
    )
    LOGIN_SHELL.chmod(0o755)
    if subprocess.run(["id", USER], capture_output=True, check=False).returncode:
        subprocess.run(["useradd", "--create-home", "--shell", str(LOGIN_SHELL), "--password", "*", USER], check=True)
    if env.get("VYOS_PASSWORD"):
        subprocess.run(["chpasswd"], input=f"{USER}:{env['VYOS_PASSWORD']}\n", text=True, check=True)
    let_in()


def let_in() -> None:
    """Keys of the user's own, which sshd reads as the user: root's may be where only root reads."""
    keys = next((path for path in ROOTS_KEYS if path.exists()), None)
    if not keys:
        return
    target = Path(f"/home/{USER}/.ssh/authorized_keys")
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.write_text(keys.read_text())
    target.chmod(0o600)
    for path in (target.parent, target):
        shutil.chown(path, USER, USER)
    wanted = f"Match User {USER}\n    AuthorizedKeysFile .ssh/authorized_keys\n"
    if not SSHD.exists() or SSHD.read_text() != wanted:
        SSHD.write_text(wanted)
        subprocess.run(["systemctl", "reload", "ssh"], check=True)
