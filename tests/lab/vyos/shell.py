# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of the socket between a login and the device: its shell, and what answers it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import socketserver
import sys
import threading
from pathlib import Path

from vyos.cli import Cli
from vyos.device import Device

SOCKET = Path("/run/meshlab-vyos.sock")


def main() -> int:
    """The terminal's echo stays on; whoever types sees the prompt of the mode that he is in."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(str(SOCKET))
    stream = link.makefile("rw", encoding="utf-8")
    user = pwd.getpwuid(os.getuid()).pw_name
    stream.write(json.dumps({"user": user}) + "\n")
    stream.flush()
    for answer in stream:
        reply = json.loads(answer)
        sys.stdout.write(reply["output"] + reply["prompt"])
        sys.stdout.flush()
        if reply["bye"]:
            break
        line = sys.stdin.readline()
        if not line:
            break
        stream.write(json.dumps({"line": line.rstrip("\r\n")}) + "\n")
        stream.flush()
    return 0


class _Login(socketserver.StreamRequestHandler):
    server: _Logins

    def handle(self) -> None:
        user = json.loads(self.rfile.readline() or b"{}").get("user", "vyos")
        cli = Cli(self.server.device, user)
        self._send("", cli.prompt, False)
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            for asked in self.rfile:
                reply = cli.line(json.loads(asked)["line"])
                self._send(reply.output, reply.prompt, reply.bye)

    def _send(self, output: str, prompt: str, bye: bool) -> None:
        self.wfile.write(json.dumps({"output": output, "prompt": prompt, "bye": bye}).encode() + b"\n")


class _Logins(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, device: Device) -> None:
        self.device = device
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Login)
        path.chmod(0o666)


def serve(device: Device, path: Path = SOCKET) -> socketserver.BaseServer:
    server = _Logins(path, device)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
