# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions that speak to a router's HTTPS API have in common."""

from __future__ import annotations

import typing as t

TEXT: dict[str, t.Any] = {"type": "str", "default": ""}
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "description": {"type": "dict", "required": True},
    "router": {"type": "str", "required": True},
    "state": {
        "type": "str", "default": "present", "choices": ["present", "absent", "rendered", "confirmed", "restored"],
    },
    "url": TEXT,
    "ca_path": TEXT,
    "fingerprint": TEXT,
    "timeout": {"type": "int", "default": 30},
    "former": {"type": "dict"},
}
REQUIRED_IF = [("state", "restored", ["former"])]
