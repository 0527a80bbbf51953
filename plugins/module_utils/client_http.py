# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to a router's HTTPS API: JSON out, JSON back, and nobody is told a secret before they are known.

The other side is known by a certificate authority's file, by the SHA-256 fingerprint of its certificate, or, with
neither, by the system's authorities. It is never left unverified. Each request has a connection of its own, so each
one is checked. Runs on the controller; stdlib only. Proxies of the environment are not used.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import ssl
import time
import typing as t
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

CONNECT_TIMEOUT = 5.0
TIMEOUT = 30.0
_LARGEST = 16 * 1024 * 1024
_QUOTED = 200
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Unanswered(Unreachable):
    """The request left and no answer of use came: it may have been carried out or not. Read before repeating it."""


class NotTrusted(MeshwrightError):
    """The other side is not who was expected. Nothing was sent."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: t.Mapping[str, str]  # names in lower case; several with the same name are one, with commas between
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def is_html(self) -> bool:
        """By what it is: some APIs say text/html of JSON."""
        return self.text.lstrip()[:1] == "<"

    @property
    def data(self) -> t.Any:
        """The JSON in it, or None where there is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Https:
    """One API. `secrets` are struck out of everything that is quoted from its answers."""

    def __init__(
        self, url: str, *, host: str = "", name: str = "the API", ca_path: str = "", fingerprint: str = "",
        secrets: t.Iterable[str] = (), timeout: float = TIMEOUT,
    ) -> None:
        self.host, self.name, self.timeout = host, name, timeout
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._address, self._port, self._base = self._split(url)
        self._pin = self._digest(fingerprint)
        self._context = self._trust(ca_path)

    @property
    def where(self) -> str:
        address = f"[{self._address}]" if ":" in self._address else self._address
        return f"{address}:{self._port}"

    def request(
        self, method: str, path: str, *, data: t.Any = None, form: t.Mapping[str, str] | None = None,
        headers: t.Mapping[str, str] | None = None, timeout: float | None = None,
    ) -> Answer:
        """One request with one answer, whatever its status. `data` goes as JSON, `form` as a form."""
        limit = timeout or self.timeout
        sent = {"Accept": "application/json", "Connection": "close", **(headers or {})}
        body = None
        if form is not None:
            body, sent["Content-Type"] = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
        elif data is not None:
            body, sent["Content-Type"] = json.dumps(data).encode(), "application/json"
        end = time.monotonic() + limit
        connection = self._connected()
        try:
            sock = connection.sock  # the answer takes it over, so it is asked for now
            sock.settimeout(limit)
            connection.request(method, self._base + path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, _headers(answer), _read(sock, answer, end))
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(
                f"{self.name} at {self.where}", host=self.host,
                seen=f"silent after {method} {path} ({self.scrub(_reason(error, limit))})", wanted="an answer",
                remedy="see that it is well; whether it did what it was asked is found by reading",
            ) from error
        finally:
            connection.close()

    def json(self, answer: Answer, asked: str) -> t.Any:
        """The JSON of an answer, an error where there is none. `asked` says in a few words what was asked."""
        if answer.data is not None:
            return answer.data
        kind = Unreachable if answer.status >= 500 else MeshwrightError
        raise kind(
            f"the answer of {self.name} at {self.where} to {asked}", host=self.host,
            seen=f"{answer.status} {self.quote(answer)}", wanted="JSON",
            remedy="see that the URL leads to the API and that its service is up",
        )

    def quote(self, answer: Answer) -> str:
        """What an answer says, shortened, without secrets; of a page its title."""
        if not answer.is_html:
            return self.scrub(answer.text)[:_QUOTED].strip() or "(empty)"
        title = _TITLE.search(answer.text)
        return "an HTML page" + (f" ({self.scrub(' '.join(title.group(1).split()))[:_QUOTED]})" if title else "")

    def scrub(self, text: str) -> str:
        """Secrets may come back as they are, inside a JSON string or inside a URL."""
        for secret in self._secrets:
            for form in (secret, json.dumps(secret)[1:-1], urllib.parse.quote_plus(secret)):
                text = text.replace(form, "********")
        return text

    # -- the connection

    def _connected(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._address, self._port, timeout=CONNECT_TIMEOUT, context=self._context
        )
        try:
            connection.connect()
            self._check(_fingerprint(connection))
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise self._not_trusted(error) from error
        except OSError as error:
            connection.close()
            raise self._not_reached(error) from error
        except NotTrusted:
            connection.close()
            raise
        return connection

    def _check(self, seen: str) -> None:
        if self._pin and seen != self._pin:
            raise NotTrusted(
                f"the certificate of {self.name} at {self.where}", host=self.host,
                seen=f"another one (SHA-256 {seen}); nothing was sent to it", wanted=f"SHA-256 {self._pin}",
                remedy="if the certificate was renewed on purpose, read its fingerprint on the device and put it "
                "into the inventory; otherwise find out who answers at this address",
            )

    def _not_trusted(self, error: ssl.SSLCertVerificationError) -> NotTrusted:
        return NotTrusted(
            f"the certificate of {self.name} at {self.where}", host=self.host,
            seen=f"not trusted ({error.verify_message}); its SHA-256 is {self._stranger()}; nothing was sent to it",
            wanted="one that the given or the system's authorities vouch for",
            remedy="give the authority's file, or compare the fingerprint with the device's own and pin it",
        )

    def _not_reached(self, error: OSError) -> Unreachable:
        if isinstance(error, ssl.SSLError):
            seen, remedy = f"not speaking TLS ({error.reason or error})", "see that port and scheme are the API's"
        elif isinstance(error, ConnectionRefusedError):
            seen, remedy = "refusing connections", "see that its service is up and listens on this address"
        elif isinstance(error, socket.gaierror):
            seen, remedy = f"not known by name ({error.strerror})", "see the name in the URL and the resolver"
        else:
            seen = f"not to be reached ({_reason(error, CONNECT_TIMEOUT)})"
            remedy = "see that it is on, and that no firewall is between"
        return Unreachable(
            f"{self.name} at {self.where}", host=self.host, seen=seen, wanted="HTTPS there", remedy=remedy
        )

    def _stranger(self) -> str:
        """The fingerprint of somebody who is not trusted, to be told to the user."""
        connection = http.client.HTTPSConnection(
            self._address, self._port, timeout=CONNECT_TIMEOUT, context=_unchecked()
        )
        try:
            connection.connect()
            return _fingerprint(connection)
        except OSError:
            return "unknown"
        finally:
            connection.close()

    # -- what it is made of

    def _split(self, url: str) -> tuple[str, int, str]:
        wrong = MeshwrightError(
            f"the URL of {self.name}", host=self.host, seen="not of that form", wanted="https://<host>[:<port>]",
            remedy="write scheme and host, and the credentials into their own variables",
        )
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port or 443
        except ValueError:
            raise wrong from None
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise wrong  # not quoted: there may be a password in it
        return parts.hostname, port, parts.path.rstrip("/")

    def _digest(self, fingerprint: str) -> str:
        text = re.sub(r"^sha-?256[:=]", "", fingerprint.strip().lower()).replace(":", "")
        if text and not re.fullmatch(r"[0-9a-f]{64}", text):
            raise MeshwrightError(
                f"the fingerprint for {self.name}", host=self.host, seen=f"{fingerprint!r}",
                wanted="the certificate's SHA-256 in 64 hexadecimal digits, with or without colons",
                remedy="openssl x509 -in <certificate> -noout -fingerprint -sha256",
            )
        return text

    def _trust(self, ca_path: str) -> ssl.SSLContext:
        if self._pin and not ca_path:
            return _unchecked()  # `_check` compares the fingerprint before anything is sent
        path = Path(ca_path).expanduser()
        try:
            return ssl.create_default_context(cafile=str(path) if ca_path else None)
        except (OSError, ssl.SSLError) as error:
            raise MeshwrightError(
                f"the authority's file for {self.name}", host=self.host, seen=f"{path} ({_reason(error, 0)})",
                wanted="a readable file with certificates in PEM",
            ) from error


def _unchecked() -> ssl.SSLContext:
    """For connections whose certificate is looked at afterwards."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _fingerprint(connection: http.client.HTTPSConnection) -> str:
    sock = t.cast("ssl.SSLSocket", connection.sock)
    return hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()


def _read(sock: socket.socket, answer: http.client.HTTPResponse, end: float) -> bytes:
    """The body, within the whole request's time: one that drips would otherwise never end."""
    parts: list[bytes] = []
    size = 0
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise socket.timeout
        sock.settimeout(left)
        part = answer.read1(65536)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            raise http.client.HTTPException(f"more than {_LARGEST} bytes")
    if answer.length:  # what was announced and did not come
        raise http.client.IncompleteRead(b"".join(parts), answer.length)
    return b"".join(parts)


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for key, value in answer.getheaders():
        found.setdefault(key.lower(), []).append(value)
    return {key: ", ".join(values) for key, values in found.items()}


def _reason(error: BaseException, limit: float) -> str:
    if isinstance(error, socket.timeout):
        return f"nothing within {limit:.0f} s"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
