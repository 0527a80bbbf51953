# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a host against the roles' argument specifications.

Ansible does this too, but role by role, on the hosts' turn, with the value (a secret's too) in the message, and without
a word about names that no role knows. Here it is done for all hosts before any of them is touched.
"""

from __future__ import annotations

import difflib
import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import Finding, Findings, refuse

CHECK = "variables"
Values = t.Mapping[str, t.Any]

_SECRET_WORDS = ("token", "password", "secret", "private_key")
_KINDS: t.Mapping[str, tuple[type, ...]] = {"str": (str,), "path": (str,), "list": (list, tuple), "dict": (dict,)}
_WORDS = {"str": "a string", "path": "a path", "list": "a list", "dict": "a mapping", "int": "a whole number",
          "float": "a number", "bool": "true or false"}
_TRUE_OR_FALSE = ("true", "false", "yes", "no", "on", "off", "1", "0")


@dataclass(frozen=True)
class Option:
    name: str
    type: str = "str"
    elements: str = ""
    required: bool = False
    secret: bool = False
    choices: tuple[t.Any, ...] = ()
    options: t.Mapping[str, Option] = field(default_factory=dict)


def parse_option(name: str, spec: Values) -> Option:
    return Option(
        name=name,
        type=str(spec.get("type", "str")),
        elements=str(spec.get("elements", "")),
        required=bool(spec.get("required", False)),
        # secrets_encryption is a switch, k3s_token is a secret: only text can be one.
        secret=bool(spec.get("no_log", False)) or (spec.get("type", "str") == "str" and sounds_secret(name)),
        choices=tuple(spec.get("choices") or ()),
        options={key: parse_option(key, value or {}) for key, value in (spec.get("options") or {}).items()},
    )


def parse_specs(documents: t.Mapping[str, Values]) -> dict[str, Option]:
    """All roles' options by name; the role whose prefix a variable has describes it best."""
    known: dict[str, Option] = {}
    for role in sorted(documents):
        for entry in ((documents[role] or {}).get("argument_specs") or {}).values():
            for name, spec in ((entry or {}).get("options") or {}).items():
                if name not in known or name.startswith(f"{role}_"):
                    known[name] = parse_option(name, spec or {})
    return known


def sounds_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)


def show(value: t.Any, secret: bool = False) -> str:
    """A value for a message. Of a secret only its size is told."""
    if secret:
        size = f", {len(value)} long" if isinstance(value, (str, list, dict)) else ""
        return f"a {type(value).__name__} (hidden{size})"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def judge_variables(host: str, values: Values, known: t.Mapping[str, Option], prefixes: t.Collection[str]) -> Findings:
    """`values`: the variables that somebody wrote, templated; defaults of the roles are not among them."""
    for name, value in sorted(values.items()):
        option = known.get(name)
        if option is not None:
            yield from _judge_value(host, name, value, option)
        elif name.startswith(tuple(prefixes)):
            yield _unknown(host, name, known)


def judge_required(host: str, values: Values, known: t.Mapping[str, Option]) -> Findings:
    """`values`: what is written and the roles' defaults."""
    for option in known.values():
        if option.required and values.get(option.name) in (None, ""):
            what = "secret" if option.secret else "value"
            yield refuse(
                host, "secrets" if option.secret else CHECK, option.name, "missing", f"a {what}",
                f"set {option.name} in the inventory" + (", encrypted with ansible-vault" if option.secret else ""),
            )


def _unknown(host: str, name: str, known: t.Collection[str]) -> Finding:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    remedy = f"did you mean {near[0]}?" if near else "remove it, or see the roles' argument_specs.yml for the names"
    return refuse(host, CHECK, name, "known to no role", "a variable of the collection", remedy)


def _judge_value(host: str, name: str, value: t.Any, option: Option, secret: bool = False) -> Findings:
    secret = secret or option.secret
    if value is None:
        return
    if not _is(option.type, value):
        # What was meant to be a mapping may hold a secret anywhere.
        yield _wrong_type(host, name, value, option.type, secret or option.type == "dict")
        return
    if option.choices and not _chosen(value, option):
        seen = show(value, secret)
        wanted = f"one of {', '.join(str(choice) for choice in option.choices)}"
        yield refuse(host, CHECK, name, seen, wanted, f"set {name} to one of these")
    if option.type == "list" and option.elements:
        yield from _judge_elements(host, name, value, option, secret)
    if option.type == "dict" and option.options:
        yield from _judge_keys(host, name, value, option, secret)


def _judge_elements(host: str, name: str, value: t.Sequence[t.Any], option: Option, secret: bool) -> Findings:
    for index, item in enumerate(value):
        if not _is(option.elements, item):
            yield _wrong_type(host, f"{name}[{index}]", item, option.elements, secret)
        elif option.elements == "dict" and option.options:
            yield from _judge_keys(host, f"{name}[{index}]", item, option, secret)


def _judge_keys(host: str, name: str, value: Values, option: Option, secret: bool) -> Findings:
    for key, item in value.items():
        inner = option.options.get(str(key))
        if inner is None:
            near = difflib.get_close_matches(str(key), list(option.options), n=1)
            remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(sorted(option.options))}"
            yield refuse(host, CHECK, f"{name}.{key}", "an unknown key", "a known one", remedy)
        else:
            yield from _judge_value(host, f"{name}.{key}", item, inner, secret)
    for inner in option.options.values():
        if inner.required and value.get(inner.name) in (None, ""):
            yield refuse(host, CHECK, f"{name}.{inner.name}", "missing", _WORDS.get(inner.type, "a value"), "add it")


def _is(kind: str, value: t.Any) -> bool:
    if kind in _KINDS:
        return isinstance(value, _KINDS[kind])
    if kind == "bool":  # the command line's -e x=true gives text
        return isinstance(value, bool) or value in (0, 1) or str(value).lower() in _TRUE_OR_FALSE
    if kind == "int":
        return _whole_number(value)
    if kind == "float":
        return _whole_number(value) or isinstance(value, float)
    return True


def _whole_number(value: t.Any) -> bool:
    if isinstance(value, str):
        return value.lstrip("-").isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def _chosen(value: t.Any, option: Option) -> bool:
    values = value if option.type == "list" else [value]
    names = {str(choice).lower() for choice in option.choices}
    return all(str(item).lower() in names for item in values)


def _wrong_type(host: str, name: str, value: t.Any, kind: str, secret: bool) -> Finding:
    seen = show(value, secret)
    if not secret:
        seen += f" (a {type(value).__name__})"
    quotes = isinstance(value, (int, float)) and kind in ("str", "path")
    remedy = "put it in quotes" if quotes else f"write {name} as {_WORDS.get(kind, kind)}"
    return refuse(host, CHECK, name, seen, _WORDS.get(kind, kind), remedy)
