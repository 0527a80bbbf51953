"""Serve a directory over HTTP to many clients at once, and answer /healthz.

The backlog is deep because the clients of a test come all at once while the machine may be busy compiling BPF.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import socket


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # with IPV6_V6ONLY off it takes IPv4 as well
    request_queue_size = 1024
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path != "/healthz":
            super().do_GET()
            return
        # Who asked: shows whether the source was masqueraded.
        body = f"{self.client_address[0].removeprefix('::ffff:')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the journal would hold a line for every probe."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    Server(("::", options.port), functools.partial(Handler, directory=options.root)).serve_forever()


if __name__ == "__main__":
    main()
