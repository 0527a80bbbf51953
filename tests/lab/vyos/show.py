# SPDX-License-Identifier: GPL-3.0-or-later
"""Operational `show` commands, for the API and the command line. BGP and routes are the real vtysh's words."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime

from vyos.device import RELEASES, Device

# What goes to vtysh, by how the command begins.
TO_FRR = (("bgp",), ("ip", "bgp"), ("ip", "route"), ("ipv6", "bgp"), ("ipv6", "route"), ("ip", "prefix-list"),
          ("ipv6", "prefix-list"), ("route-map",))


class InvalidCommand(Exception):
    """Operational mode knows no such command."""


def show(device: Device, words: t.Sequence[str]) -> str:
    """The text of one command, without the word `show`."""
    words = tuple(words)
    if words in FIXED:
        return FIXED[words](device)
    # The definitions of operational mode end before FRR's `json`.
    if "json" not in words and any(words[: len(start)] == start for start in TO_FRR):
        text = device.sink.show(words)
        if "% Unknown command" not in text and "% Ambiguous command" not in text:
            return text
    raise InvalidCommand(f"\n  Invalid command: show [{' '.join(words)}]\n\n")


def _version(device: Device) -> str:
    release, train = RELEASES[device.version]
    rows = (("Version", f"VyOS {release}"), ("Release train", train), ("System type", "container"),
            ("Hardware vendor", "meshlab"), ("Hardware model", "stand-in"), ("Hardware S/N", "0"))
    return "".join(f"{key + ':':17} {value}\n" for key, value in rows)


def _host_name(device: Device) -> str:
    return (device.active.value("system", "host-name") or "vyos") + "\n"


def _commits(device: Device) -> str:
    lines = []
    for number, revision in enumerate(device.revisions):
        at = datetime.fromtimestamp(revision.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f"{number}   {at} by {revision.user} via {revision.via}\n")
        if revision.comment:
            lines.append(f"    {revision.comment}\n")
    return "".join(lines)


FIXED: dict[tuple[str, ...], t.Callable[[Device], str]] = {
    ("version",): _version,
    ("host", "name"): _host_name,
    ("system", "commit"): _commits,
    ("configuration",): lambda device: device.active.text(),
    ("configuration", "commands"): lambda device: "\n".join(device.active.commands()) + "\n",
    ("configuration", "json"): lambda device: json.dumps(device.active.as_json()) + "\n",
    ("lldp", "neighbors"): lambda device: "LLDP not configured\n",
    ("lldp", "neighbors", "detail"): lambda device: "LLDP not configured\n",
}
