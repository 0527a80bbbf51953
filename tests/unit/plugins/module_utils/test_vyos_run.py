"""What vyos_bgp does to a router, seen at the lab's stand-in, by its HTTP API and by its command line."""

from __future__ import annotations

import json
import shlex
import typing as t
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from turned import Turned
from vyos import show
from vyos.device import Session
from vyos.testing import KEY
from vyos.testing import Router as StandIn

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_vyos, vyos_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    IPV4,
    IPV6,
    LISTEN,
    LOAD_BALANCER_IPS,
    POD_CIDRS,
    Announcement,
    Bgp,
    Node,
    Pool,
    Router,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Answer, Https, Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.vyos_plan import Op

PASSWORD = "canary-md5"
ROUTER = Router(
    "vyos1", "vyos", 64512, ("192.0.2.3", "2001:db8::3"), router_id="192.0.2.3", password=PASSWORD,
    families=(IPV4, IPV6), announcements=("lb", "pods"),
)
BGP = Bgp(
    "home", 65000,
    nodes=(Node("n1", "n1", ("192.0.2.11", "2001:db8::11")), Node("n2", "n2", ("192.0.2.12", "2001:db8::12"))),
    pools=(Pool("main", ("203.0.113.0/24", "2001:db8:20::/64")),),
    announcements=(Announcement("lb", LOAD_BALANCER_IPS), Announcement("pods", POD_CIDRS, local_preference=99)),
    pod_cidrs=("10.42.0.0/16", "2001:db8:42::/56"),
)


class Wire(Https):
    """Straight into the stand-in, without TLS; `lost` are endpoints whose next answer does not come back."""

    def __init__(self, there: StandIn) -> None:
        super().__init__("https://192.0.2.3", host="vyos1", name="the VyOS API", secrets=(KEY, PASSWORD))
        self.there, self.asked, self.lost, self.page = there, [], set(), 0  # type: StandIn, list[str], set[str], int

    def request(
        self, method: str, path: str, *, data: t.Any = None, form: t.Mapping[str, str] | None = None,
        headers: t.Mapping[str, str] | None = None, timeout: float | None = None,
    ) -> Answer:
        self.asked.append(path)
        if self.page:
            return Answer(self.page, {}, b"<html><title>502 Bad Gateway</title></html>")
        kind = "application/json" if form is None else "application/x-www-form-urlencoded"
        body = json.dumps(data) if form is None else urllib.parse.urlencode(form)
        answer = self.there.api.answer(path, kind, body.encode())
        if path in self.lost or answer.cut:
            self.lost.discard(path)
            raise Unanswered("the VyOS API", host="vyos1", seen="silent")
        return Answer(answer.status, {"content-type": "text/html"}, answer.text.encode())


class Shell:
    """Ansible's connection to the command line, with the stand-in's session behind it."""

    def __init__(self, there: StandIn) -> None:
        self.there, self.session, self.said = there, Session(there.device), []  # type: t.Any, t.Any, list[str]

    def run_commands(self, commands: list[t.Any], check_rc: bool = True) -> list[str]:
        return [self._one(command if isinstance(command, str) else command["command"]) for command in commands]

    def _one(self, command: str) -> str:
        self.said.append(command)
        verb, *words = shlex.split(command)
        device = self.there.device
        if verb == "show":
            return str(show.show(device, words))
        if verb in ("set", "delete"):
            return str(getattr(self.session, verb)(words))
        if verb == "commit-confirm":
            device.arm(int(words[0]))
        if verb in ("commit", "commit-confirm"):
            device.commit(self.session)
        elif verb == "confirm":
            return str(device.confirm())
        elif verb == "save":
            device.save()
        else:
            self.session.reset()
        return ""


class Rig:
    def __init__(self, version: str, state: Path, way: str = "http") -> None:
        self.there = StandIn(version, state)
        self.wire, self.shell = Wire(self.there), Shell(self.there)
        self.device: t.Any = client_vyos.Cli(self.shell, "vyos1", [PASSWORD])
        if way == "http":
            self.device = client_vyos.Http(self.wire, KEY, version)
        self.router = replace(ROUTER, version=version)

    def run(self, bgp: Bgp = BGP, check: bool = False, **changed: t.Any) -> vyos_run.Run:
        return vyos_run.Run(self.device, bgp, replace(self.router, **changed), check, Turned())

    @property
    def lines(self) -> list[str]:
        return list(self.there.device.active.commands())

    @property
    def saved(self) -> bool:
        return not self.there.device.unsaved


