# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS in front of the API, with the face that nginx shows when the API behind it is not there."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import typing as t
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vyos.api import ENDPOINTS, Api

LIMIT = 1024 * 1024  # nginx' client_max_body_size


class Server(ThreadingHTTPServer):
    """Both families on one socket where the host has both."""

    daemon_threads = True
    allow_reuse_address = True
    address_family = socket.AF_INET6

    def __init__(self, address: tuple[str, int], api: Api | None, context: ssl.SSLContext | None) -> None:
        self.api, self.context = api, context
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """The handshake is made by the thread of the connection: a silent client keeps nobody else waiting."""
        connection, address = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients that hang up are no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    timeout = 120

    def do_GET(self) -> None:
        if self.path in ENDPOINTS:
            self._send(405, '{"detail":"Method Not Allowed"}', "application/json")
        else:
            self._page(404)

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > LIMIT:
            self.close_connection = True
            self._page(413)
            return
        body, api = self.rfile.read(size), self.server.api
        if api is None:  # not yet
            self._page(502)
            return
        time.sleep(float(api.device.faults.get("slow") or 0))
        down = api.device.faults.get("down")
        if down:
            self._page(down if down in (502, 503, 504) else 502)
        elif self.path not in ENDPOINTS or not _enabled(api):
            self._page(404)
        else:
            answer = api.answer(self.path, self.headers.get("Content-Type", ""), body)
            if answer.cut:
                self.close_connection = True
                self.connection.close()
            else:
                self._send(answer.status, answer.text, "text/html; charset=utf-8")

    def _page(self, status: int) -> None:
        title = f"{status} {HTTPStatus(status).phrase}"
        inside = f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n{inside}\r\n</body>\r\n</html>\r\n"
        self._send(status, page, "text/html")

    def _send(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        """The request line only, which holds no secret."""
        print(f"https {self.client_address[0]} {format % args}", flush=True)


def _enabled(api: Api) -> bool:
    """1.5 wants the REST part switched on by its own node."""
    return api.device.version != "1.5" or api.device.active.exists(("service", "https", "api", "rest"))


def context(certificate: str, key: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    return made
