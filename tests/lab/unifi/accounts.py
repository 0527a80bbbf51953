"""Who may ask: a key in each request, or a login whose session carries a token that changes."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from unifi.wire import Answer, Request, account_error, answer, console_error

LOGINS, MINUTE = 5, 60.0
_TOKEN = re.compile(r"(?:^|;\s*)TOKEN=([^;\s]+)")


class Accounts:
    def __init__(
        self, api_key: str, username: str, password: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api_key, self._username, self._password, self._clock = api_key, username, password, clock
        self._logins: list[float] = []
        self._sessions: dict[str, str] = {}  # cookie to CSRF token

    def login(self, request: Request) -> Answer:
        """Every attempt counts; the answer to too many does not say when to come back."""
        now = self._clock()
        self._logins = [at for at in self._logins if now - at < MINUTE]
        if len(self._logins) >= LOGINS:
            return account_error(429, "AUTHENTICATION_FAILED_LIMIT_REACHED", "You've reached the login attempt limit")
        self._logins.append(now)
        given = request.json if isinstance(request.json, dict) else {}
        known = _same(given.get("username"), self._username) and _same(given.get("password"), self._password)
        if not known:
            return account_error(403, "AUTHENTICATION_FAILED_INVALID_CREDENTIALS", "Invalid username or password")
        cookie, token = secrets.token_urlsafe(24), secrets.token_hex(16)
        self._sessions[cookie] = token
        headers = {"Set-Cookie": f"TOKEN={cookie}; path=/; samesite=none; secure; httponly", "X-Csrf-Token": token}
        return answer(200, {"username": self._username, "isOwner": True}, headers)

    def refusal(self, request: Request) -> Answer | None:
        """None for those who may. A session that writes needs its token, and the newest."""
        if "x-api-key" in request.headers:
            return None if _same(request.headers["x-api-key"], self._api_key) else console_error(401, "Unauthorized")
        token = self._sessions.get(_cookie(request))
        if token is None:
            return console_error(401, "Unauthorized")
        if request.method != "GET" and not _same(request.headers.get("x-csrf-token"), token):
            return answer(403, {"message": "Invalid CSRF Token"})
        return None

    def rotated(self, request: Request, given: Answer) -> Answer:
        """After each request that writes there is a new token, and only that one is taken."""
        cookie = _cookie(request)
        if request.method == "GET" or cookie not in self._sessions or "x-api-key" in request.headers:
            return given
        self._sessions[cookie] = secrets.token_hex(16)
        return replace(given, headers={**given.headers, "X-Updated-Csrf-Token": self._sessions[cookie]})

    def forget(self) -> None:
        """All sessions end, as when the console restarts."""
        self._sessions.clear()


def _cookie(request: Request) -> str:
    found = _TOKEN.search(request.headers.get("cookie", ""))
    return found.group(1) if found else ""


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())
