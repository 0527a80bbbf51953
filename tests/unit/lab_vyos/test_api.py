"""The HTTP API against its documented shapes: VyOS documentation, automation/vyos-api; vyos-1x, src/services."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from vyos.testing import KEY, Make, Router


def test_every_answer_has_the_three_fields(router: Router) -> None:
    status, answer = router.post("/retrieve", {"op": "exists", "path": ["policy"]})
    assert (status, answer) == (200, {"success": True, "data": True, "error": None})


def test_show_config_is_the_tree(router: Router) -> None:
    tree = router.post("/retrieve", {"op": "showConfig", "path": []})[1]["data"]
    assert tree["system"] == {"host-name": "vyos1"}
    assert tree["policy"]["route-map"]["CLIENT-OUT"] == {"rule": {"10": {"action": "permit"}}}
    assert router.post("/retrieve", {"op": "showConfig", "path": ["system"]})[1]["data"] == {"host-name": "vyos1"}


def test_below_a_tag_node_its_name_is_repeated(router: Router) -> None:
    data = router.post("/retrieve", {"op": "showConfig", "path": [*router.bgp, "neighbor"]})[1]["data"]
    assert set(data) == {"neighbor"}
    one = router.post("/retrieve", {"op": "showConfig", "path": [*router.bgp, "neighbor", "198.51.100.20"]})[1]["data"]
    assert one["remote-as"] == "64999"


def test_show_config_of_an_absent_path_is_an_error(router: Router) -> None:
    # VyOS documentation, task T9089.
    status, answer = router.post("/retrieve", {"op": "showConfig", "path": ["policy", "prefix-list"]})
    assert (status, answer["error"]) == (400, "Configuration under specified path is empty\n")


def test_values_are_strings_and_several_a_list(router: Router) -> None:
    router.done("set system name-server 192.0.2.53", "set system name-server 192.0.2.54")
    assert router.post("/retrieve", {"op": "showConfig", "path": ["system"]})[1]["data"]["name-server"] == [
        "192.0.2.53", "192.0.2.54",
    ]
    assert router.post("/retrieve", {"op": "returnValues", "path": ["system", "name-server"]})[1]["data"] == [
        "192.0.2.53", "192.0.2.54",
    ]
    router.done("delete system name-server 192.0.2.53")
    assert router.post("/retrieve", {"op": "showConfig", "path": ["system"]})[1]["data"]["name-server"] == "192.0.2.54"


@pytest.mark.parametrize(("data", "status", "error"), [
    ("{", 400, "Failed to parse JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ({"path": ["system"]}, 400, "Malformed command '{'path': ['system']}': missing 'op' field"),
    ({"op": "set"}, 400, "Malformed command '{'op': 'set'}': missing 'path' field"),
    ({"op": "set", "path": "a"}, 400, "Malformed command '{'op': 'set', 'path': 'a'}': 'path' field must be a list"),
    ({"op": "set", "path": []}, 400, "Malformed command '{'op': 'set', 'path': []}': 'path' list must be non-empty"),
    ({"op": "save", "path": ["system"]}, 400, "'save' is not a valid operation"),
    (["word"], 400, "Malformed command 'word': any command must be JSON of dict"),
])
def test_what_is_malformed_is_named(router: Router, data: t.Any, status: int, error: str) -> None:
    assert router.post("/configure", data)[0] == status
    assert router.post("/configure", data)[1] == {"success": False, "data": None, "error": error}


@pytest.mark.parametrize("key", [None, "another"])
def test_without_the_key_nothing_is_said(router: Router, key: str | None) -> None:
    for endpoint in ("/retrieve", "/configure", "/show", "/config-file"):
        status, answer = router.post(endpoint, {"op": "show", "path": ["version"]}, key)
        assert (status, answer) == (401, {"success": False, "data": None, "error": "Valid API key is required"})


def test_a_json_body_does_as_well_as_a_form(router: Router) -> None:
    body = json.dumps({"key": KEY, "op": "set", "path": ["system", "domain-name", "example.org"]}).encode()
    assert router.api.answer("/configure", "application/json", body).status == 200
    assert router.exists("system", "domain-name", "example.org")


def test_a_form_of_many_parts_does_too(router: Router) -> None:
    data = json.dumps({"op": "exists", "path": ["system"]})
    parts = [f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in (("data", data), ("key", KEY))]
    answer = router.api.answer("/retrieve", "multipart/form-data; boundary=B", ("".join(parts) + "--B--\r\n").encode())
    assert json.loads(answer.text)["data"] is True


def test_a_refused_command_leaves_nothing_of_its_request(router: Router) -> None:
    error = router.refused("set system domain-name example.org", "set system nonsense 1")
    assert error == "Configuration path: [system nonsense 1] is not valid\nSet failed\n"
    assert not router.exists("system", "domain-name")
    router.done("set system time-zone UTC")
    assert not router.exists("system", "domain-name")


def test_a_refused_value_says_so(router: Router) -> None:
    error = router.refused("set policy prefix-list A rule 10 prefix 192.0.2.1/24")
    assert error.endswith("Invalid value\nValue validation failed\nSet failed\n")
    assert "192.0.2.1/24 is not a valid IPv4 prefix" in error


def test_setting_what_is_set_and_deleting_what_is_not_succeed(router: Router) -> None:
    assert router.done("set system host-name vyos1", "delete system domain-name") is None


def test_save_and_load(router: Router) -> None:
    router.done("set system domain-name example.org")
    said = router.post("/config-file", {"op": "save", "file": "/config/test.config"})[1]["data"]
    assert said == "Saving configuration to '/config/test.config'...\nDone\n"
    router.done("delete system domain-name")
    assert router.post("/config-file", {"op": "load", "file": "/config/test.config"})[0] == 200
    assert router.exists("system", "domain-name", "example.org")
    status, answer = router.post("/config-file", {"op": "load"})
    assert (status, answer["error"]) == (400, 'Missing required field "file"')


def test_show(router: Router) -> None:
    assert f"VyOS {router.version}" in router.post("/show", {"op": "show", "path": ["version"]})[1]["data"]
    commands = router.post("/show", {"op": "show", "path": ["configuration", "commands"]})[1]["data"]
    assert "set system host-name 'vyos1'" in commands.splitlines()
    assert router.post("/show", {"op": "show", "path": ["bgp", "ipv4"]})[1]["data"] == "FRR shows bgp ipv4\n"
    for words in (["bgp", "nonsense"], ["bgp", "summary", "json"], ["interfaces", "of", "mine"]):
        status, answer = router.post("/show", {"op": "show", "path": words})
        assert (status, answer["error"]) == (400, f"\n  Invalid command: show [{' '.join(words)}]\n\n")


def test_a_change_of_the_api_itself_is_committed_behind_the_answer(new: Router) -> None:
    assert "commit will be called in the background" in new.done("set service https api keys id b key other")
    deadline = time.monotonic() + 5
    while not new.device.active.exists(("service", "https", "api", "keys", "id", "b")):
        assert time.monotonic() < deadline
    assert new.post("/retrieve", {"op": "exists", "path": ["system"]}, "other")[0] == 200


def test_only_15_confirms(make: Make) -> None:
    for version in ("1.3", "1.4"):
        router = make(version)
        assert router.done("set system domain-name example.org", confirm_time=1) is None
        assert not router.device.pending  # the field is not known, so it is ignored
        assert router.post("/configure", {"op": "confirm", "path": []})[0] == 400


def test_a_form_confirms_with_an_empty_path_only(new: Router) -> None:
    new.done("set system domain-name example.org", confirm_time=1)
    assert new.post("/configure", {"op": "confirm"})[0] == 400
    assert new.post("/configure", {"op": "confirm", "path": []})[1]["data"] == "Reboot timer stopped"
    body = json.dumps({"op": "confirm", "key": KEY}).encode()
    assert json.loads(new.api.answer("/configure", "application/json", body).text)["data"] == "No confirm pending"


def test_faults(router: Router) -> None:
    router.faults(error_500=True)
    status, answer = router.post("/retrieve", {"op": "exists", "path": ["system"]})
    assert (status, answer["error"]) == (500, "An internal error occured. Check the logs for details.")
    router.faults(refuse_commit="no such luck")
    assert "no such luck" in router.refused("set system domain-name a")
    router.faults(cut_after_commit=True)
    body = json.dumps({"key": KEY, "op": "set", "path": ["system", "domain-name", "b"]}).encode()
    assert router.api.answer("/configure", "application/json", body).cut
    assert router.exists("system", "domain-name", "b")
    assert not router.device.faults.read()  # once
