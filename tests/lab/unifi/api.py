"""Requests and what becomes of them, in the order in which the application judges them."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from unifi import faults as wrong
from unifi.accounts import Accounts
from unifi.faults import Faults
from unifi.state import SITE, State
from unifi.wire import Answer, Request, answer, console_error, error, legacy, legacy_error, page

LONGEST = {"description": 128, "uploaded_file_name": 256}
REQUIRED = ("frr_bgpd_config", "uploaded_file_name")
_BGP = re.compile(r"/proxy/network/v2/api/site/([^/]+)/bgp/config")
_NETWORKS = re.compile(r"/proxy/network/api/s/([^/]+)/rest/networkconf")

Provision = Callable[[dict[str, Any] | None], None]


class Api:
    """`provision` is told what is stored each time that it changes."""

    def __init__(
        self, state: State, accounts: Accounts, faults: Faults, provision: Provision,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._state, self._accounts, self._faults = state, accounts, faults
        self._provision, self._sleep = provision, sleep
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            met = self._faults.of(request)
        self._sleep(float(met.get("slow", {}).get("seconds", 0)))
        with self._lock:
            if "logout" in met:
                self._accounts.forget()
            given = wrong.instead(met) or self._routed(request, keep="lose" not in met)
        self._sleep(float(met.get("late", {}).get("seconds", 0)))
        return replace(given, cut="cut" in met)

    def _routed(self, request: Request, keep: bool) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/api/auth/login" and request.method == "POST":
            return self._accounts.login(request)
        if not path.startswith(("/api/", "/proxy/")):
            return page(200, "UniFi OS")
        refusal = self._accounts.refusal(request)
        if refusal:
            return refusal
        return self._accounts.rotated(request, self._network(request, path, keep))

    def _network(self, request: Request, path: str, keep: bool) -> Answer:
        if found := _BGP.fullmatch(path):
            if found.group(1) != SITE:
                return error(404, "api.err.NoSiteContext", "No site context")
            return self._bgp(request, keep)
        if found := _NETWORKS.fullmatch(path):
            if found.group(1) != SITE:
                return legacy_error(400, "api.err.NoSiteContext")
            return legacy(self._state.networks) if request.method == "GET" else legacy_error(400, "api.err.NotAllowed")
        return console_error(404, "Not Found")

    # -- the BGP file

    def _bgp(self, request: Request, keep: bool) -> Answer:
        stored = self._state.bgp
        if request.method == "GET":
            return answer(200, [stored] if stored else [])
        if request.method == "DELETE":
            self._store(None, keep)
            return answer(200, {})
        if request.method != "POST":
            return error(405, "api.err.MethodNotAllowed", f"{request.method} is not supported")
        refusal = _refusal(request.json)
        if refusal:
            return refusal
        wanted = _replaced(request.json, stored)
        self._store(wanted, keep)
        return answer(200 if stored else 201, wanted)

    def _store(self, wanted: dict[str, Any] | None, keep: bool) -> None:
        if keep:
            self._state.bgp = wanted
            self._provision(wanted)


def _refusal(given: Any) -> Answer | None:
    if not isinstance(given, dict):
        return error(400, "api.err.InvalidPayload", "The body is not a JSON object")
    for field in REQUIRED:
        if not given.get(field):
            return error(400, "api.err.InvalidPayload", f"{field}: must not be null")
    for field, longest in LONGEST.items():
        if len(str(given.get(field) or "")) > longest:
            return error(400, "api.err.InvalidPayload", f"{field}: at most {longest} characters")
    return None


def _replaced(given: dict[str, Any], stored: dict[str, Any] | None) -> dict[str, Any]:
    """Replaced, not merged: what is left out is off and empty. The text is stored unread."""
    return {
        "_id": stored["_id"] if stored else secrets.token_hex(12),
        "site_id": "66f000000000000000000000",
        "frr_bgpd_config": given["frr_bgpd_config"],
        "uploaded_file_name": given["uploaded_file_name"],
        "description": given.get("description") or "",
        "enabled": bool(given.get("enabled", False)),
    }
