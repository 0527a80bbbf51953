# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API: from a request to an answer, without a socket in sight.

Shapes and texts: vyos-1x, src/services/vyos-http-api-server (1.3, 1.4) and src/services/api/rest (1.5);
VyOS documentation, automation/vyos-api.
"""

from __future__ import annotations

import email.parser
import email.policy
import html
import json
import threading
import typing as t
import urllib.parse
from dataclasses import dataclass

from vyos import schema, show
from vyos.device import Device, DeviceError, Session

INTERNAL = "An internal error occured. Check the logs for details."  # as the original spells it
ITSELF = "Requested HTTP API server configuration change; commit will be called in the background"
WITHOUT_PATH = ("/config-file",)
ENDPOINTS = ("/retrieve", "/configure", "/config-file", "/show")

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    cut: bool = False  # the connection ends instead


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """One shared session for all clients, as the real one has."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.session = Session(device)

    def answer(self, endpoint: str, content_type: str, body: bytes) -> Answer:
        try:
            data = self._data(endpoint, content_type, body)
            if self.device.faults.get("error_500"):
                raise Refused(500, INTERNAL)
            operations = {"/retrieve": self._retrieve, "/configure": self._configure,
                          "/config-file": self._config_file, "/show": self._show}
            result = operations[endpoint](data)
        except Refused as error:
            text = html.escape(str(error), quote=False) if self.device.version == "1.5" else str(error)
            return Answer(error.status, json.dumps({"success": False, "error": text, "data": None}))
        cut = endpoint == "/configure" and bool(self.device.faults.once("cut_after_commit"))
        return Answer(200, json.dumps({"success": True, "data": result, "error": None}), cut)

    # -- what came in

    def _data(self, endpoint: str, content_type: str, body: bytes) -> Object:
        form = _form(content_type, body)
        if form:
            data, malformed = _from_form(endpoint, form)
        else:
            data, malformed = _from_json(body), None
        # Only a key that is there and wrong is noticed before the rest is looked at.
        if "key" in data:
            self._authorize(data["key"])
        if malformed and not (self.device.version == "1.5" and _confirms(endpoint, data)):
            raise malformed
        if "key" not in data:
            raise Refused(400, "{'loc': ('body', 'key'), 'msg': 'field required', 'type': 'value_error.missing'}")
        _validate(endpoint, data, self.device.version)
        return data

    def _authorize(self, key: t.Any) -> None:
        at = ("service", "https", "api", "keys", "id")
        known = [self.device.active.value(*at, name, "key") for name in self.device.active.node(*at)]
        if not isinstance(key, str) or key not in known:
            raise Refused(401, "Valid API key is required")

    # -- what it wants

    def _retrieve(self, data: Object) -> t.Any:
        op, path, config = data["op"], tuple(data["path"]), self.device.active
        if op == "exists":
            return config.exists(path)
        if op == "returnValues":
            return config.values(*path)
        if op == "returnValue":
            return config.value(*path) or None
        if op != "showConfig":
            raise Refused(400, f"'{op}' is not a valid operation")
        try:
            schema.resolve(self.device.spec, path)
        except schema.PathError:
            raise Refused(400, "Specified configuration path is not valid\n") from None
        if not config.exists(path) or config.at(path) == {}:
            raise Refused(400, "Configuration under specified path is empty\n")
        form = data.get("configFormat") or "json"
        if form not in ("json", "raw"):
            raise Refused(400, f"'{form}' is not a valid config format")
        return config.as_json(path) if form == "json" else config.text(path)

    def _configure(self, data: Object) -> str | None:
        commands = data.get("commands", [data])
        minutes = data.get("confirm_time", 0) if self.device.version == "1.5" else 0
        with self.device.lock:
            self.session.reset()
            try:
                said = "".join(self._command(command) for command in commands)
                if minutes:
                    said += self.device.arm(minutes)
                return self._commit(said)
            except DeviceError as error:
                self.session.reset()
                raise Refused(400, str(error)) from None

    def _command(self, command: Object) -> str:
        op = command["op"]
        if op == "confirm" and not command.get("path") and self.device.version == "1.5":
            return self.device.confirm()
        path = list(command["path"])
        value = command.get("value")
        if op == "comment":
            self.session.comment(path, value or "")
            return ""
        path += [value] if value else []
        if op == "set":
            self.session.set(path)
        elif op == "delete":
            strict = any(self.device.active.exists(("service", "https", "api", *where))
                         for where in (("strict",), ("rest", "strict")))
            if strict and not self.session.working.exists(path):
                raise DeviceError(f"Cannot delete [{' '.join(path)}]: path/value does not exist")
            self.session.delete(path)
        else:
            raise DeviceError(f"'{op}' is not a valid operation")
        return ""

    def _commit(self, said: str) -> str | None:
        part = ("service", "https")
        before, after = self.session.base, self.session.working
        if before.node(*part) != after.node(*part):
            threading.Thread(target=self._commit_behind, daemon=True).start()
            return said + ITSELF
        warnings = self.device.commit(self.session, via="vyos-http-api")
        if self.device.version == "1.5":
            said += warnings
        return said or None

    def _commit_behind(self) -> None:
        with self.device.lock:
            try:
                self.device.commit(self.session, via="vyos-http-api")
            except DeviceError:
                self.session.reset()

    def _config_file(self, data: Object) -> str | None:
        op, name = data["op"], data.get("file")
        try:
            if op == "save":
                return self.device.save(name or "/config/config.boot")
            if op == "confirm" and self.device.version == "1.5":
                return self.device.confirm()
            if op != "load":
                raise Refused(400, f"'{op}' is not a valid operation")
            if not name:
                raise Refused(400, 'Missing required field "file"')
            with self.device.lock:
                self.session.reset()
                self.session.load(name)
                return self._commit("")
        except DeviceError as error:
            self.session.reset()
            raise Refused(400, str(error)) from None

    def _show(self, data: Object) -> str:
        if data["op"] != "show":
            raise Refused(400, f"'{data['op']}' is not a valid operation")
        try:
            return show.show(self.device, data["path"])
        except show.InvalidCommand as error:
            raise Refused(400, str(error)) from None


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form; empty for other bodies."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    if kind != "multipart/form-data":
        return {}
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.default).parsebytes(head + body)
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = str(part.get_content()).rstrip("\r\n")
    return fields


