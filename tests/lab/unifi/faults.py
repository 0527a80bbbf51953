"""What a test makes go wrong: a list of faults in a file, read at each request.

Each is an object with `kind` and, where it is not to be all requests, `methods` (a list), `path` (a part of it) and
`times` (how often; counted anew when the file changes). The kinds:

* `status` — answers with `status` (default 500) in the shape of the application's errors;
* `page` — a page of HTML with `status` (default 502), as when the application is down behind its web server;
* `unauthorized` — 401; `too_many` — 429; `unsupported` — 404, the gateway has no BGP;
* `logout` — all sessions end first;
* `slow` — waits `seconds` before it begins; `late` — carries out, then waits `seconds` before it answers;
* `cut` — carries out, then ends the connection without an answer;
* `lose` — says that it was stored, and stores nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unifi.wire import Answer, Request, account_error, console_error, error, page

KINDS = frozenset({
    "status", "page", "unauthorized", "too_many", "unsupported", "logout", "slow", "late", "cut", "lose",
})  # fmt: skip


class Faults:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""
        self._faults: list[dict[str, Any]] = []

    def of(self, request: Request) -> dict[str, dict[str, Any]]:
        """Those that this request meets, by kind; each one is used up by one."""
        self._refresh()
        found = {}
        for fault in self._faults:
            if fault["kind"] not in found and fault.get("times", 1) > 0 and _meets(fault, request):
                found[fault["kind"]] = fault
                if "times" in fault:
                    fault["times"] -= 1
        return found

    def _refresh(self) -> None:
        text = self._path.read_text() if self._path.exists() else ""
        if text == self._text:
            return
        faults = json.loads(text or "[]")
        unknown = sorted({str(fault.get("kind")) for fault in faults} - KINDS)
        if unknown:
            raise ValueError(f"{self._path}: unknown kinds of faults: {', '.join(unknown)}")
        self._text, self._faults = text, faults


def _meets(fault: dict[str, Any], request: Request) -> bool:
    return request.method in fault.get("methods", [request.method]) and fault.get("path", "") in request.path


def instead(faults: dict[str, dict[str, Any]]) -> Answer | None:
    """The answer of a fault that keeps the request from being carried out."""
    if "page" in faults:
        return page(faults["page"].get("status", 502), "502 Bad Gateway")
    if "status" in faults:
        status = faults["status"].get("status", 500)
        return error(status, "api.err.Unknown", faults["status"].get("message", "An unknown error has occurred"))
    if "unauthorized" in faults:
        return console_error(401, "Unauthorized")
    if "too_many" in faults:
        return account_error(429, "AUTHENTICATION_FAILED_LIMIT_REACHED", "You've reached the login attempt limit")
    if "unsupported" in faults:
        return error(404, "api.err.BgpUnsupportedDevice", "Device doesn't support BGP")
    return None
