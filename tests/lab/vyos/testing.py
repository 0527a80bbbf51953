# SPDX-License-Identifier: GPL-3.0-or-later
"""A router without FRR and without sockets, for the tests of this package."""

from __future__ import annotations

import json
import typing as t
import urllib.parse
from pathlib import Path

from vyos import initial
from vyos.api import Api
from vyos.device import Device
from vyos.frr import FrrError

KEY = "a-key-of-the-lab"
ENV = {"VYOS_KEY": KEY, "VYOS_HOSTNAME": "vyos1", "ROUTER_ASN": "64512", "ROUTER_ID": "192.0.2.3",
       "CLIENT_ASN": "64999", "CLIENT_ADDRESSES": "198.51.100.20,2001:db8:1::20"}
VERSIONS = ("1.3", "1.4", "1.5")


Make = t.Callable[[str], "Router"]


class FakeFrr:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refuses = False

    def apply(self, text: str) -> None:
        if self.refuses:
            raise FrrError("% Unknown command")
        self.texts.append(text)

    def show(self, words: t.Sequence[str]) -> str:
        return "% Unknown command\n" if "nonsense" in words else f"FRR shows {' '.join(words)}\n"

    @property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.texts[-1].splitlines()]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Router:
    """A device with its API, and the short way to ask it."""

    def __init__(self, version: str, state: Path) -> None:
        self.version, self.state = version, state
        self.frr, self.clock = FakeFrr(), Clock()
        self.begin(booted=True)

    def begin(self, booted: bool) -> None:
        self.device = Device(self.version, self.state, self.frr, self.clock)
        self.device.start(lambda: initial.config(self.device.spec, self.version, ENV), booted)
        self.api = Api(self.device)

    def faults(self, **faults: t.Any) -> None:
        (self.state / "faults.json").write_text(json.dumps(faults))

    @property
    def bgp(self) -> list[str]:
        return ["protocols", "bgp", "64512"] if self.version == "1.3" else ["protocols", "bgp"]

    def post(self, endpoint: str, data: t.Any, key: str | None = KEY) -> tuple[int, dict[str, t.Any]]:
        """As the documentation's curl has it: a form."""
        form = {"data": data if isinstance(data, str) else json.dumps(data)} | ({"key": key} if key else {})
        body = urllib.parse.urlencode(form).encode()
        answer = self.api.answer(endpoint, "application/x-www-form-urlencoded", body)
        return answer.status, json.loads(answer.text)

    def configure(self, *lines: str, **more: t.Any) -> tuple[int, dict[str, t.Any]]:
        """`set …` and `delete …` as one request; `BGP` stands for where BGP is in this version."""
        commands = []
        for line in lines:
            op, *path = line.split()
            path = [word for part in path for word in (self.bgp if part == "BGP" else [part])]
            commands.append({"op": op, "path": path})
        return self.post("/configure", {"commands": commands, **more} if more else commands)

    def done(self, *lines: str, **more: t.Any) -> t.Any:
        status, answer = self.configure(*lines, **more)
        assert (status, answer["success"]) == (200, True), answer
        return answer["data"]

    def refused(self, *lines: str, **more: t.Any) -> str:
        status, answer = self.configure(*lines, **more)
        assert (status, answer["success"], answer["data"]) == (400, False, None), answer
        return str(answer["error"])

    def exists(self, *path: str) -> bool:
        words = [word for part in path for word in (self.bgp if part == "BGP" else [part])]
        return bool(self.post("/retrieve", {"op": "exists", "path": words})[1]["data"])