def _from_form(endpoint: str, form: dict[str, str]) -> tuple[Object, Refused | None]:
    """The request, and the first thing that is wrong with its form."""
    if "data" not in form:
        raise Refused(422, "Non-empty data field is required")
    try:
        sent = json.loads(form["data"])
    except json.JSONDecodeError as error:
        raise Refused(400, f"Failed to parse JSON: {error}") from None
    data: Object = {"commands": sent} if isinstance(sent, list) else sent
    malformed = None
    for command in data.get("commands", [data]) if isinstance(data, dict) else [data]:
        if not isinstance(command, dict):
            raise Refused(400, f"Malformed command '{command}': any command must be JSON of dict")
        wrong = _malformed(endpoint, command)
        if wrong and not malformed:
            malformed = Refused(400, f"Malformed command '{command}': {wrong}")
    if "key" not in form and "key" not in data:
        raise malformed or Refused(401, "Valid API key is required")
    return {"key": form.get("key"), **data}, malformed


def _malformed(endpoint: str, command: Object) -> str:
    if "op" not in command:
        return "missing 'op' field"
    if endpoint in WITHOUT_PATH:
        return ""
    if "path" not in command:
        return "missing 'path' field"
    if not isinstance(command["path"], list):
        return "'path' field must be a list"
    if not all(isinstance(part, str) for part in command["path"]):
        return "'path' field must be a list of strings"
    if endpoint == "/configure":
        if not command["path"]:
            return "'path' list must be non-empty"
        if "value" in command and not isinstance(command["value"], str):
            return "'value' field must be a string"
    return ""


def _from_json(body: bytes) -> Object:
    try:
        data = json.loads(body)
    except ValueError as error:
        text = f"{{'loc': ('body',), 'msg': 'JSON decode error: {error}', 'type': 'value_error.jsondecode'}}"
        raise Refused(400, text) from None
    if not isinstance(data, dict):
        raise Refused(400, "{'loc': ('body',), 'msg': 'value is not a valid dict', 'type': 'type_error.dict'}")
    return data


def _confirms(endpoint: str, data: Object) -> bool:
    """1.5 takes `confirm` with an empty path in a form; without the field its check of forms stumbles."""
    return endpoint == "/configure" and data.get("op") == "confirm" and data.get("path") == []


def _validate(endpoint: str, data: Object, version: str) -> None:
    """What FastAPI refuses of a JSON body."""
    if version == "1.5" and endpoint == "/configure" and data.get("op") == "confirm" and "commands" not in data:
        return
    for command in data.get("commands", [data]):
        wrong = _malformed(endpoint, command) if isinstance(command, dict) else "any command must be JSON of dict"
        if wrong:
            raise Refused(400, f"{{'loc': ('body',), 'msg': {wrong!r}, 'type': 'value_error'}}")
    if not isinstance(data.get("confirm_time", 0), int):
        raise Refused(400, "{'loc': ('body', 'confirm_time'), 'msg': 'value is not a valid integer', 'type': 'int'}")
