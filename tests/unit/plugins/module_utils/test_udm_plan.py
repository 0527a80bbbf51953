"""What becomes of a gateway's one BGP file."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import udm_apply, udm_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    IPV4,
    IPV6,
    LOAD_BALANCER_IPS,
    POD_CIDRS,
    Announcement,
    Bgp,
    Pool,
    Range,
    Router,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_unifi import Network, Stored
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

ROUTER = Router("udm", "unifi", 64512, ("10.0.0.1",), families=(IPV4,), announcements=("lb",))
BGP = Bgp(
    "home", 65000, routers=(ROUTER,), pools=(Pool("a", ("192.0.2.0/24", "2001:db8:20::/64")),),
    announcements=(Announcement("lb", LOAD_BALANCER_IPS), Announcement("pods", POD_CIDRS)),
)
TEXT = "router bgp 64512\n neighbor MW-HOME-IPV4 peer-group\n neighbor MW-HOME-IPV4 password canary\nexit\n"
OURS = Stored(TEXT, "MW-HOME.conf", "Cluster home, kept by its inventory", True)
FOREIGN = Stored("router bgp 1\n neighbor OTHER password canary-2\n", "mine.conf", "by hand", True)


def present(have: Stored | None, **more: t.Any) -> udm_plan.Step:
    return udm_plan.present(have, TEXT, BGP, ROUTER, **more)


def test_none_yet() -> None:
    assert present(None) == udm_plan.Step(OURS, ("there is no file",))


def test_the_same_again_is_nothing() -> None:
    assert not present(OURS).changes


@pytest.mark.parametrize(("changed", "why"), [
    (replace(OURS, text=TEXT + "!\nrouter ospf\n"), "the text differs"),
    (replace(OURS, enabled=False), "it is switched off"),
    (replace(OURS, file_name="edited.conf"), "the file's name differs"),
])
def test_what_was_done_by_hand_is_undone(changed: Stored, why: str) -> None:
    assert present(changed) == udm_plan.Step(OURS, (why,))


def test_a_description_that_somebody_gave_stays() -> None:
    step = present(replace(OURS, description="do not touch", enabled=False))
    assert step.wanted == replace(OURS, description="do not touch")


@given(st.sampled_from(["\r\n", "\n\n", " \n", "\t\n"]))
def test_ends_of_lines_are_no_drift(end: str) -> None:
    assert not present(replace(OURS, text=TEXT.replace("\n", end))).changes


def test_a_foreign_file_is_refused_unless_told() -> None:
    with pytest.raises(MeshwrightError, match=r"foreign one \(mine.conf\).*replace_foreign") as caught:
        present(FOREIGN)
    assert "canary" not in str(caught.value)
    step = present(FOREIGN, replace_foreign=True)
    assert step.wanted is not None and (step.wanted.text, step.wanted.description) == (TEXT, "by hand")


def test_an_empty_foreign_file_is_nobodys() -> None:
    assert present(Stored("\n", "mine.conf", "", False)).changes


@pytest.mark.parametrize(("text", "ours"), [
    ("neighbor MW-HOME-IPV6 activate", True), ("route-map MW-HOME-IPV4-IN permit 10", True),
    ("neighbor MW-HOME-2-IPV4 activate", False), ("neighbor XMW-HOME-IPV4 activate", False),
    ("neighbor X-MW-HOME-IPV4 activate", False), ("neighbor MW-HOME-IPV44 activate", False), ("", False),
])
def test_whose_it_is(text: str, ours: bool) -> None:
    assert udm_plan.is_ours(Stored(text, "other.conf"), BGP) is ours


def test_absent_takes_ours_alone() -> None:
    assert udm_plan.absent(OURS, BGP) == udm_plan.Step(None, ("the file is to go",))
    assert not udm_plan.absent(FOREIGN, BGP).changes
    assert not udm_plan.absent(None, BGP).changes


@given(*[st.one_of(st.none(), st.builds(Stored, st.text(), st.text(), st.text(), st.booleans()))] * 2)
def test_restored_is_what_it_was(have: Stored | None, former: Stored | None) -> None:
    step = udm_plan.restored(have, former)
    assert step.wanted == former
    assert not udm_plan.restored(former, former).changes
    assert udm_plan.from_former(udm_plan.as_former(former), "udm") == former


@pytest.mark.parametrize("former", [{}, {"stored": {"nothing": 1}}, {"vyos": []}])
def test_a_former_of_another_form(former: dict[str, t.Any]) -> None:
    with pytest.raises(MeshwrightError, match="argument former"):
        udm_plan.from_former(former, "udm")


def test_the_diff_has_no_passwords() -> None:
    for have, want in ((None, OURS), (OURS, None), (FOREIGN, OURS), (replace(OURS, enabled=False), OURS)):
        diff = udm_plan.diff(have, udm_plan.restored(have, want))
        assert "canary" not in str(diff)
        assert diff["before"] != diff["after"]


def test_a_password_that_changes_is_seen() -> None:
    diff = udm_plan.diff(replace(OURS, text=TEXT.replace("canary", "canary-old")), present(OURS))
    assert "canary" not in str(diff)
    assert diff["before"] != diff["after"]


@pytest.mark.parametrize(("networks", "missing"), [
    ([], ("192.0.2.0/24",)), (["192.0.2.0/24"], ()), (["192.0.0.0/16"], ()), (["192.0.2.0/25"], ("192.0.2.0/24",)),
    (["2001:db8:20::/64"], ("192.0.2.0/24",)),
])
def test_pools_without_a_network(networks: list[str], missing: tuple[str, ...]) -> None:
    assert udm_plan.pools_without_network(BGP, ROUTER, [Network("x", tuple(networks))]) == missing


def test_pools_are_asked_of_families_and_announcements() -> None:
    dual = replace(ROUTER, families=(IPV4, IPV6))
    assert udm_plan.pools_without_network(BGP, dual, []) == ("192.0.2.0/24", "2001:db8:20::/64")
    assert udm_plan.pools_without_network(BGP, replace(ROUTER, announcements=("pods",)), []) == ()
    ranged = replace(BGP, pools=(Pool("r", ranges=(Range("192.0.2.4", "192.0.2.6"),)),))
    assert udm_plan.pools_without_network(ranged, ROUTER, []) == ("192.0.2.4/31", "192.0.2.6/32")
    assert "pool_networks: udm has no network that covers 192.0.2.0/24" in udm_plan.warning(ROUTER, ["192.0.2.0/24"])


def test_names_fit_into_what_the_application_takes() -> None:
    long = replace(BGP, cluster="x" * 200)
    step = udm_plan.present(None, TEXT, long, ROUTER)
    assert step.wanted is not None
    assert len(step.wanted.description) <= 128 and len(step.wanted.file_name) <= 256


# -- on the way there


class Application:
    """`said` is what a write raises; `after` how many looks it takes until the write is seen, None being never."""

    def __init__(self, said: Exception | None = None, after: int | None = 0) -> None:
        self.stored: Stored | None = None
        self.now_, self._said, self._after, self.writes = 0.0, said, after, 0
        self._coming: Stored | None = None

    def write(self, wanted: Stored) -> None:
        self.writes += 1
        self._coming = wanted
        if self._said:
            raise self._said

    def remove(self) -> None:
        raise AssertionError

    def bgp(self) -> Stored | None:
        if self._after == 0:
            self.stored = self._coming
        elif self._after:
            self._after -= 1
        return self.stored

    def now(self) -> float:
        return self.now_

    def sleep(self, seconds: float) -> None:
        self.now_ += seconds


def bring(app: Application) -> None:
    udm_apply.apply(app, None, udm_plan.Step(OURS, ("x",)), "udm", clock=t.cast("t.Any", app))


def test_a_lost_answer_is_looked_after_instead_of_sent_again() -> None:
    app = Application(Unanswered("the API", host="udm", seen="silent"), after=3)
    bring(app)
    assert (app.stored, app.writes) == (OURS, 1)


def test_a_write_that_was_not_carried_out_is_told() -> None:
    app = Application(Unanswered("the API", host="udm", seen="silent", remedy="look"), after=None)
    with pytest.raises(Unanswered, match="silent; the file, read for 15 s after it, is as it was before") as caught:
        bring(app)
    assert (app.writes, caught.value.remedy) == (1, "look")


def test_what_was_not_sent_is_not_looked_after() -> None:
    app = Application(Unreachable("the API", seen="refusing connections"))
    with pytest.raises(Unreachable, match="refusing"):
        bring(app)
    assert app.now_ == 0


def test_a_write_that_was_lost_is_told() -> None:
    with pytest.raises(MeshwrightError, match="not as sent: there is no file"):
        bring(Application(after=None))
