"""What the application remembers: one BGP file for the site, and the site's networks. Files, so that tests can see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SITE = "default"
# What a new site has.
NETWORKS = [
    {
        "_id": "66f000000000000000000001", "site_id": "66f000000000000000000000", "name": "Default",
        "purpose": "corporate", "ip_subnet": "192.168.1.1/24", "networkgroup": "LAN", "enabled": True,
    },
    {
        "_id": "66f000000000000000000002", "site_id": "66f000000000000000000000", "name": "Internet 1",
        "purpose": "wan", "wan_type": "dhcp", "wan_networkgroup": "WAN", "enabled": True,
    },
]  # fmt: skip


class State:
    """`bgp.json` and `networks.json` in a directory; a test may write either."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._bgp, self._networks = directory / "bgp.json", directory / "networks.json"

    @property
    def bgp(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = _read(self._bgp, None)
        return found

    @bgp.setter
    def bgp(self, value: dict[str, Any] | None) -> None:
        if value is None:
            self._bgp.unlink(missing_ok=True)
            return
        _write(self._bgp, value)

    @property
    def networks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = _read(self._networks, NETWORKS)
        return found


def _read(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return default


def _write(path: Path, value: Any) -> None:
    scratch = path.with_name(f".{path.name}")
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(value, indent=1) + "\n")
    scratch.replace(path)
