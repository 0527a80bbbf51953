# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of frr_bgp on a router's shell: look, plan, check on the device, change, look again."""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    bgp_render_frr,
    frr_check,
    frr_commands,
    frr_plan,
    frr_scripts,
    router_view,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, Router
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import masked
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.raw_host import Shell, must

Result = dict[str, t.Any]


@dataclass(frozen=True)
class Pending:
    """A change that its timer will undo."""

    token: str
    former: str


@dataclass(frozen=True)
class Seen:
    running: str
    file: str
    pending: Pending | None


class FrrRouter:
    def __init__(self, shell: Shell, bgp: Bgp, router: Router, path: str, seconds: int, check: bool = False) -> None:
        self._shell, self._path, self._seconds, self._check = shell, path, seconds, check
        self._owner = frr_plan.owner_of(bgp, router)
        self._text = bgp_render_frr.config(bgp, router)
        self.warnings: list[str] = []

    # -- states

    def present(self) -> Result:
        frr_check.refuse(self._text)
        seen = self._look()
        now, file = self._plan(seen.running, self._text), self._plan(seen.file, self._text)
        former = seen.pending.former if seen.pending else now.former
        if now.changed or file.changed:
            self._check_on_device(file.after, file.wanted)
        waits = bool(self._seconds) and (now.changed or seen.pending is not None)
        if not self._check:
            self._claim(seen.pending)
            if waits:
                self._change_for_a_while(now, former)
            else:
                self._change(now, former)
                self._write(file)
        changed = now.changed or file.changed or seen.pending is not None
        return self._result(changed, now, file, former, pending=waits and not self._check)

    def confirmed(self) -> Result:
        seen = self._look()
        now, file = self._plan(seen.running, self._text), self._plan(seen.file, self._text)
        if now.changed:
            raise MeshwrightError(
                "the change", seen="not there: its timer has put the former configuration back, or somebody changed it",
                wanted="to be confirmed", remedy="send it again, with more bgp_frr_confirm_seconds if it took too long",
            )  # fmt: skip
        if not self._check:
            self._claim(seen.pending)
            self._write(file)
        return self._result(file.changed or seen.pending is not None, now, file, now.former, pending=False)

    def checked(self) -> Result:
        """What others will send to a router with FRR underneath, judged by that FRR. Changes nothing."""
        frr_check.refuse(self._text)
        self._check_on_device(self._text, self._text)
        return {"changed": False, "diff": [], "former": {}, "pending": False, "warnings": self.warnings}

    def absent(self) -> Result:
        return self._at_once("")

    def restored(self, former: t.Mapping[str, t.Any]) -> Result:
        return self._at_once(str(former.get("text") or ""))

    def _at_once(self, text: str) -> Result:
        """Without a timer: this is itself the way back."""
        seen = self._look()
        now, file = self._plan(seen.running, text), self._plan(seen.file, text)
        if not self._check:
            self._claim(seen.pending)
            self._change(now, now.former)
            self._write(file)
        changed = now.changed or file.changed or seen.pending is not None
        return self._result(changed, now, file, now.former, pending=False)

    def _result(self, changed: bool, now: frr_plan.Plan, file: frr_plan.Plan, former: str, pending: bool) -> Result:
        if now.left:
            self.warnings.append(
                "others peer with this router too, so settings of the whole instance stay as they are; not set: "
                + ", ".join(dict.fromkeys(now.left))
            )
        diff = [{"before_header": "running configuration", "after_header": "running configuration",
                 **frr_plan.shown(now.former, now.wanted)}]  # fmt: skip
        if file.changed and file.former != now.former:
            diff.append({"before_header": self._path, "after_header": self._path,
                         **frr_plan.shown(file.former, file.wanted)})  # fmt: skip
        return {
            "changed": changed, "diff": diff, "former": {"text": former}, "pending": pending, "warnings": self.warnings,
        }  # fmt: skip

    # -- looking

    def _look(self) -> Seen:
        running = must(self._shell, "FRR's running configuration", frr_scripts.RUNNING, hide=masked)
        said = self._shell.run(frr_scripts.read_file(self._path))
        if said.code == 4:
            raise MeshwrightError(
                f"the file {self._path}", seen="absent, with a file for each daemon instead",
                wanted="one file for all daemons",
                remedy="set `service integrated-vtysh-config`, then `write` in vtysh; or change bgp_frr_config_path",
            )  # fmt: skip
        if said.code not in (0, 3):
            raise MeshwrightError(f"the file {self._path}", seen=f"not readable ({said.err.strip()})", wanted="read")
        told = must(self._shell, "unconfirmed changes", frr_scripts.find_pending(self._owner.name))
        token, _, former = told.partition("\n")
        return Seen(running, said.out, Pending(token.strip(), former) if token.strip() else None)

    def _plan(self, have: str, want: str) -> frr_plan.Plan:
        return frr_plan.plan(have, want, self._owner)

    def _check_on_device(self, whole: str, own: str) -> None:
        """The whole file by vtysh, where only complaints of our lines stop us; ours alone by bgpd."""
        said = self._shell.run(frr_scripts.check_vtysh(whole), whole)
        ours = {line.strip() for line in masked(own).splitlines()}
        told = frr_check.of_vtysh(said.code, said.out + said.err, whole)
        frr_check.raised([item for item in told if not item.line or item.text in ours], "vtysh -C")
        self.warnings += [f"{self._path}, not ours: {frr_check.sentence(item)}" for item in told if item.line]
        said = self._shell.run(frr_scripts.check_bgpd(self._text), self._text)
        if said.code == 8:
            self.warnings.append("bgpd's program is not found on the router: only vtysh has checked the configuration")
            return
        complaints, _false_alarms = frr_check.of_bgpd(said.out + said.err, self._text)
        frr_check.raised(complaints, "bgpd -C")
        if said.code:
            raise MeshwrightError("bgpd's check", seen=f"not run (ended with {said.code}: {masked(said.err.strip())})")

    # -- changing

    def _change_for_a_while(self, now: frr_plan.Plan, former: str) -> None:
        owner, token = self._owner.name, secrets.token_hex(6)
        back = self._plan(now.after, former)
        for name, text in (
            ("former", former),
            ("revert.conf", frr_commands.commands(now.after, back.after)),
            ("revert.sh", frr_scripts.revert(owner, token)),
        ):
            must(self._shell, "the way back", frr_scripts.put(owner, token, name, text), text, hide=masked)
        must(self._shell, "the timer on the router", frr_scripts.arm(owner, token, self._seconds))
        try:
            self._change(now, former)
        except MeshwrightError:
            self._claim(Pending(token, former))  # it has been taken back already
            raise

    def _change(self, now: frr_plan.Plan, former: str) -> None:
        """What goes wrong half way is taken back at once."""
        script = frr_commands.commands(now.before, now.after)
        if not script:
            return
        try:
            self._apply(script)
            wanted = {(item, text) for item, text in frr_plan.differing(self._running(), now.after, self._owner)}
            if wanted:
                told = "; ".join(sorted(masked(text) for _item, text in wanted))
                raise MeshwrightError("FRR's running configuration", seen=f"not as sent: {told}", wanted="as sent")
            if frr_commands.limits(script):
                self._start_overflowed(now.after)
        except MeshwrightError:
            running = self._running()
            back = frr_commands.commands(running, self._plan(running, former).after)
            self._shell.run(frr_scripts.apply(back), back)
            raise

    def _start_overflowed(self, text: str) -> None:
        """A session that ended by its limit stays down for minutes, whatever the limit is now."""
        told = must(self._shell, "the sessions", frr_scripts.SUMMARY)
        ours = frr_plan.peers_of(text, self._owner)
        for address in router_view.overflowed(told):
            if address in ours:
                must(self._shell, f"a new start of the session with {address}", frr_scripts.start(address))

    def _running(self) -> str:
        return must(self._shell, "FRR's running configuration", frr_scripts.RUNNING, hide=masked)

    def _apply(self, script: str) -> None:
        said = self._shell.run(frr_scripts.apply(script), script)
        complaints = frr_check.of_vtysh(said.code, said.out + said.err, script)
        frr_check.raised(complaints, "FRR")

    def _write(self, file: frr_plan.Plan) -> None:
        if file.changed:
            script = frr_scripts.write_file(self._path, file.after)
            must(self._shell, f"the file {self._path}", script, file.after, hide=masked)

    def _claim(self, pending: Pending | None) -> None:
        if pending is not None:
            script = frr_scripts.claim(self._owner.name, pending.token)
            if self._shell.run(script).code == 7:
                raise MeshwrightError(
                    "an unconfirmed change", seen="just taken back by its timer", wanted="still there",
                    remedy="run again",
                )  # fmt: skip