WAYS = [("1.3", "http"), ("1.4", "http"), ("1.5", "http"), ("1.3", "cli"), ("1.4", "cli"), ("1.5", "cli")]


@pytest.fixture(params=WAYS, ids=["-".join(way) for way in WAYS])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(request.param[0], tmp_path, request.param[1])
    yield made
    made.there.device.stop()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Rig]:
    made = Rig("1.5", tmp_path)
    yield made
    made.there.device.stop()


def test_brought_once_and_confirmed(rig: Rig) -> None:
    before = rig.lines
    first = vyos_run.present(rig.run(), 2)
    assert first.changed and first.pending
    assert PASSWORD not in str(first.diff)
    assert set(before) < set(rig.lines)  # nothing of what was there is gone
    assert any(f"password '{PASSWORD}'" in line for line in rig.lines)
    assert not rig.saved
    vyos_run.confirmed(rig.run(), unsaved=True)
    assert rig.saved and not rig.there.device.pending
    second = vyos_run.present(rig.run(), 2)
    assert not second.changed
    assert not vyos_run.confirmed(rig.run(), unsaved=second.changed).changed


def test_restored_is_as_before(rig: Rig) -> None:
    before = rig.lines
    former = vyos_run.present(rig.run(), 2).former
    assert vyos_run.restored(rig.run(), former).changed
    assert rig.lines == before
    assert rig.saved and not rig.there.device.pending
    assert not vyos_run.restored(rig.run(), former).changed


def test_absent_leaves_what_is_not_ours(rig: Rig) -> None:
    before = set(rig.lines)
    vyos_run.present(rig.run(), 0)
    assert vyos_run.absent(rig.run()).changed
    left = set(rig.lines) - before
    assert before < set(rig.lines)
    assert all("maximum-paths" in line or "ebgp-requires-policy" in line for line in left)  # there once, for everybody
    assert not vyos_run.absent(rig.run()).changed


def test_check_mode_changes_nothing(rig: Rig) -> None:
    before = rig.lines
    outcome = vyos_run.present(rig.run(check=True), 2)
    assert outcome.changed and not outcome.pending
    assert not vyos_run.restored(rig.run(check=True), outcome.former).changed
    assert rig.lines == before and not rig.there.device.pending


def test_drift_is_seen_and_undone(rig: Rig) -> None:
    vyos_run.present(rig.run(), 0)
    good = rig.lines
    where = "neighbor 192.0.2.12" if rig.router.version == "1.3" else "peer-group MW-HOME-IPV4"
    rig.there.done(f"set BGP {where} remote-as 65009", "set BGP neighbor 192.0.2.11 shutdown",
                   "delete policy prefix-list MW-HOME-IPV4-10 rule 10 le")
    seen = vyos_run.present(rig.run(check=True), 0)
    assert "65009" in seen.diff["before"] and "65009" not in seen.diff["after"]
    assert vyos_run.present(rig.run(), 0).changed
    assert rig.lines == good


def test_a_node_more_touches_only_it(rig: Rig) -> None:
    vyos_run.present(rig.run(replace(BGP, nodes=BGP.nodes[:1])), 0)
    before = set(rig.lines)
    vyos_run.present(rig.run(), 0)
    came = set(rig.lines) - before
    assert before < set(rig.lines)
    assert all("192.0.2.12" in line or "2001:db8::12" in line for line in came)


def test_listen_ranges(rig: Rig) -> None:
    outcome = vyos_run.present(rig.run(neighbors=LISTEN, listen_ranges=("192.0.2.0/24", "2001:db8::/64")), 0)
    assert outcome.changed
    assert vyos_run.present(rig.run(), 0).changed  # and back to one neighbour for each node
    assert not any("listen" in line for line in rig.lines)


def test_not_confirmed_is_gone_again(new: Rig) -> None:
    before = new.lines
    vyos_run.present(new.run(), 2)
    assert new.there.device.pending
    new.there.device.revert()  # what its timer does
    assert new.lines == before
    with pytest.raises(MeshwrightError, match="not there any more"):
        vyos_run.confirmed(new.run(), unsaved=True)


