# SPDX-License-Identifier: GPL-3.0-or-later
"""How routers are reached: addresses, credentials, and how the other side is known. Pure."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_inventory import kind_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import FRR, UNIFI, VYOS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import Findings, refuse, warn
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, number

TRANSPORT = "bgp-transport"
_SHA256 = re.compile(r"(sha256:)?([0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)


def judge_transport(host: Host, existing: t.Collection[str]) -> Findings:
    kind = kind_of(host)
    if kind == UNIFI:
        yield from _judge_url(host, "bgp_unifi_url")
        yield from _judge_unifi_login(host)
        yield from _judge_trust(host, "bgp_unifi", existing)
    elif kind == VYOS:
        yield from _judge_vyos(host, existing)
    elif kind == FRR:
        yield from _judge_frr(host)
    yield from _judge_strangers(host, kind)


def _judge_url(host: Host, name: str) -> Findings:
    value = str(host.get(name) or "")
    parts = urllib.parse.urlsplit(value)
    if not value:
        yield refuse(host.name, TRANSPORT, name, "missing", "https://…", "write the address of the router's API")
    elif parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        yield refuse(
            host.name, TRANSPORT, name, repr(value), "https://host or https://host:port, and nothing more",
            "correct the address: the API's paths are known, and without TLS the secrets would go in clear",
        )


def _judge_unifi_login(host: Host) -> Findings:
    key, user, password = (host.get(f"bgp_unifi_{name}") for name in ("api_key", "username", "password"))
    if not key and not (user and password):
        half = "bgp_unifi_username without its password" if user else "missing"
        yield refuse(
            host.name, TRANSPORT, "bgp_unifi_api_key", half, "a key, or bgp_unifi_username and bgp_unifi_password",
            "make a key in the UniFi application (Control Plane, Integrations) and keep it with ansible-vault",
        )
    elif key and (user or password):
        yield warn(
            host.name, TRANSPORT, "bgp_unifi_username", "given beside bgp_unifi_api_key", "one of the two",
            "leave user and password out: the key is used, and logins are limited to five a minute",
        )


def _judge_trust(host: Host, prefix: str, existing: t.Collection[str]) -> Findings:
    fingerprint, path = str(host.get(f"{prefix}_fingerprint") or ""), str(host.get(f"{prefix}_ca_path") or "")
    if not fingerprint and not path:
        yield refuse(
            host.name, TRANSPORT, f"{prefix}_fingerprint", "missing",
            f"the SHA-256 of its certificate, or {prefix}_ca_path",
            "read it at the router itself: openssl x509 -in … -noout -fingerprint -sha256",
        )
    elif fingerprint and not _SHA256.fullmatch(fingerprint):
        yield refuse(
            host.name, TRANSPORT, f"{prefix}_fingerprint", f"{fingerprint[:80]!r}",
            "64 hexadecimal digits, colons or not", "write the certificate's SHA-256 fingerprint",
        )
    if path and path not in existing:
        yield refuse(
            host.name, TRANSPORT, f"{prefix}_ca_path", repr(path), "a file on the controller", "correct the path"
        )


def _judge_vyos(host: Host, existing: t.Collection[str]) -> Findings:
    version = str(host.get("bgp_vyos_version") or "")
    if not version:
        yield refuse(
            host.name, TRANSPORT, "bgp_vyos_version", "missing", "1.3, 1.4 or 1.5",
            "write it in quotes, as `show version` has it: BGP is spelled differently in each",
        )
    if version == "1.3":
        yield warn(
            host.name, TRANSPORT, "bgp_vyos_version", "1.3, out of support since April 2025", "1.4 or 1.5",
            "bring the router up to date",
        )
    minutes = number(host.get("bgp_vyos_confirm_minutes"))
    if minutes is not None and not 0 <= minutes <= 60:
        yield refuse(
            host.name, TRANSPORT, "bgp_vyos_confirm_minutes", str(minutes), "1 to 60, or 0 for none",
            "correct the number",
        )
    if host.get("bgp_vyos_transport", "http") == "network_cli":
        return
    yield from _judge_url(host, "bgp_vyos_url")
    yield from _judge_trust(host, "bgp_vyos", existing)
    if not host.get("bgp_vyos_key"):
        yield refuse(
            host.name, TRANSPORT, "bgp_vyos_key", "missing", "the key of its HTTP API",
            "set service https api keys id … key … there, and keep it here with ansible-vault",
        )


def _judge_frr(host: Host) -> Findings:
    path = str(host.get("bgp_frr_config_path") or "")
    if not path.startswith("/"):
        yield refuse(
            host.name, TRANSPORT, "bgp_frr_config_path", repr(path), "an absolute path", "write /etc/frr/frr.conf, say"
        )
    seconds = number(host.get("bgp_frr_confirm_seconds"))
    if seconds is not None and seconds and not 10 <= seconds <= 3600:
        yield refuse(
            host.name, TRANSPORT, "bgp_frr_confirm_seconds", str(seconds), "10 to 3600, or 0 for none",
            "give the sessions time to come up, and the router a way back",
        )


def _judge_strangers(host: Host, kind: str) -> Findings:
    for name in sorted(host.written):
        other = next((k for k in (UNIFI, VYOS, FRR) if k != kind and name.startswith(f"bgp_{k}_")), "")
        if kind and other and host.written[name] is not None:
            yield warn(
                host.name, TRANSPORT, name, f"given for a router of the group {kind}", "the variables of its own kind",
                f"leave it out, or move the host into {other}",
            )
