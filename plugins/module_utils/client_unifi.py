# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP part of the UniFi Network application, by the API that its own pages use. Runs on the controller.

It is not a published API; paths and fields are those that github.com/ubiquiti-community/go-unifi uses and measures, the
errors those that its users report. Networks are read in the older API's form, whose answers have `meta` and `data`.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Answer, Https, Unanswered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

# Five logins a minute are allowed; the answer does not say when the next one is.
PATIENCE = 75.0
PAUSE = 15.0
_PREFIX = "/proxy/network"
_TOKEN = re.compile(r"(?:^|[,;\s])TOKEN=([^;,\s]+)")
_SITE = re.compile(r"[A-Za-z0-9_-]+")
_UPGRADE = "BGP needs UniFi OS 4.1.13 or later and a gateway that supports it, adopted at this site"


@dataclass(frozen=True)
class Stored:
    """The one BGP file that a site has."""

    text: str
    file_name: str = ""
    description: str = ""
    enabled: bool = True


@dataclass(frozen=True)
class Network:
    """A network of the site, with the prefixes that the gateway routes for it."""

    name: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class Credentials:
    """An API key, or else a local account."""

    api_key: str = ""
    username: str = ""
    password: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.api_key, self.password)))


class Unifi:
    """One site of one application. `notes` tells what the user should know of how it went."""

    def __init__(
        self, https: Https, site: str, credentials: Credentials, clock: Clock = CLOCK, patience: float = PATIENCE
    ) -> None:
        self._https, self._clock, self._patience = https, clock, patience
        self._who = credentials
        self._cookie = self._csrf = ""
        self.notes: list[str] = []
        if not credentials.api_key and not (credentials.username and credentials.password):
            raise MeshwrightError(
                f"the account for {https.name}", host=https.host, seen="missing",
                wanted="bgp_unifi_api_key, or bgp_unifi_username with bgp_unifi_password",
                remedy="make an API key in the application and put it into the vault",
            )
        if not _SITE.fullmatch(site):
            raise MeshwrightError(
                "bgp_unifi_site", host=https.host, seen=repr(site), wanted="the site's short name, such as default",
                remedy="take it from the address bar: /network/<site>/…",
            )
        self.site = site

    # -- what there is

    def bgp(self) -> Stored | None:
        answer = self._ask("GET", self._bgp)
        found = self._https.json(answer, f"GET {self._bgp}")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._unexpected("GET", self._bgp, answer, "a list of BGP configurations")
        return _stored(found[0]) if found else None

    def networks(self) -> tuple[Network, ...]:
        path = f"{_PREFIX}/api/s/{self.site}/rest/networkconf"
        answer = self._ask("GET", path)
        found = self._https.json(answer, f"GET {path}")
        data = found.get("data") if isinstance(found, dict) else None
        if not isinstance(data, list):
            raise self._unexpected("GET", path, answer, "networks in `data`")
        return tuple(_network(item) for item in data if isinstance(item, dict) and _is_inside(item))

    # -- what becomes of it

    def write(self, wanted: Stored) -> None:
        """Replaces the whole file. Fields left out would be emptied, so all are sent."""
        self._ask("POST", self._bgp, {
            "frr_bgpd_config": wanted.text, "uploaded_file_name": wanted.file_name,
            "description": wanted.description, "enabled": wanted.enabled,
        })

    def remove(self) -> None:
        self._ask("DELETE", self._bgp, {})

    # -- requests

    @property
    def _bgp(self) -> str:
        return f"{_PREFIX}/v2/api/site/{self.site}/bgp/config"

    def _ask(self, method: str, path: str, data: t.Any = None) -> Answer:
        """A request as somebody who is logged in; once more where the session or its token had run out meanwhile."""
        if not self._who.api_key and not self._cookie:
            self._login()
        answer = self._patiently(method, path, data)
        if not self._who.api_key and _session_is_over(answer):
            self._login()
            answer = self._patiently(method, path, data)
        self._judge(method, path, answer)
        return answer

    def _login(self) -> None:
        self._cookie = self._csrf = ""
        path = "/api/auth/login"
        answer = self._patiently("POST", path, {"username": self._who.username, "password": self._who.password})
        if answer.status in (401, 403):
            raise MeshwrightError(
                f"the login of {self._who.username!r} at {self._https.name} ({self._https.where})",
                host=self._https.host, seen=f"refused ({answer.status} {self._https.quote(answer)})", wanted="accepted",
                remedy="use a local account (not a ui.com one) with rights on Network, or better an API key",
            )
        self._judge("POST", path, answer)
        token = _TOKEN.search(answer.headers.get("set-cookie", ""))
        if not token:
            raise self._unexpected("POST", path, answer, "a cookie TOKEN")
        self._cookie = f"TOKEN={token.group(1)}"

    def _patiently(self, method: str, path: str, data: t.Any) -> Answer:
        """A request that waits while there were too many, up to a limit, and says so."""
        start, answer = self._clock.now(), self._once(method, path, data)
        if answer.status != 429:
            return answer
        while answer.status == 429:
            pause = _retry_after(answer) or PAUSE
            waited = self._clock.now() - start
            if waited + pause > self._patience:
                raise Unreachable(
                    f"{method} {path} at {self._https.name} ({self._https.where})", host=self._https.host,
                    seen=f"still refused after {waited:.0f} s: too many (429 {self._https.quote(answer)})",
                    wanted=f"an answer within {self._patience:.0f} s",
                    remedy="logins are limited to five a minute: use an API key, or let other clients of this account "
                    "rest and run again",
                )
            self._clock.sleep(pause)
            answer = self._once(method, path, data)
        waited = self._clock.now() - start
        self.notes.append(f"{self._https.name} had too many requests; waited {waited:.0f} s for {method} {path}")
        return answer

    def _once(self, method: str, path: str, data: t.Any) -> Answer:
        headers = {"X-API-KEY": self._who.api_key} if self._who.api_key else {}
        if self._cookie:
            headers["Cookie"] = self._cookie
        if self._csrf:
            headers["X-Csrf-Token"] = self._csrf
        answer = self._https.request(method, path, data=data, headers=headers)
        # The token changes while the session lasts; whoever keeps the old one is refused.
        self._csrf = answer.headers.get("x-updated-csrf-token") or answer.headers.get("x-csrf-token") or self._csrf
        return answer

    # -- errors, by their shape

    def _judge(self, method: str, path: str, answer: Answer) -> None:
        said = answer.data
        wrong = isinstance(said, dict) and (
            isinstance(said.get("error"), dict) or (said.get("meta") or {}).get("rc", "ok") != "ok"
        )
        if 200 <= answer.status < 300 and not wrong:
            return
        # What is behind a proxy may be at it still when the proxy answers for it.
        kind = Unanswered if answer.status >= 500 else MeshwrightError
        thing = f"the answer of {self._https.name} ({self._https.where}) to {method} {path}"
        seen = f"{answer.status} {self._https.quote(answer)}"
        raise kind(thing, host=self._https.host, seen=seen, wanted="success", remedy=self._remedy(answer))

    def _remedy(self, answer: Answer) -> str:
        text = answer.text
        if "BgpUnsupportedDevice" in text:
            return _UPGRADE
        if "NoSiteContext" in text:
            return f"see bgp_unifi_site: there is no site {self.site!r} for this account"
        if answer.status == 401:
            return "see that the API key is right, still there, and made for Network on this very console"
        if answer.status == 403:
            return "give the account or key rights to change Network's settings"
        if answer.status == 404:
            return f"see bgp_unifi_url and bgp_unifi_site; {_UPGRADE}"
        if answer.status >= 500:
            return "see that the Network application is up, and run again"
        return "see what it says"

    def _unexpected(self, method: str, path: str, answer: Answer, wanted: str) -> MeshwrightError:
        return MeshwrightError(
            f"the answer of {self._https.name} ({self._https.where}) to {method} {path}", host=self._https.host,
            seen=f"{answer.status} {self._https.quote(answer)}", wanted=wanted,
            remedy="this version of the application is not known to this collection; report it with the version",
        )


def _session_is_over(answer: Answer) -> bool:
    """401 of a session, 403 of a token that was not the newest: nothing was done, so it may be repeated."""
    return (answer.status == 401 and "NoSiteContext" not in answer.text) or (
        answer.status == 403 and "csrf" in answer.text.lower()
    )


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _stored(found: t.Mapping[str, t.Any]) -> Stored:
    return Stored(
        text=str(found.get("frr_bgpd_config") or ""), file_name=str(found.get("uploaded_file_name") or ""),
        description=str(found.get("description") or ""), enabled=bool(found.get("enabled", False)),
    )


def _is_inside(found: t.Mapping[str, t.Any]) -> bool:
    return bool(found.get("enabled", True)) and found.get("purpose") != "wan"


def _network(found: t.Mapping[str, t.Any]) -> Network:
    """`ip_subnet` and `ipv6_subnet` are the gateway's own address with the prefix's length."""
    prefixes = []
    for key in ("ip_subnet", "ipv6_subnet"):
        try:
            prefixes.append(str(ipaddress.ip_interface(str(found[key])).network))
        except (KeyError, ValueError):
            continue  # networks without one: VLANs that another router serves, WANs by DHCP
    return Network(str(found.get("name") or ""), tuple(prefixes))
