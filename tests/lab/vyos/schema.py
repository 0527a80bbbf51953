# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths a version of VyOS knows, as far as they are in play here; see README.md for what is left out.

Three sorts of nodes: plain ones, tag nodes (a name follows) and leaves (a value, several, or none).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from vyos import values
from vyos.values import Check

NODE, TAG, TAG_VALUE, LEAF, VALUE = "node", "tag", "tag value", "leaf", "value"


@dataclass(frozen=True)
class Spec:
    kind: str
    children: t.Mapping[str, Spec] = field(default_factory=dict)
    check: Check = values.text
    multi: bool = False
    valueless: bool = False


@dataclass(frozen=True)
class Place:
    """Where a path ends."""

    spec: Spec
    kind: str


class PathError(Exception):
    """A path or a value that this version does not take; the text is the device's."""


def node(children: t.Mapping[str, Spec]) -> Spec:
    return Spec(NODE, children)


def tag(check: Check, children: t.Mapping[str, Spec]) -> Spec:
    return Spec(TAG, children, check)


def leaf(check: Check = values.text) -> Spec:
    return Spec(LEAF, check=check)


def multi(check: Check = values.text) -> Spec:
    return Spec(LEAF, check=check, multi=True)


def flag() -> Spec:
    return Spec(LEAF, valueless=True)


def flags(names: str) -> dict[str, Spec]:
    return {name: flag() for name in names.split()}


def resolve(root: Spec, path: t.Sequence[str]) -> Place:
    """Follow a path through the schema and check each value on the way."""
    spec, index = root, 0
    while index < len(path):
        if path[index] not in spec.children:
            raise PathError(f"Configuration path: [{' '.join(path)}] is not valid")
        spec = spec.children[path[index]]
        index += 1
        if spec.kind == LEAF:
            return _leaf(spec, path, index)
        if spec.kind == TAG:
            if index == len(path):
                return Place(spec, TAG)
            _checked(spec, path[index])
            index += 1
            if index == len(path):
                return Place(spec, TAG_VALUE)
    return Place(spec, NODE)


def _leaf(spec: Spec, path: t.Sequence[str], index: int) -> Place:
    rest = path[index:]
    if not rest:
        return Place(spec, LEAF)
    if spec.valueless or len(rest) > 1:
        raise PathError(f"Configuration path: [{' '.join(path)}] is not valid")
    _checked(spec, rest[0])
    return Place(spec, VALUE)


def _checked(spec: Spec, value: str) -> None:
    error = spec.check(value)
    if error:
        raise PathError(f"\n{error}\n\n\nInvalid value\nValue validation failed")


def settable(place: Place) -> None:
    """`set` wants the value too, where there is one."""
    if place.kind == TAG or (place.kind == LEAF and not place.spec.valueless):
        raise PathError("The specified configuration node requires a value")


def root(version: str) -> Spec:
    """The whole schema of one version: 1.3, 1.4 or 1.5."""
    from vyos import schema_bgp, schema_policy, schema_system

    if version not in ("1.3", "1.4", "1.5"):
        raise ValueError(f"VYOS_VERSION {version!r} is none of 1.3, 1.4, 1.5")
    return node({
        "interfaces": schema_system.interfaces(),
        "policy": schema_policy.policy(version),
        "protocols": node({
            "bgp": schema_bgp.bgp(version),
            "static": schema_system.static(version),
        }),
        "service": schema_system.service(version),
        "system": schema_system.system(version),
    })
