# SPDX-License-Identifier: GPL-3.0-or-later
"""How single values of the BGP description have to look. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Timers, owned_name
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import Findings, refuse
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_spec import show
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import address, networks, number

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = re.compile(_LABEL)
HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LABEL_KEY = re.compile(rf"({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ROOM = 63  # of a name that also becomes a label's value

# IANA's register of AS numbers: 0 (RFC 7607), 23456 (RFC 6793), 65535 and 4294967295 (RFC 7300).
_RESERVED = {0: "RFC 7607", 23456: "AS_TRANS, RFC 6793", 65535: "RFC 7300", 4294967295: "RFC 7300"}
_LAST_ASN = 4294967295

_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}  # → whether they take values
# What Cilium's CRD of peers allows: pkg/k8s/apis/cilium.io/v2/bgp_peer_types.go. Hold times of 1 and 2: RFC 4271, 4.2.
_TIMERS = {"hold": (3, 65535), "keepalive": (1, 65535), "connect_retry": (1, 65535), "restart": (0, 4095)}


def judge_asn(host: str, check: str, name: str, value: t.Any) -> Findings:
    asn = number(value)
    if asn is None:
        yield refuse(
            host, check, name, "missing" if value is None else repr(value), "an AS number",
            f"set {name}, 64512 to 65534 for networks of one's own",
        )
    elif asn in _RESERVED or not 0 < asn < _LAST_ASN:
        why = f", reserved ({_RESERVED[asn]})" if asn in _RESERVED else ""
        yield refuse(
            host, check, name, f"{asn}{why}", "1 to 4294967294 without the reserved ones",
            "take one of 64512 to 65534, or of 4200000000 to 4294967294",
        )


def judge_name(host: str, check: str, thing: str, name: str, cluster: str, dots: bool = False) -> Findings:
    """Names become parts of names in Kubernetes and on routers."""
    room = _ROOM - len(owned_name(cluster)) - 1
    if not (HOST_NAME if dots else NAME).fullmatch(name) or len(name) > room:
        seen = f"{name!r}, {len(name)} long" if len(name) > room else repr(name)
        yield refuse(
            host, check, thing, seen,
            f"at most {room} small letters, digits and dashes, with a letter or digit at both ends (RFC 1123)",
            "rename it" + (" in the inventory, and keep its address in ansible_host" if dots else ""),
        )


def judge_twice(host: str, check: str, thing: str, names: t.Sequence[str]) -> Findings:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield refuse(
            host, check, thing, f"{name!r} for {names.count(name)} of them", "a name for each", "rename all but one"
        )


def judge_prefixes(host: str, check: str, thing: str, values: t.Iterable[t.Any]) -> Findings:
    for value in values:
        text = str(value)
        network = next(iter(networks(text)), None)
        if network is None or "/" not in text:
            yield refuse(
                host, check, thing, repr(text), "a network with its prefix length", "write 198.51.100.0/24, say"
            )
        elif address(text.split("/")[0]) != network.network_address:
            yield refuse(host, check, thing, repr(text), f"{network}, without host bits", f"write {network}")


def judge_addresses(host: str, check: str, thing: str, values: t.Sequence[t.Any]) -> Findings:
    """Addresses that a session can have at its ends: one of each family at most."""
    good = []
    for value in values:
        ip = address(value)
        if ip is None or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            yield refuse(
                host, check, thing, repr(str(value)), "an address that the other side reaches",
                "write the address in the nodes' network, without prefix length and zone",
            )
        else:
            good.append(ip.version)
    if len(good) > len(set(good)):
        yield refuse(
            host, check, thing, f"{len(good)} addresses", "one IPv4 and one IPv6 address at most",
            "keep the one that sessions are to use",
        )


def judge_router_id(host: str, check: str, thing: str, value: t.Any) -> Findings:
    if value in (None, ""):
        return
    ip = address(value)
    if not isinstance(ip, ipaddress.IPv4Address) or not 1 <= int(ip) >> 24 <= 223 or ip.is_loopback:
        yield refuse(
            host, check, thing, repr(str(value)), "32 bits, written as an IPv4 address of 1.0.0.0 to 223.255.255.255",
            "write an address of the router's own, or any that no other router or node has",
        )


def judge_selector(host: str, check: str, thing: str, selector: t.Any) -> Findings:
    """A LabelSelector, as the API takes it."""
    if not isinstance(selector, dict):
        return
    for key in selector:
        if key not in ("matchLabels", "matchExpressions"):
            yield refuse(
                host, check, f"{thing}.{key}", "an unknown key", "matchLabels or matchExpressions",
                f"write matchLabels: {{{key}: …}} if {key} is a label",
            )
    labels = selector.get("matchLabels", {})
    good = isinstance(labels, dict) and all(_is_label(key, value) for key, value in labels.items())
    if not good:
        yield refuse(
            host, check, f"{thing}.matchLabels", show(labels), "labels' names and values, both text",
            "put values such as true and numbers in quotes",
        )
    expressions = selector.get("matchExpressions", [])
    if not isinstance(expressions, list) or not all(map(_is_expression, expressions)):
        yield refuse(
            host, check, f"{thing}.matchExpressions", show(expressions),
            "a list of key, operator (In, NotIn, Exists, DoesNotExist) and, for the first two, values",
            "write {key: …, operator: In, values: […]}",
        )


def _is_label(key: t.Any, value: t.Any) -> bool:
    return isinstance(value, str) and bool(_LABEL_KEY.fullmatch(str(key)) and _LABEL_VALUE.fullmatch(value))


def _is_expression(item: t.Any) -> bool:
    if not isinstance(item, dict) or not _LABEL_KEY.fullmatch(str(item.get("key"))):
        return False
    if set(item) - {"key", "operator", "values"} or item.get("operator") not in _OPERATORS:
        return False
    values = item.get("values") or []
    return isinstance(values, list) and bool(values) is _OPERATORS[item["operator"]]


def judge_communities(host: str, check: str, thing: str, item: t.Mapping[str, t.Any]) -> Findings:
    for name, parts, last in (("communities", 2, 65535), ("large_communities", 3, _LAST_ASN)):
        values = item.get(name)
        for value in values if isinstance(values, (list, tuple)) else ():
            numbers = str(value).split(":")
            if len(numbers) != parts or not all(_decimal(text, last) for text in numbers):
                example = ":".join(["65000", "100", "1"][:parts])
                yield refuse(
                    host, check, f"{thing}.{name}", repr(value), f"{parts} numbers up to {last}, such as {example}",
                    f"write '{example}', say, in quotes",
                )


def _decimal(text: str, last: int) -> bool:
    return bool(re.fullmatch(r"0|[1-9][0-9]{0,9}", text)) and int(text) <= last


def judge_timers(host: str, check: str, thing: str, timers: Timers) -> Findings:
    for name, (least, most) in _TIMERS.items():
        value = getattr(timers, name)
        if not least <= value <= most:
            yield refuse(
                host, check, f"{thing}.{name}", f"{value} s", f"{least} to {most} s",
                "hold times of 1 and 2 s are not allowed (RFC 4271)" if name == "hold" else "take a preset",
            )
            return
    if timers.hold < 3 * timers.keepalive:
        yield refuse(
            host, check, f"{thing}.hold", f"{timers.hold} s with a keepalive of {timers.keepalive} s",
            f"three times the keepalive or more, {3 * timers.keepalive} s",
            "otherwise one lost keepalive ends the session: raise hold, or lower keepalive",
        )
