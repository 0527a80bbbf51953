"""frr_bgp on a router that is only a table of answers: what is said to it, in which order, and what never is."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from frr_cases import FOREIGN, sample

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import frr_plan, frr_scripts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import config
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import router_readers
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.frr_router import FrrRouter
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.raw_host import Said

CANARY = "canary-password-01"
BGP, ROUTER = sample(password=CANARY)
WANTED = frr_plan.plan(FOREIGN, config(BGP, ROUTER), frr_plan.owner_of(BGP, ROUTER)).after
# The kinds of scripts, by what only they have in them.
KINDS = {
    "show running-config": "running", "vtysh -C": "vtysh -C", "-C -f": "bgpd -C", "vtysh -f": "apply",
    "systemd-run": "arm", "mkdir -p": "put", "exit 7": "claim", "chown frr:frr": "write",
    "armed": "pending", "exit 3": "file", "show bgp summary": "summary", "clear bgp": "start",
}  # fmt: skip


class Device:
    """Takes what it is sent as if it were FRR: the running configuration becomes what was planned."""

    def __init__(self, running: str = FOREIGN, file: str = FOREIGN, pending: str = "", stubborn: bool = False) -> None:
        self.running, self.file, self.pending, self.stubborn = running, file, pending, stubborn
        self.said: list[str] = []
        self.scripts: dict[str, list[str]] = {}
        self.answers = {"vtysh -C": Said(0, "", ""), "bgpd -C": Said(0, "", "")}

    def run(self, script: str, text: str = "") -> Said:
        assert CANARY not in script, "a command line is for everybody to see"
        kind = next(kind for word, kind in KINDS.items() if word in script)
        self.said.append(kind)
        self.scripts.setdefault(kind, []).append(script)
        if kind == "apply" and not self.stubborn:
            self.running = WANTED
        if kind == "write":
            self.file = text
        if kind == "claim":
            self.pending = ""
        told = {"running": self.running, "file": self.file, "pending": self.pending}
        return self.answers.get(kind, Said(0, told.get(kind, ""), ""))

    def router(self, seconds: int = 120, check: bool = False) -> FrrRouter:
        return FrrRouter(self, BGP, ROUTER, "/etc/frr/frr.conf", seconds, check)


def test_checked_then_armed_then_changed_and_the_file_only_when_confirmed() -> None:
    device = Device()
    sent = device.router().present()
    assert sent["changed"] and sent["pending"] and CANARY not in str(sent["diff"])
    order = [kind for kind in device.said if kind in ("vtysh -C", "bgpd -C", "arm", "apply", "write")]
    assert order == ["vtysh -C", "bgpd -C", "arm", "apply"]
    assert device.file == FOREIGN
    device.pending = "abc\n"
    assert device.router().confirmed()["changed"]
    assert device.said[-2:] == ["claim", "write"] and device.file == WANTED
    again = device.router().present()
    assert not again["changed"] and not again["pending"]


def test_check_mode_checks_and_changes_nothing() -> None:
    device = Device()
    assert device.router(check=True).present()["changed"]
    assert device.said == ["running", "file", "pending", "vtysh -C", "bgpd -C"]


def test_checked_only_asks_frr() -> None:
    device = Device()
    assert not device.router().checked()["changed"]
    assert device.said == ["vtysh -C", "bgpd -C"]
    device.answers["vtysh -C"] = Said(2, "line 3: % Unknown command[4]: router bgp 64512", "")
    with pytest.raises(MeshwrightError, match="vtysh -C"):
        device.router().checked()


def test_without_a_timer_it_lasts_at_once() -> None:
    device = Device()
    assert not device.router(seconds=0).present()["pending"]
    assert "arm" not in device.said and device.file == WANTED


def test_a_change_of_a_run_that_was_killed_is_not_forgotten() -> None:
    device = Device(running=WANTED, pending="abc\n! what was there\n")
    sent = device.router().present()
    assert sent["changed"] and sent["pending"] and sent["former"] == {"text": "! what was there\n"}
    assert device.said.index("claim") < device.said.index("arm")


def test_a_confirmation_that_comes_too_late_says_so() -> None:
    device = Device()
    with pytest.raises(MeshwrightError, match="its timer has put the former configuration back"):
        device.router().confirmed()
    assert "write" not in device.said


def test_a_router_that_does_not_take_it_gets_the_former_back() -> None:
    device = Device(stubborn=True)
    with pytest.raises(MeshwrightError, match="running configuration is not as sent"):
        device.router().present()
    assert device.said.count("apply") == 2 and device.said[-1] == "claim" and device.file == FOREIGN


def test_what_the_device_refuses_is_not_sent() -> None:
    device = Device()
    number = next(n for n, line in enumerate(WANTED.splitlines(), 1) if CANARY in line)
    device.answers["vtysh -C"] = Said(2, f"line {number}: % Unknown command[8]: password {CANARY}\n", "")
    with pytest.raises(MeshwrightError, match="refused by vtysh -C") as caught:
        device.router().present()
    assert CANARY not in str(caught.value) and "apply" not in device.said


def test_a_line_of_others_that_vtysh_does_not_like_is_a_warning() -> None:
    device = Device()
    device.answers["vtysh -C"] = Said(2, "line 3: % Unknown command[8]: hostname edge\n", "")
    sent = device.router().present()
    assert any("not ours: line 3 `hostname edge`" in warning for warning in sent["warnings"])


def test_sessions_that_a_lower_limit_ended_are_started_with_the_raised_one() -> None:
    lowered = re.sub(r"maximum-prefix \d+", "maximum-prefix 1", WANTED)
    assert lowered != WANTED
    device, ours = Device(running=lowered), sorted(frr_plan.owner_of(BGP, ROUTER).addresses)
    states = {ours[0]: "Idle (PfxCt)", ours[1]: "Established", "198.51.100.77": "Idle (PfxCt)"}
    told = {"ipv4Unicast": {"peers": {address: {"state": state} for address, state in states.items()}}}
    device.answers["summary"] = Said(0, json.dumps(told), "")
    device.router().present()
    assert device.scripts["start"] == [frr_scripts.start(ours[0])]


def test_restored() -> None:
    device = Device(running=WANTED, file=WANTED)
    device.stubborn = True
    with pytest.raises(MeshwrightError, match="not as sent"):
        device.router().restored({"text": ""})
    plan = frr_plan.plan(WANTED, "", frr_plan.owner_of(BGP, ROUTER))
    assert plan.after == FOREIGN


def test_json_comes_through_the_shell_as_it_is() -> None:
    """sh's echo would make a line end of the two characters that FRR writes into a date."""
    said = r'{"routes":{"192.0.2.7/32":[{"lastUpdate":"Sat\n","bestpath":{"overall":true},"nexthops":[{"ip":"a"}]}]}}'
    script = f"vtysh() {{ printf '%s' '{said}'; }}\n{router_readers.script(())}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    view = router_readers.view_of(router_readers.sections(done.stdout))
    assert [route.next_hops for route in view.routes] == [("a",), ("a",)]
