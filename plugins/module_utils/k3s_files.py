# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s' configuration files: how it merges them, and what of them is secret. Pure; runs on the controller.

Rules: k3s pkg/configfilearg/parser.go. config.yaml first, then the drop-ins by name; the last value wins, and `key+`
appends.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

import yaml

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

MAIN = "config.yaml"
STAGE_FILE = "config.yaml.d/60-kube-proxy.yaml"
FOLDER = "/etc/rancher/k3s"
OURS = "# Managed by meshwright.k3s_cilium"

Config = dict[str, t.Any]
Texts = t.Mapping[str, str]

_SECRET = re.compile(r"(^|-)(token|password|secret(-key)?|access-key|auth)\+?$|^datastore-endpoint$|^vpn-auth$")
_SECRET_IN_REGISTRIES = re.compile(r"password|token|auth|key$", re.IGNORECASE)


def parse(name: str, text: str) -> Config:
    """One file. Anything but a mapping is refused, without showing what stands there."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"not YAML at line {mark.line + 1}" if mark is not None else "not YAML"
        raise _unreadable(name, where) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _unreadable(name, f"a {type(found).__name__}")
    return {str(key).lstrip("-"): value for key, value in found.items()}


def _unreadable(name: str, seen: str) -> MeshwrightError:
    return MeshwrightError(
        f"the file {FOLDER}/{name}", seen=seen, wanted="a mapping of k3s' options",
        remedy="mend the file, or move it away",
    )


def effective(texts: Texts) -> Config:
    """What k3s makes of the files, in the order in which they are given."""
    merged: Config = {}
    for name, text in texts.items():
        merge(merged, parse(name, text))
    return merged


def merge(merged: Config, layer: Config) -> None:
    for key, value in layer.items():
        if key.endswith("+"):
            bare = key[:-1]
            merged[bare] = [*_items(merged[bare]), *_items(value)] if bare in merged else _items(value)
        else:
            merged[key] = value


def _items(value: t.Any) -> list[t.Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def same(one: t.Any, other: t.Any) -> bool:
    """k3s reads scalars as text, and one value as a list of one."""
    return _texts(one) == _texts(other)


def _texts(value: t.Any) -> list[str]:
    return [_text(item) for item in _items(value)]


def _text(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def differing(one: Config, other: Config, ignored: t.Collection[str] = ()) -> list[str]:
    """Keys whose effective values differ."""
    keys = sorted((one.keys() | other.keys()) - set(ignored))
    return [key for key in keys if (key in one) != (key in other) or not same(one[key], other[key])]


def dump(config: Config, header: str = "") -> str:
    return header + yaml.safe_dump(config, sort_keys=True, default_flow_style=False, allow_unicode=True, width=4096)


# -- secrets


def hidden(value: t.Any) -> str:
    """Tells two secrets apart without telling them."""
    return f"hidden, sha256 {hashlib.sha256(repr(value).encode()).hexdigest()[:8]}…"


def is_secret(key: str) -> bool:
    return bool(_SECRET.search(key))


def masked(config: Config) -> Config:
    return {key: hidden(value) if is_secret(key) else value for key, value in config.items()}


def secrets_of(config: Config) -> list[str]:
    return [_text(item) for key, value in config.items() if is_secret(key) for item in _items(value)]


def masked_registries(value: t.Any) -> t.Any:
    """registries.yaml with its credentials hidden, however deep they are."""
    if isinstance(value, dict):
        return {
            key: hidden(item) if not isinstance(item, (dict, list)) and _SECRET_IN_REGISTRIES.search(str(key))
            else masked_registries(item)
            for key, item in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [masked_registries(item) for item in value]
    return value
