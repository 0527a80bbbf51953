"""Waits for a condition, and says what was seen last when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable

from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError


def until(condition: Callable[[], bool], what: str, timeout: float, every: float = 1.0) -> float:
    """Seconds until the condition held; an API that does not answer counts as not yet."""
    started = time.monotonic()
    seen = "the condition is false"
    while True:
        try:
            if condition():
                return time.monotonic() - started
            seen = "the condition is false"
        except (ApiException, HTTPError, OSError) as error:
            seen = f"{type(error).__name__}: {str(error)[:200]}"
        if time.monotonic() - started > timeout:
            raise AssertionError(f"waited {timeout:.0f} s for {what}; last seen: {seen}")
        time.sleep(every)
