# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to a VyOS router: its HTTP API, and its command line through Ansible's network_cli. Same methods.

Texts and shapes: vyos-1x, src/services/api/rest (1.5) and src/services/vyos-http-api-server (1.3, 1.4); VyOS
documentation, automation/vyos-api and cli. Everything is asked one after the other: the API has one session for all.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_vyos import Path
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Answer, Https
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.vyos_plan import Op, flat

# A commit of a few hundred paths takes a real router some tens of seconds.
COMMIT_TIMEOUT = 180.0
CONFIRM_ACTION = ("system", "config-management", "commit-confirm")
_NOTHING_PENDING = "No confirm pending"
_OTHER_PENDING = "Another confirm is pending"


class Refused(MeshwrightError):
    """The router answered, and did not do it."""


class Pending(Refused):
    """A commit-confirm of somebody else runs."""


class Device(t.Protocol):
    """What a run needs of a router, whatever it is spoken to through."""

    host: str

    @property
    def with_confirm(self) -> bool:
        """Whether a commit can take itself back."""

    def read(self, head: Path) -> set[Path]: ...

    def commit(self, ops: t.Sequence[Op], minutes: int) -> None: ...

    def confirm(self) -> bool: ...

    def save(self) -> None: ...

    def show(self, *words: str) -> str: ...


def release(device: Device) -> str:
    """The first two numbers of what the router says of itself; empty when it is not to be told."""
    found = re.search(r"Version:\s*(?:VyOS\s+)?(\d+\.\d+)", device.show("version"))
    return found.group(1) if found else ""


def reloads(paths: t.Iterable[Path]) -> bool:
    """Whether a commit that nobody confirms is undone by a reload; by default it is by a reboot."""
    return any(path[:3] == CONFIRM_ACTION and path[-1] == "reload" for path in paths)


# -- HTTP


class Http:
    """The API. Its key is known to `https` as a secret, so that it is in nothing that is quoted."""

    def __init__(self, https: Https, key: str, version: str) -> None:
        self.host, self._https, self._key = https.host, https, key
        self.with_confirm = version == "1.5"

    def read(self, head: Path) -> set[Path]:
        """All paths below one. An absent path is an error to showConfig, so it is asked for first."""
        if not self._retrieve("exists", head):
            return set()
        try:
            return {path for path in flat(self._retrieve("showConfig", head), head) if path != head}
        except Refused as error:
            if "is empty" in error.seen:  # a node that is there, with nothing in it
                return set()
            raise

    def commit(self, ops: t.Sequence[Op], minutes: int) -> None:
        """Set and delete as one commit. Raises Unanswered when nobody knows whether it was made."""
        commands = [{"op": op.verb, "path": list(op.path)} for op in ops]
        timed = {"confirm_time": minutes} if minutes and self.with_confirm else {}
        try:
            self._post("/configure", {"commands": commands, **timed}, "the commit", COMMIT_TIMEOUT)
        except Pending:
            raise
        except Refused as error:
            if timed and not re.search("(Set|Delete) failed|not valid", error.seen):
                self.confirm()  # its clock was started before the commit failed, and would restart the router
            raise

    def confirm(self) -> bool:
        """Whether there was something to confirm."""
        if not self.with_confirm:
            return False
        # As a form it would need a path.
        answer = self._https.request(
            "POST", "/configure", data={"op": "confirm", "key": self._key}, timeout=COMMIT_TIMEOUT
        )
        return _NOTHING_PENDING not in str(self._unwrapped(answer, "the confirmation") or "")

    def save(self) -> None:
        self._post("/config-file", {"op": "save"}, "saving")

    def show(self, *words: str) -> str:
        return str(self._post("/show", {"op": "show", "path": list(words)}, f"show {' '.join(words)}") or "")

    def _retrieve(self, op: str, path: Path) -> t.Any:
        return self._post("/retrieve", {"op": op, "path": list(path)}, f"{op} {' '.join(path)}")

    def _post(self, endpoint: str, data: t.Any, asked: str, timeout: float | None = None) -> t.Any:
        form = {"data": json.dumps(data), "key": self._key}
        return self._unwrapped(self._https.request("POST", endpoint, form=form, timeout=timeout), asked)

    def _unwrapped(self, answer: Answer, asked: str) -> t.Any:
        if answer.status in (502, 503, 504) or (answer.is_html and answer.status >= 500):
            raise Unreachable(
                f"the VyOS API at {self._https.where}", host=self.host,
                seen=f"not up behind its web server ({answer.status} {self._https.quote(answer)})", wanted="an answer",
                remedy="see `show log` on the router; the API starts after the web server",
            )
        if answer.status == 404:
            raise Refused(
                f"the VyOS API at {self._https.where}", host=self.host, seen="404: not there", wanted="the REST API",
                remedy="set service https api rest (1.5), and a key in service https api keys",
            )
        told = self._https.json(answer, asked)
        if answer.status == 200 and isinstance(told, dict) and told.get("success") is True:
            return told.get("data")
        text = told.get("error") if isinstance(told, dict) else told
        raise self._refused(answer.status, self._https.scrub(html.unescape(str(text or told))), asked)

    def _refused(self, status: int, text: str, asked: str) -> MeshwrightError:
        if status in (401, 403):
            return Refused(
                "bgp_vyos_key", host=self.host, seen=f"refused ({text})", wanted="a key of the router's",
                remedy="compare it with service https api keys on the router",
            )
        if _OTHER_PENDING in text:
            return _pending(self.host)
        return Refused(f"the router's answer to {asked}", host=self.host, seen=f"{status} {text}")


