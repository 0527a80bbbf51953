"""The HTTPS client against a server on the loopback: who is trusted, and what is said when it goes wrong."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_http
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Https, NotTrusted, Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

SECRET = 'canary "5ecret" ü'


def pinned(end: t.Any, **more: t.Any) -> Https:
    return Https(end.url, host="udm", name="the gateway", fingerprint=end.certificate.fingerprint, **more)


# -- who is trusted


def test_the_pinned_certificate_is_enough(far: t.Any) -> None:
    end = far.serve(far.reply(200, '{"a": 1}'))
    answer = pinned(end).request("POST", "/x?y=1", data={"b": 2}, headers={"X-Y": "z"})
    assert (answer.status, answer.data) == (200, {"a": 1})
    (method, path, headers, body), = end.seen
    assert (method, path, headers["X-Y"], json.loads(body)) == ("POST", "/x?y=1", "z", {"b": 2})
    assert headers["Content-Type"] == "application/json"


def test_the_fingerprint_is_taken_as_tools_print_it(far: t.Any) -> None:
    end = far.serve(far.reply(200, "{}"))
    text = end.certificate.fingerprint.upper()
    written = "SHA256:" + ":".join(text[i:i + 2] for i in range(0, 64, 2))
    assert Https(end.url, fingerprint=written).request("GET", "/").status == 200


def test_another_certificate_is_told_nothing(far: t.Any, tmp_path: Path) -> None:
    end = far.serve(far.reply(200, "{}"), far.make_certificate(tmp_path, "impostor"))
    https = Https(end.url, host="udm", name="the gateway", fingerprint=far.certificate.fingerprint)
    with pytest.raises(NotTrusted) as caught:
        https.request("POST", "/login", data={"password": SECRET}, headers={"X-API-KEY": SECRET})
    assert end.seen == []
    assert caught.value.host == "udm"
    assert end.certificate.fingerprint in caught.value.seen
    assert far.certificate.fingerprint in caught.value.wanted
    assert "inventory" in caught.value.remedy


def test_an_authority_is_enough(far: t.Any) -> None:
    end = far.serve(far.reply(200, "{}"))
    assert Https(end.url, ca_path=str(end.certificate.path)).request("GET", "/").status == 200


def test_with_neither_the_systems_authorities_decide(far: t.Any) -> None:
    end = far.serve(far.reply(200, "{}"))
    with pytest.raises(NotTrusted, match="not trusted") as caught:
        Https(end.url).request("GET", "/", headers={"X-API-KEY": SECRET})
    assert end.seen == []
    assert end.certificate.fingerprint in str(caught.value)


def test_with_both_both_must_hold(far: t.Any, tmp_path: Path) -> None:
    end = far.serve(far.reply(200, "{}"))
    other = far.make_certificate(tmp_path, "other")
    for ca, pin in ((end.certificate.path, other.fingerprint), (other.path, end.certificate.fingerprint)):
        with pytest.raises(NotTrusted):
            Https(end.url, ca_path=str(ca), fingerprint=pin).request("GET", "/")
    assert end.seen == []


def test_a_certificate_for_another_name_is_refused(far: t.Any, tmp_path: Path) -> None:
    end = far.serve(far.reply(200, "{}"), far.make_certificate(tmp_path, "elsewhere", "192.0.2.9"))
    with pytest.raises(NotTrusted, match="mismatch"):
        Https(end.url, ca_path=str(end.certificate.path)).request("GET", "/")
    assert end.seen == []


# -- what it is given


@pytest.mark.parametrize("url", [
    "http://192.0.2.1", "192.0.2.1", "https://", f"https://user:{SECRET}@192.0.2.1", "https://192.0.2.1:port",
    "https://[2001:db8::1", "https://192.0.2.1/?key=canary",
])
def test_a_wrong_url_is_not_quoted(url: str) -> None:
    with pytest.raises(MeshwrightError, match="https://<host>") as caught:
        Https(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["12", "g" * 64, "ab:" * 20])
def test_a_wrong_fingerprint(text: str) -> None:
    with pytest.raises(MeshwrightError, match="64 hexadecimal digits"):
        Https("https://192.0.2.1", fingerprint=text)


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MeshwrightError, match="No such file"):
        Https("https://192.0.2.1", ca_path=str(tmp_path / "no.pem"))
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(MeshwrightError, match="certificates in PEM"):
        Https("https://192.0.2.1", ca_path=str(tmp_path / "empty.pem"))


def test_an_ipv6_address_is_told_in_brackets() -> None:
    assert Https("https://[2001:db8::1]:8443/base/").where == "[2001:db8::1]:8443"


def test_a_form(far: t.Any) -> None:
    end = far.serve(far.reply(200, "{}"))
    pinned(end).request("POST", "/retrieve", form={"key": "a b", "data": "{}"})
    _, _, headers, body = end.seen[0]
    assert (headers["Content-Type"], body) == ("application/x-www-form-urlencoded", b"key=a+b&data=%7B%7D")


# -- what goes wrong on the way


def test_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port} is refusing connections") as caught:
            Https(f"https://127.0.0.1:{port}").request("GET", "/")
        assert not isinstance(caught.value, Unanswered)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(Unreachable, match="not known by name"):
        Https("https://gateway.invalid").request("GET", "/")


@contextlib.contextmanager
def raw(answer: t.Callable[[socket.socket], None]) -> t.Iterator[int]:
    """A TCP server for one connection after the other that does not speak TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    answer(listening.accept()[0])

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_plain_http() -> None:
    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with raw(answer) as port, pytest.raises(Unreachable, match="not speaking TLS"):
        Https(f"https://127.0.0.1:{port}").request("GET", "/")


