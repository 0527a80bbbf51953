"""What tests of several kinds share: a far end on the loopback, HTTPS, with answers as the test has them."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ipaddress
import json
import ssl
import threading
import typing as t
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from turned import Turned
from unifi.accounts import Accounts
from unifi.api import Api
from unifi.faults import Faults
from unifi.server import Server as UnifiServer
from unifi.state import State

Handler = t.Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Certificate:
    path: Path
    key: Path
    fingerprint: str


def make_certificate(directory: Path, name: str = "far-end", address: str = "127.0.0.1") -> Certificate:
    """Self-signed, so that it is its own authority too."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(directory / f"{name}.crt", directory / f"{name}.key", hashlib.sha256(
        made.public_bytes(serialization.Encoding.DER)
    ).hexdigest())
    files.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))
    return files


@dataclass
class FarEnd:
    """`seen` are the requests that came through TLS: method, path, headers, body."""

    url: str
    certificate: Certificate
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


class Server:
    """with Server(certificate, handler) as far: … — `handler` answers each request."""

    def __init__(self, certificate: Certificate, handler: Handler) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key)
        self.far = FarEnd("", certificate)
        seen = self.far.seen

        class Answering(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen.append((self.command, self.path, dict(self.headers), body))
                handler(self)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._server.daemon_threads = True
        # The handshake is each connection's own matter: one that fails must not stop the server.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        self.far.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> FarEnd:
        self._thread.start()
        return self.far

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def reply(
    status: int, body: str, kind: str = "application/json", headers: t.Mapping[str, str] | None = None
) -> Handler:
    """A handler with one fixed answer."""
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body.encode())))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body.encode())

    return answer


class Far:
    """What a test gets: `serve` for a server that lives as long as the test, and what to give it."""

    reply = staticmethod(reply)
    make_certificate = staticmethod(make_certificate)

    def __init__(self, certificate: Certificate, stack: ExitStack) -> None:
        self.certificate, self._stack = certificate, stack

    def serve(self, handler: Handler, certificate: Certificate | None = None) -> FarEnd:
        return self._stack.enter_context(Server(certificate or self.certificate, handler))


@pytest.fixture(scope="session")
def far_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("far"))


@pytest.fixture
def far(far_certificate: Certificate) -> t.Iterator[Far]:
    with ExitStack() as stack:
        yield Far(far_certificate, stack)


class UnifiApplication(Turned):
    """The lab's stand-in as a server. It is the clock of both ends, which turns only when somebody sleeps."""

    KEY, USERNAME, PASSWORD = "canary-key-0123", "admin", 'canary "password" ä'

    def __init__(self, directory: Path, certificate: Certificate) -> None:
        self.directory, self.certificate = directory, certificate
        self.state = State(directory)
        self.provisioned: list[dict[str, t.Any] | None] = []
        accounts = Accounts(self.KEY, self.USERNAME, self.PASSWORD, clock=self.now)
        faults = Faults(directory / "faults.json")
        self._api = Api(self.state, accounts, faults, self.provisioned.append, sleep=self.sleep)
        self._server = UnifiServer(("127.0.0.1", 0), certificate.path, certificate.key, self._api.answer)
        self._server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def fault(self, *faults: dict[str, t.Any]) -> None:
        (self.directory / "faults.json").write_text(json.dumps(faults))

    def networks(self, *prefixes: str) -> None:
        found = [{"name": prefix, "purpose": "corporate", "ip_subnet": prefix} for prefix in prefixes]
        (self.directory / "networks.json").write_text(json.dumps(found))

    def __enter__(self) -> UnifiApplication:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def unifi_app(tmp_path: Path, far_certificate: Certificate) -> t.Iterator[UnifiApplication]:
    with UnifiApplication(tmp_path / "unifi", far_certificate) as app:
        yield app