def _pending(host: str) -> Pending:
    return Pending(
        "a commit-confirm", host=host, seen="running already, begun by somebody else or by a run that was cut off",
        wanted="none", remedy="confirm it on the router, or wait until it has gone back by itself",
    )


# -- the command line


class Cli:
    """Through network_cli and vyos.vyos: `connection` is Ansible's way to the persistent connection's process.

    `commit-confirm` is used only where the router reloads for it: its default is to reboot.
    """

    def __init__(self, connection: t.Any, host: str, secrets: t.Iterable[str] = ()) -> None:
        self.host, self._connection = host, connection
        self._secrets = [secret for secret in secrets if secret]
        self._paths: set[Path] | None = None

    @property
    def with_confirm(self) -> bool:
        return reloads(self._all())

    def read(self, head: Path) -> set[Path]:
        self._paths = None
        return {path for path in self._all() if path[:len(head)] == head and path != head}

    def commit(self, ops: t.Sequence[Op], minutes: int) -> None:
        self._paths, confirms = None, bool(minutes) and self.with_confirm
        last: list[t.Any] = ["commit"]
        if confirms:
            last = [{"command": f"commit-confirm {minutes}", "prompt": r"[Pp]roceed ?\?.*", "answer": "y"}]
        try:
            self._run(["configure", *(self._line(op) for op in ops), *last, "exit"])
        except MeshwrightError:
            self._connection.run_commands(commands=["exit discard"], check_rc=False)
            raise
        finally:
            self._paths = None

    def confirm(self) -> bool:
        if not self.with_confirm:
            return False
        return _NOTHING_PENDING not in "".join(self._run(["configure", "confirm", "exit"]))

    def save(self) -> None:
        self._run(["configure", "save", "exit"])

    def show(self, *words: str) -> str:
        return "".join(self._run([f"show {' '.join(words)}"]))

    def _all(self) -> set[Path]:
        if self._paths is None:
            lines = "".join(self._run(["show configuration commands"])).splitlines()
            self._paths = {tuple(shlex.split(line)[1:]) for line in lines if line.startswith("set ")}
        return self._paths

    def _line(self, op: Op) -> str:
        strange = [word for word in op.path if "'" in word or not word.isprintable()]
        if strange:
            raise MeshwrightError(
                f"the path {' '.join(op.path[:-1])}", host=self.host, seen="with a value that cannot be typed",
                wanted="one without quotes", remedy="choose another, or bgp_vyos_transport: http",
            )
        return f"{op.verb} " + " ".join(f"'{word}'" for word in op.path)

    def _run(self, commands: t.Sequence[t.Any]) -> list[str]:
        try:
            return [str(text) for text in self._connection.run_commands(commands=list(commands))]
        except Exception as error:  # the connection's own class is Ansible's, and says everything in its text
            raise self._told(str(error)) from None

    def _told(self, text: str) -> MeshwrightError:
        for secret in self._secrets:
            text = text.replace(secret, "********")
        if _OTHER_PENDING in text:
            return _pending(self.host)
        if re.search(r"timed? ?out|timeout", text):
            return Unreachable("the router's command line", host=self.host, seen=f"silent ({text[-300:]})")
        return Refused("the router's command line", host=self.host, seen=f"not taking it ({text[-600:]})")