def test_nobody_speaks_after_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_http, "CONNECT_TIMEOUT", 0.1)
    held: list[socket.socket] = []
    with raw(held.append) as port, pytest.raises(Unreachable, match="nothing within") as caught:
        Https(f"https://127.0.0.1:{port}").request("GET", "/")
    assert not isinstance(caught.value, Unanswered)  # nothing was asked


def test_no_answer_in_time_may_have_been_carried_out(far: t.Any) -> None:
    done = threading.Event()
    end = far.serve(lambda _request: done.wait(5))
    with pytest.raises(Unanswered, match=r"silent after POST /x \(nothing within 0 s\)") as caught:
        pinned(end, secrets=[SECRET]).request("POST", "/x", data=SECRET, timeout=0.2)
    done.set()
    assert len(end.seen) == 1
    assert "by reading" in caught.value.remedy


def test_an_answer_that_drips_ends_with_the_time(far: t.Any) -> None:
    def drip(request: t.Any) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                request.wfile.write(b" ")
                time.sleep(0.02)

    started = time.monotonic()
    with pytest.raises(Unanswered):
        pinned(far.serve(drip)).request("GET", "/", timeout=0.3)
    assert time.monotonic() - started < 1


def test_an_answer_cut_short(far: t.Any) -> None:
    def cut(request: t.Any) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b'{"a": ')

    with pytest.raises(Unanswered, match="IncompleteRead"):
        pinned(far.serve(cut)).request("GET", "/")


def test_a_connection_that_ends_without_an_answer(far: t.Any) -> None:
    with pytest.raises(Unanswered):
        pinned(far.serve(lambda _request: None)).request("GET", "/")


# -- what is in the answers


def test_a_page_instead_of_json(far: t.Any) -> None:
    page = f"<html><head><title>502 Bad\n Gateway {SECRET}</title></head><body>{'x' * 5000}</body></html>"
    end = far.serve(far.reply(502, page, "text/html"))
    https = pinned(end, secrets=[SECRET])
    with pytest.raises(Unreachable, match=r"502 an HTML page \(502 Bad Gateway \*\*\*\*\*\*\*\*\)") as caught:
        https.json(https.request("GET", "/x"), "GET /x")
    assert len(str(caught.value)) < 500


def test_a_page_with_a_good_status_is_not_worth_another_look(far: t.Any) -> None:
    https = pinned(far.serve(far.reply(200, "<!doctype html>", "text/html")))
    with pytest.raises(MeshwrightError, match="200 an HTML page") as caught:
        https.json(https.request("GET", "/x"), "GET /x")
    assert not isinstance(caught.value, Unreachable)


def test_json_that_says_it_is_html(far: t.Any) -> None:
    https = pinned(far.serve(far.reply(200, '{"success": true}', "text/html")))
    assert https.json(https.request("GET", "/x"), "GET /x") == {"success": True}


def test_secrets_are_struck_out_in_every_spelling(far: t.Any) -> None:
    end = far.serve(far.reply(400, "{}"))
    https = pinned(end, secrets=[SECRET, "", "canary"])
    for echoed in (SECRET, json.dumps({"e": SECRET}), "a=canary+%225ecret%22+%C3%BC", "say canary"):
        assert "5ecret" not in https.scrub(echoed)
        assert "canary" not in https.scrub(echoed)
