"""What a JSON merge patch makes of an object (RFC 7386)."""

from __future__ import annotations

from typing import Any


def merged(base: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        found[key] = merged(found.get(key), value)
    return {key: value for key, value in found.items() if value is not None}
