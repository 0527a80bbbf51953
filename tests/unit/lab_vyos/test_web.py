"""The server itself, on the loopback address, with TLS."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from vyos import web
from vyos.testing import KEY, Router


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "key", directory / "crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=vyos1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )
    return certificate, key


@pytest.fixture
def url(new: Router, certificate: tuple[Path, Path]) -> Iterator[str]:
    server = web.Server(("::", 0), new.api, web.context(str(certificate[0]), str(certificate[1])))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(url: str, certificate: Path, data: object) -> tuple[int, str, str]:
    body = json.dumps({"key": KEY, **data}).encode() if isinstance(data, dict) else None
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    trust = ssl.create_default_context(cafile=str(certificate))
    try:
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_json_comes_as_html(url: str, certificate: tuple[Path, Path]) -> None:
    status, kind, text = ask(f"{url}/retrieve", certificate[0], {"op": "exists", "path": ["system"]})
    assert (status, kind, json.loads(text)["data"]) == (200, "text/html; charset=utf-8", True)


@pytest.mark.parametrize(("down", "status"), [(True, 502), (503, 503)])
def test_without_the_api_nginx_speaks(
    new: Router, url: str, certificate: tuple[Path, Path], down: object, status: int
) -> None:
    new.faults(down=down)
    found, kind, text = ask(f"{url}/retrieve", certificate[0], {"op": "exists", "path": ["system"]})
    assert (found, kind) == (status, "text/html")
    assert text.startswith("<html>") and str(status) in text


def test_other_paths_and_other_methods(new: Router, url: str, certificate: tuple[Path, Path]) -> None:
    assert ask(f"{url}/nonsense", certificate[0], {"op": "exists", "path": []})[0] == 404
    assert ask(f"{url}/retrieve", certificate[0], None)[0] == 405
    new.device.active.delete(["service", "https", "api", "rest"])  # 1.5 wants it
    assert ask(f"{url}/retrieve", certificate[0], {"op": "exists", "path": []})[0] == 404
