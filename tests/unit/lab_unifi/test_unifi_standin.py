"""The stand-in for the UniFi application against the shapes that its clients document."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from unifi import device as device_module
from unifi.accounts import Accounts
from unifi.api import Api
from unifi.device import Device
from unifi.faults import Faults
from unifi.state import State
from unifi.wire import Answer, Request

KEY, PASSWORD = "the-key", "the-password"
BGP = "/proxy/network/v2/api/site/default/bgp/config"
NETWORKS = "/proxy/network/api/s/default/rest/networkconf"
LOGIN = "/api/auth/login"
FILE = {"frr_bgpd_config": "router bgp 64512\n", "uploaded_file_name": "a.conf", "description": "d", "enabled": True}


class Application:
    """The stand-in without its server, with a clock that stands still."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, 0.0
        self.slept: list[float] = []
        self.provisioned: list[dict[str, Any] | None] = []
        accounts = Accounts(KEY, "admin", PASSWORD, clock=lambda: self.now)
        faults = Faults(directory / "faults.json")
        self.api = Api(State(directory), accounts, faults, self.provisioned.append, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)

    def ask(
        self, method: str, path: str = BGP, data: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        body = b"" if data is None else json.dumps(data).encode()
        return self.api.answer(Request(method, path, {"x-api-key": KEY} if headers is None else headers, body))

    def fault(self, *faults: dict[str, Any]) -> None:
        (self.directory / "faults.json").write_text(json.dumps(faults))

    def login(self, password: str = PASSWORD) -> Answer:
        return self.ask("POST", LOGIN, {"username": "admin", "password": password}, {})


@pytest.fixture
def app(tmp_path: Path) -> Application:
    return Application(tmp_path)


def data(answer: Answer) -> Any:
    return json.loads(answer.body)


# -- the BGP file


def test_none_at_first(app: Application) -> None:
    answer = app.ask("GET")
    assert (answer.status, data(answer)) == (200, [])


def test_made_replaced_and_removed(app: Application) -> None:
    made = app.ask("POST", data=FILE)
    assert made.status == 201
    stored, = data(app.ask("GET"))
    assert {key: stored[key] for key in FILE} == FILE
    assert {"_id", "site_id"} < set(stored)
    replaced = app.ask("POST", data={**FILE, "frr_bgpd_config": "other"})
    assert (replaced.status, data(replaced)["_id"]) == (200, stored["_id"])
    assert app.ask("DELETE", data={}).status == 200
    assert data(app.ask("GET")) == []
    assert [item and item["frr_bgpd_config"] for item in app.provisioned] == ["router bgp 64512\n", "other", None]


def test_what_is_left_out_is_off_and_empty(app: Application) -> None:
    app.ask("POST", data=FILE)
    app.ask("POST", data={key: FILE[key] for key in ("frr_bgpd_config", "uploaded_file_name")})
    stored, = data(app.ask("GET"))
    assert (stored["enabled"], stored["description"]) == (False, "")


@pytest.mark.parametrize("field", ["frr_bgpd_config", "uploaded_file_name"])
def test_required_fields(app: Application, field: str) -> None:
    answer = app.ask("POST", data={key: value for key, value in FILE.items() if key != field})
    assert answer.status == 400
    assert set(data(answer)) == {"code", "message", "errorCode"}
    assert field in data(answer)["message"]
    assert app.provisioned == []


@pytest.mark.parametrize(("field", "longest"), [("description", 128), ("uploaded_file_name", 256)])
def test_limits(app: Application, field: str, longest: int) -> None:
    assert app.ask("POST", data={**FILE, field: "x" * longest}).status == 201
    assert app.ask("POST", data={**FILE, field: "x" * (longest + 1)}).status == 400


def test_the_text_is_not_read(app: Application) -> None:
    assert app.ask("POST", data={**FILE, "frr_bgpd_config": "no such thing\n"}).status == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_no_object(app: Application, body: bytes) -> None:
    assert app.api.answer(Request("POST", BGP, {"x-api-key": KEY}, body)).status == 400


def test_other_sites_and_paths(app: Application) -> None:
    assert app.ask("GET", BGP.replace("default", "other")).status == 404
    answer = app.ask("GET", NETWORKS.replace("default", "other"))
    assert (answer.status, data(answer)["meta"]) == (400, {"rc": "error", "msg": "api.err.NoSiteContext"})
    assert app.ask("GET", "/proxy/network/integration/v1/sites/x/bgp").status == 404
    assert app.ask("PUT").status == 405
    page = app.ask("GET", "/network/default/settings")
    assert page.kind == "text/html" and page.body.startswith(b"<!doctype html>")


def test_networks(app: Application) -> None:
    found = data(app.ask("GET", NETWORKS))
    assert found["meta"] == {"rc": "ok"}
    assert found["data"][0]["ip_subnet"] == "192.168.1.1/24"
    (app.directory / "networks.json").write_text('[{"name": "lb", "ip_subnet": "192.0.2.1/24"}]')
    assert data(app.ask("GET", NETWORKS))["data"] == [{"name": "lb", "ip_subnet": "192.0.2.1/24"}]


# -- who may ask


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"cookie": "TOKEN=x"}])
def test_strangers(app: Application, headers: dict[str, str]) -> None:
    answer = app.ask("GET", headers=headers)
    assert (answer.status, data(answer)) == (401, {"error": {"code": 401, "message": "Unauthorized"}})


