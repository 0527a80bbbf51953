"""udm_bgp from its arguments to the stand-in's disk and back, and what it never shows."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar

from ansible_collections.meshwright.k3s_cilium.plugins.action import udm_bgp
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import udm_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    IPV4,
    LOAD_BALANCER_IPS,
    Announcement,
    Bgp,
    Node,
    Pool,
    Router,
    as_dict,
)

MD5 = "canary-md5-0123"
FOREIGN = {"frr_bgpd_config": "router bgp 1\n neighbor X password canary-foreign\n", "uploaded_file_name": "x.conf"}
ROUTER = Router(
    "udm", "unifi", 64512, ("10.0.0.1",), password=MD5, families=(IPV4,), announcements=("lb",), router_id="10.0.0.1",
)
BGP = Bgp(
    "home", 65000, nodes=(Node("n1", "n1", ("10.0.0.11",)), Node("n2", "n2", ("10.0.0.12",))), routers=(ROUTER,),
    pools=(Pool("a", ("192.0.2.0/24",)),), announcements=(Announcement("lb", LOAD_BALANCER_IPS),),
)
Run = Callable[..., dict[str, t.Any]]


@pytest.fixture
def run(unifi_app: t.Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The action as Ansible calls it, by key unless told otherwise."""
    bring = udm_run.run
    monkeypatch.setattr(udm_run, "run", lambda given, check: bring(given, check, clock=unifi_app))
    unifi_app.networks("192.0.2.1/24")
    access = {"url": unifi_app.url, "fingerprint": unifi_app.certificate.fingerprint, "api_key": unifi_app.KEY}

    def run(check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        task = Task.load({"name": "a task", "ansible.builtin.meta": "noop"})
        given = {"description": as_dict(BGP), "router": "udm", **access, **arguments}
        task.args, task.check_mode = {key: value for key, value in given.items() if value is not None}, check
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        loader = DataLoader()
        result: dict[str, t.Any] = udm_bgp.ActionModule(
            task, connection, SimpleNamespace(), loader, Templar(loader), None
        ).run(task_vars={})
        shown = {key: value for key, value in result.items() if key not in ("former", "rendered")}
        assert "canary" not in str(shown)
        return result

    return run


def test_written_once(run: Run, unifi_app: t.Any) -> None:
    first = run()
    assert (first["changed"], first["pending"], first["former"]) == (True, False, {"stored": None})
    stored = unifi_app.state.bgp
    assert (stored["uploaded_file_name"], stored["enabled"]) == ("MW-HOME.conf", True)
    assert f"neighbor MW-HOME-IPV4 password {MD5}\n" in stored["frr_bgpd_config"]
    assert "+" not in first["diff"]["before"] and "MW-HOME-IPV4 peer-group" in first["diff"]["after"]
    second = run()
    assert (second["changed"], second["why"]) == (False, [])
    assert second["diff"]["before"] == second["diff"]["after"]
    assert len(unifi_app.provisioned) == 1


def test_check_mode_writes_nothing(run: Run, unifi_app: t.Any) -> None:
    result = run(check=True)
    assert result["changed"] and result["diff"]["after"]
    assert unifi_app.state.bgp is None


def test_by_login(run: Run, unifi_app: t.Any) -> None:
    who = {"api_key": None, "username": unifi_app.USERNAME, "password": unifi_app.PASSWORD}
    assert run(**who)["changed"]
    assert not run(**who)["changed"]


def test_drift_is_seen_and_undone(run: Run, unifi_app: t.Any) -> None:
    run()
    stored = unifi_app.state.bgp
    unifi_app.state.bgp = {
        **stored, "frr_bgpd_config": stored["frr_bgpd_config"].replace("remote-as 65000", "remote-as 65009")
    }
    seen = run(check=True)
    assert seen["why"] == ["the text differs"]
    assert "65009" in seen["diff"]["before"] and "65009" not in seen["diff"]["after"]
    assert run()["changed"]
    assert unifi_app.state.bgp == stored
    assert not run()["changed"]


def test_rendered_needs_no_gateway(run: Run) -> None:
    result = run(state="rendered", url=None, fingerprint=None, api_key=None)
    assert not result["changed"]
    assert f"password {MD5}" in result["rendered"]


def test_absent_and_again(run: Run, unifi_app: t.Any) -> None:
    run()
    assert run(state="absent")["changed"]
    assert unifi_app.state.bgp is None
    assert not run(state="absent")["changed"]


def test_a_foreign_file(run: Run, unifi_app: t.Any) -> None:
    foreign = {"_id": "1", "description": "mine", "enabled": True, **FOREIGN}
    unifi_app.state.bgp = foreign
    refused = run()
    assert refused["failed"] and refused["error"]["host"] == "udm"
    assert "foreign" in refused["msg"] and "former" not in refused
    assert not run(state="absent")["changed"]
    assert unifi_app.state.bgp == foreign
    replaced = run(replace_foreign=True)
    assert replaced["changed"]
    assert run(state="restored", former=replaced["former"])["changed"]
    assert {key: unifi_app.state.bgp[key] for key in FOREIGN} == FOREIGN
    assert unifi_app.state.bgp["description"] == "mine"


def test_restored_to_nothing(run: Run, unifi_app: t.Any) -> None:
    former = run()["former"]
    assert run(state="restored", former=former)["changed"]
    assert unifi_app.state.bgp is None
    assert not run(state="restored", former=former)["changed"]


def test_nothing_is_to_be_confirmed(run: Run) -> None:
    assert run(state="confirmed", url=None) == {"changed": False, "pending": False}


def test_a_pool_without_a_network_is_warned_of(run: Run, unifi_app: t.Any) -> None:
    assert run()["warnings"] == []
    unifi_app.networks("198.51.100.1/24")
    warning, = run()["warnings"]
    assert warning.startswith("pool_networks: udm has no network that covers 192.0.2.0/24")


def test_a_wait_for_logins_is_told(run: Run, unifi_app: t.Any) -> None:
    who = {"api_key": None, "username": unifi_app.USERNAME, "password": unifi_app.PASSWORD}
    results = [run(**who) for _ in range(6)]
    assert [len(result["warnings"]) for result in results] == [0] * 5 + [1]
    assert "waited 60 s" in results[5]["warnings"][0]


def test_a_lost_answer_is_no_failure_where_the_file_arrived(run: Run, unifi_app: t.Any) -> None:
    unifi_app.fault({"kind": "cut", "methods": ["POST"]})
    assert run()["changed"]
    assert len(unifi_app.provisioned) == 1


@pytest.mark.parametrize(("fault", "words"), [
    ({"kind": "status", "methods": ["POST"]}, "500"),
    ({"kind": "page", "methods": ["POST"]}, "an HTML page (502 Bad Gateway)"),
    ({"kind": "unsupported", "methods": ["POST"]}, "UniFi OS 4.1.13"),
    ({"kind": "lose", "methods": ["POST"]}, "not as sent"),
    ({"kind": "status", "methods": ["POST"], "status": 400, "message": f"line 3: password {MD5}"}, "password ********"),
])
def test_a_failed_write_says_what_there_was(run: Run, unifi_app: t.Any, fault: dict[str, t.Any], words: str) -> None:
    unifi_app.fault(fault)
    result = run()
    assert result["failed"] and words in result["msg"]
    assert result["former"] == {"stored": None}
    assert unifi_app.state.bgp is None


@pytest.mark.parametrize("fault", [
    {"kind": "status"}, {"kind": "page"}, {"kind": "unauthorized"}, {"kind": "too_many"}, {"kind": "cut"},
])
def test_nothing_works(run: Run, unifi_app: t.Any, fault: dict[str, t.Any]) -> None:
    unifi_app.fault(fault)
    result = run()
    assert result["failed"] and result["error"]["host"] == "udm"
    assert "former" not in result
    assert unifi_app.state.bgp is None


def test_another_certificate(run: Run, unifi_app: t.Any) -> None:
    result = run(fingerprint="0" * 64)
    assert "nothing was sent" in result["msg"] and unifi_app.certificate.fingerprint in result["msg"]


def test_a_text_that_does_not_hold_together_is_not_sent(run: Run, unifi_app: t.Any, monkeypatch: t.Any) -> None:
    text = f"router bgp 64512\n neighbor MW-HOME-IPV4 peer-group\n neighbor MW-HOME-IPV4 route-map NONE in\n ! {MD5}\n"
    monkeypatch.setattr(udm_run.bgp_render_frr, "config", lambda _bgp, _router: text)
    result = run()
    assert result["failed"] and "NONE" in result["msg"] and result["error"]["host"] == "udm"
    assert unifi_app.state.bgp is None


def test_a_gateway_without_an_address(run: Run) -> None:
    assert "the URL of the UniFi application" in run(url=None)["msg"]


def test_a_router_that_is_not_described(run: Run) -> None:
    assert "'vyos1'" in run(router="vyos1")["msg"]


@pytest.mark.parametrize("arguments", [
    {"state": "restored"}, {"state": "gone"}, {"description": None}, {"something": 1},
])
def test_arguments_are_checked(run: Run, arguments: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleActionFail):
        run(**arguments)
