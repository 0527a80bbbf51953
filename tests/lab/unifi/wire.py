"""A request and an answer, and the shapes that the application's errors have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body, or None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # the connection ends instead


def answer(status: int, data: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(data).encode(), headers=headers or {})


def page(status: int, title: str) -> Answer:
    """As the web server in front says it when the application does not answer; and what its own pages begin with."""
    text = f"<!doctype html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(status, text.encode(), "text/html")


def console_error(status: int, message: str) -> Answer:
    """The console itself, in front of all applications."""
    return answer(status, {"error": {"code": status, "message": message}})


def account_error(status: int, code: str, message: str) -> Answer:
    """The console's accounts."""
    return answer(status, {"code": code, "message": message, "level": "debug"})


def error(status: int, code: str, message: str) -> Answer:
    """The application's newer API."""
    return answer(status, {"code": code, "message": message, "errorCode": status})


def legacy(data: list[Any]) -> Answer:
    """The application's older API."""
    return answer(200, {"meta": {"rc": "ok"}, "data": data})


def legacy_error(status: int, code: str) -> Answer:
    return answer(status, {"meta": {"rc": "error", "msg": code}, "data": []})