def test_a_session_and_its_changing_token(app: Application) -> None:
    logged_in = app.login()
    cookie = logged_in.headers["Set-Cookie"].split(";")[0]
    assert cookie.startswith("TOKEN=")
    first = logged_in.headers["X-Csrf-Token"]
    assert app.ask("GET", headers={"cookie": cookie}).status == 200
    assert data(app.ask("POST", data=FILE, headers={"cookie": cookie})) == {"message": "Invalid CSRF Token"}
    written = app.ask("POST", data=FILE, headers={"cookie": cookie, "x-csrf-token": first})
    assert written.status == 201
    second = written.headers["X-Updated-Csrf-Token"]
    assert app.ask("POST", data=FILE, headers={"cookie": cookie, "x-csrf-token": first}).status == 403
    assert app.ask("DELETE", data={}, headers={"cookie": cookie, "x-csrf-token": second}).status == 200


def test_a_wrong_password(app: Application) -> None:
    answer = app.login("wrong")
    assert (answer.status, data(answer)["code"]) == (403, "AUTHENTICATION_FAILED_INVALID_CREDENTIALS")


def test_five_logins_a_minute(app: Application) -> None:
    assert [app.login().status for _ in range(6)] == [200] * 5 + [429]
    answer = app.login()
    assert data(answer)["code"] == "AUTHENTICATION_FAILED_LIMIT_REACHED"
    assert "Retry-After" not in answer.headers
    app.now = 60.0
    assert app.login().status == 200


# -- what a test makes go wrong


@pytest.mark.parametrize(("kind", "status"), [
    ("status", 500), ("page", 502), ("unauthorized", 401), ("too_many", 429), ("unsupported", 404),
])
def test_answers_instead(app: Application, kind: str, status: int) -> None:
    app.fault({"kind": kind, "methods": ["POST"], "times": 2})
    assert [app.ask("POST", data=FILE).status for _ in range(3)] == [status, status, 201]
    app.fault({"kind": kind, "path": "networkconf"})
    assert app.ask("GET").status == 200
    assert app.ask("GET", NETWORKS).status == status


def test_unsupported_has_its_code(app: Application) -> None:
    app.fault({"kind": "unsupported"})
    assert data(app.ask("POST", data=FILE))["code"] == "api.err.BgpUnsupportedDevice"


def test_slow_late_cut_and_lost(app: Application) -> None:
    app.fault({"kind": "slow", "seconds": 3}, {"kind": "late", "seconds": 4}, {"kind": "cut"})
    answer = app.ask("POST", data=FILE)
    assert answer.cut
    assert app.slept == [3, 4]
    app.fault({"kind": "lose"})
    assert app.ask("POST", data={**FILE, "frr_bgpd_config": "other"}).status == 200
    assert data(app.ask("GET"))[0]["frr_bgpd_config"] == FILE["frr_bgpd_config"]
    assert len(app.provisioned) == 1


def test_logout(app: Application) -> None:
    cookie = app.login().headers["Set-Cookie"].split(";")[0]
    app.fault({"kind": "logout", "times": 1})
    assert app.ask("GET", headers={"cookie": cookie}).status == 401


def test_an_unknown_fault_is_told(app: Application) -> None:
    app.fault({"kind": "fire"})
    with pytest.raises(ValueError, match="fire"):
        app.ask("GET")


# -- the gateway


def test_the_gateways_part_comes_first(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_text("hostname udm\n")
    device = Device(base, tmp_path / "frr.conf")
    assert device.text(None) == "hostname udm\n"
    stored = {"frr_bgpd_config": "router bgp 1", "enabled": True}
    assert device.text(stored) == "hostname udm\nrouter bgp 1\n"
    assert device.text({**stored, "enabled": False}) == "hostname udm\n"
    (tmp_path / "frr.conf").write_text("hostname udm\nrouter bgp 1\n")
    assert device.has(stored) and not device.has(None)


@pytest.mark.parametrize(("how", "before", "broken", "ran"), [
    ("reload", "hostname udm\n", False, ["load"]), ("reload", "hostname udm\nrouter bgp 2\n", False, ["reload"]),
    ("reload", "", True, ["reload", "restart"]), ("restart", "hostname udm\n", False, ["restart"]),
])
def test_how_the_gateway_takes_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, before: str, broken: bool, ran: list[str]
) -> None:
    done = []

    def run(command: list[str], **_more: object) -> subprocess.CompletedProcess[str]:
        name = {"vtysh": "load", "systemctl": "restart"}.get(command[0], "reload")
        done.append(name)
        return subprocess.CompletedProcess(command, 1 if broken and name != "restart" else 0)

    monkeypatch.setattr(device_module.subprocess, "run", run)
    monkeypatch.setattr(device_module.shutil, "chown", lambda *_args: None)
    base, target = tmp_path / "base", tmp_path / "frr.conf"
    base.write_text("hostname udm\n")
    target.write_text(before)
    Device(base, target, how)._put("hostname udm\nrouter bgp 1\n")
    assert done == ran
    assert target.read_text() == "hostname udm\nrouter bgp 1\n"
