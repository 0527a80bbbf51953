"""HTTPS in front of the API."""

from __future__ import annotations

import http.server
import socket
import socketserver
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

from unifi.wire import Answer, Request

Handler = Callable[[Request], Answer]


class Server(http.server.ThreadingHTTPServer):
    """Each connection shakes hands in its own thread, so that one that does not cannot stop the others."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], certificate: Path, key: Path, handler: Handler) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.handler = handler
        super().__init__(address, _Answering)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)  # HTTPServer's would ask the DNS for a name
        self.server_name, self.server_port = "unifi", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        print(f"{client_address}: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


class _Answering(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "nginx", ""
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        given = self.server.handler(Request(self.command, self.path, headers, body))
        if given.cut:
            self.close_connection = True
            return
        self.send_response(given.status)
        headers = {"Content-Type": given.kind, "Content-Length": str(len(given.body)), **given.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(given.body)

    do_GET = do_POST = do_PUT = do_DELETE = _serve
