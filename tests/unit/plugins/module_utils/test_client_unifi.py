"""The client of the UniFi application against the lab's stand-in for it, served on the loopback."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Https, Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_unifi import (
    Credentials,
    Network,
    Stored,
    Unifi,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

KEY, PASSWORD = "canary-key-0123", 'canary "password" ä'  # those of the fixture
FILE = Stored("router bgp 64512\n neighbor G password canary-md5\n", "MW-HOME.conf", "mine", True)
BY_KEY, BY_LOGIN = Credentials(api_key=KEY), Credentials(username="admin", password=PASSWORD)


@pytest.fixture
def app(unifi_app: t.Any) -> t.Any:
    return unifi_app


def client(app: t.Any, who: Credentials = BY_KEY, site: str = "default") -> Unifi:
    https = Https(
        app.url, host="udm", name="the UniFi application", fingerprint=app.certificate.fingerprint,
        secrets=[KEY, PASSWORD, "canary-md5"],
    )
    return Unifi(https, site, who, clock=app)


@pytest.mark.parametrize("who", [BY_KEY, BY_LOGIN], ids=["key", "login"])
def test_there_and_back(app: t.Any, who: Credentials) -> None:
    unifi = client(app, who)
    assert unifi.bgp() is None
    unifi.write(FILE)
    assert unifi.bgp() == FILE
    unifi.write(Stored("other\n", "b.conf", "", False))
    assert unifi.bgp() == Stored("other\n", "b.conf", "", False)
    unifi.remove()
    assert unifi.bgp() is None
    assert unifi.notes == []


def test_networks_that_the_gateway_routes(app: t.Any) -> None:
    (app.directory / "networks.json").write_text(json.dumps([
        {"name": "a", "purpose": "corporate", "ip_subnet": "192.0.2.1/24", "ipv6_subnet": "2001:db8:20::1/64"},
        {"name": "vlan", "purpose": "vlan-only"},
        {"name": "wan", "purpose": "wan", "ip_subnet": "198.51.100.1/24"},
        {"name": "off", "purpose": "corporate", "enabled": False, "ip_subnet": "203.0.113.1/24"},
        {"name": "odd", "ip_subnet": "", "ipv6_subnet": None},
    ]))
    assert client(app).networks() == (
        Network("a", ("192.0.2.0/24", "2001:db8:20::/64")), Network("vlan", ()), Network("odd", ()),
    )


def test_one_login_for_a_run(app: t.Any) -> None:
    for _ in range(4):
        unifi = client(app, BY_LOGIN)
        for _ in range(3):
            unifi.bgp()
    assert app.time == 0


def test_too_many_logins_are_waited_for_and_told(app: t.Any) -> None:
    for _ in range(5):
        client(app, BY_LOGIN).bgp()
    unifi = client(app, BY_LOGIN)
    assert unifi.bgp() is None
    assert unifi.notes == ["the UniFi application had too many requests; waited 60 s for POST /api/auth/login"]


def test_a_slow_answer_is_no_wait_for_logins(app: t.Any) -> None:
    app.fault({"kind": "slow", "seconds": 5})  # of the clock of both
    unifi = client(app)
    unifi.bgp()
    assert (app.time, unifi.notes) == (5, [])


def test_the_wait_has_an_end(app: t.Any) -> None:
    app.fault({"kind": "too_many"})
    with pytest.raises(Unreachable, match=r"still refused after 75 s: too many.*login attempt limit") as caught:
        client(app).bgp()
    assert app.time == 75
    assert "API key" in caught.value.remedy


def test_a_session_that_ended_begins_anew(app: t.Any) -> None:
    unifi = client(app, BY_LOGIN)
    unifi.bgp()
    app.fault({"kind": "logout", "times": 1})
    unifi.write(FILE)
    assert unifi.bgp() == FILE


def test_a_token_that_is_not_the_newest_is_not_the_end(app: t.Any) -> None:
    unifi = client(app, BY_LOGIN)
    unifi.bgp()
    unifi._csrf = "old"
    unifi.write(FILE)
    assert unifi.bgp() == FILE


@pytest.mark.parametrize(("who", "words"), [
    (Credentials(api_key="canary-wrong"), "401.*Unauthorized.*see that the API key"),
    (Credentials(username="admin", password="canary-wrong"), "login of 'admin'.*refused .403.*Invalid username"),
])
def test_who_may_not(app: t.Any, who: Credentials, words: str) -> None:
    with pytest.raises(MeshwrightError, match=words) as caught:
        client(app, who).bgp()
    assert "canary" not in str(caught.value)
    assert caught.value.host == "udm"


@pytest.mark.parametrize("who", [Credentials(), Credentials(username="admin"), Credentials(password=PASSWORD)])
def test_half_an_account(app: t.Any, who: Credentials) -> None:
    with pytest.raises(MeshwrightError, match="bgp_unifi_api_key") as caught:
        client(app, who)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("site", ["", "My Site", "../x", "a/b"])
def test_a_site_that_is_no_name(app: t.Any, site: str) -> None:
    with pytest.raises(MeshwrightError, match="short name"):
        client(app, site=site)


def test_a_site_that_is_not_there(app: t.Any) -> None:
    with pytest.raises(MeshwrightError, match="there is no site 'other'"):
        client(app, site="other").bgp()
    with pytest.raises(MeshwrightError, match="there is no site 'other'"):
        client(app, site="other").networks()


def test_a_gateway_without_bgp(app: t.Any) -> None:
    app.fault({"kind": "unsupported", "methods": ["POST"]})
    with pytest.raises(MeshwrightError, match=r"404.*BgpUnsupportedDevice.*UniFi OS 4\.1\.13"):
        client(app).write(FILE)


def test_a_refused_field_is_told(app: t.Any) -> None:
    with pytest.raises(MeshwrightError, match=r"400.*description: at most 128"):
        client(app).write(Stored("x", "x", "x" * 129))


@pytest.mark.parametrize(("fault", "words"), [
    ({"kind": "status", "status": 500}, "500.*unknown error"),
    ({"kind": "page", "status": 502}, r"502 an HTML page \(502 Bad Gateway\)"),
    ({"kind": "status", "status": 500, "message": "at line: password canary-md5"}, r"password \*{8}"),
])
def test_the_application_is_not_well(app: t.Any, fault: dict[str, t.Any], words: str) -> None:
    """Whether it did what it was asked is not known."""
    app.fault(fault)
    with pytest.raises(Unanswered, match=words) as caught:
        client(app).write(FILE)
    assert "canary" not in str(caught.value)


def test_an_answer_that_does_not_come(app: t.Any) -> None:
    app.fault({"kind": "cut", "methods": ["POST"]})
    unifi = client(app)
    with pytest.raises(Unanswered):
        unifi.write(FILE)
    assert unifi.bgp() == FILE  # it was carried out


def test_a_page_instead_of_the_api(app: t.Any) -> None:
    app.fault({"kind": "page", "status": 200})
    with pytest.raises(MeshwrightError, match="200 an HTML page"):
        client(app).bgp()


@pytest.mark.parametrize("body", ['{"a": 1}', "[1]", '"x"', "3"])
def test_json_of_another_kind(far: t.Any, body: str) -> None:
    end = far.serve(far.reply(200, body))
    unifi = Unifi(Https(end.url, fingerprint=end.certificate.fingerprint), "default", BY_KEY)
    for ask in (unifi.bgp, unifi.networks):
        with pytest.raises(MeshwrightError, match="not known to this collection"):
            ask()


@pytest.mark.parametrize("body", [
    '{"error": {"code": 403, "message": "Forbidden"}}', '{"meta": {"rc": "error", "msg": "api.err.X"}, "data": []}',
])
def test_an_error_that_says_200(far: t.Any, body: str) -> None:
    end = far.serve(far.reply(200, body))
    unifi = Unifi(Https(end.url, fingerprint=end.certificate.fingerprint), "default", BY_KEY)
    with pytest.raises(MeshwrightError, match="wanted success"):
        unifi.write(FILE)


def test_a_login_without_a_cookie(far: t.Any) -> None:
    end = far.serve(far.reply(200, "{}"))
    unifi = Unifi(Https(end.url, fingerprint=end.certificate.fingerprint), "default", BY_LOGIN)
    with pytest.raises(MeshwrightError, match="wanted a cookie TOKEN"):
        unifi.bgp()


def test_retry_after_is_heeded(far: t.Any, app: t.Any) -> None:
    end = far.serve(far.reply(429, "{}", headers={"Retry-After": "40"}))
    unifi = Unifi(
        Https(end.url, fingerprint=end.certificate.fingerprint), "default", BY_KEY, clock=app
    )
    with pytest.raises(Unreachable):
        unifi.bgp()
    assert (len(end.seen), app.time) == (2, 40)