def test_a_killed_run_is_confirmed_by_the_next(new: Rig) -> None:
    vyos_run.present(new.run(), 2)
    again = vyos_run.present(new.run(), 2)
    assert (again.changed, again.pending) == (False, True)
    assert vyos_run.confirmed(new.run(), unsaved=False).changed
    assert new.saved and not new.there.device.pending


def test_without_a_reload_it_is_said(rig: Rig) -> None:
    (warning,) = vyos_run.present(rig.run(), 2).warnings
    assert "reboot" in warning


def test_the_command_line_confirms_where_it_reloads(tmp_path: Path) -> None:
    rig = Rig("1.5", tmp_path, "cli")
    rig.there.done("set system config-management commit-revisions 10",
                   "set system config-management commit-confirm action reload")
    before = rig.lines
    assert vyos_run.present(rig.run(), 2).warnings == ()
    assert rig.there.device.pending
    rig.there.device.revert()
    assert rig.lines == before
    rig.there.device.stop()


def test_a_lost_answer_is_read_after(new: Rig) -> None:
    new.wire.lost = {"/configure"}
    assert vyos_run.present(new.run(), 0).changed
    assert new.wire.asked.count("/configure") == 1


def test_a_lost_commit_is_not_repeated(new: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_arguments: t.Any) -> None:
        raise Unanswered("the VyOS API", host="vyos1", seen="silent")

    monkeypatch.setattr(new.device, "commit", silent)
    with pytest.raises(vyos_run.Failed) as caught:
        vyos_run.present(new.run(), 0)
    assert "not made" in str(caught.value)
    assert caught.value.former


def test_a_part_that_landed_is_taken_back(new: Rig) -> None:
    before = new.lines
    new.there.faults(fail_component="bgp")
    with pytest.raises(vyos_run.Failed) as caught:
        vyos_run.present(new.run(), 2)
    assert "taken back" in str(caught.value)
    assert new.lines == before
    assert not new.there.device.pending  # its clock does not restart the router for nothing


def test_a_refused_commit_is_told_without_secrets(new: Rig) -> None:
    new.there.faults(refuse_commit=f"password {PASSWORD} is no good for <you> & me")
    with pytest.raises(vyos_run.Failed) as caught:
        vyos_run.present(new.run(), 0)
    assert "password ******** is no good for <you> & me" in str(caught.value)


def test_somebody_elses_commit_confirm(new: Rig) -> None:
    new.there.done("set system host-name other", confirm_time=5)
    with pytest.raises(MeshwrightError, match="running already"):
        vyos_run.present(new.run(), 2)
    assert new.there.device.pending


def test_the_key_is_wrong(new: Rig) -> None:
    new.device = client_vyos.Http(new.wire, "another", "1.5")
    with pytest.raises(MeshwrightError, match="bgp_vyos_key is refused"):
        vyos_run.present(new.run(), 0)


@pytest.mark.parametrize("status", [502, 503])
def test_the_api_is_down_behind_its_web_server(new: Rig, status: int) -> None:
    new.wire.page = status
    with pytest.raises(Unreachable, match="not up"):
        vyos_run.present(new.run(), 0)


def test_an_error_of_the_api(new: Rig) -> None:
    new.there.faults(error_500=True)
    with pytest.raises(MeshwrightError, match="500"):
        vyos_run.present(new.run(), 0)


def test_there_is_no_api(new: Rig) -> None:
    new.wire.page = 404
    with pytest.raises(MeshwrightError, match="service https api rest"):
        vyos_run.present(new.run(), 0)


def test_the_version_is_what_the_router_says(new: Rig) -> None:
    with pytest.raises(MeshwrightError, match=r"wanted 1\.5"):
        vyos_run.present(new.run(version="1.4"), 0)


def test_another_as_number_is_in_use(new: Rig) -> None:
    with pytest.raises(MeshwrightError) as caught:
        vyos_run.present(new.run(asn=64600), 0)
    assert (caught.value.seen, caught.value.wanted) == ("64512", "64600")


def test_what_cannot_be_typed(tmp_path: Path) -> None:
    rig = Rig("1.4", tmp_path, "cli")
    with pytest.raises(MeshwrightError, match="bgp_vyos_transport"):
        rig.device.commit([Op("set", ("protocols", "bgp", "peer-group", "G", "password", "a'b"))], 0)
    rig.there.device.stop()
