# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors as the Kubernetes API means them. Pure."""

from __future__ import annotations

import typing as t

Labels = t.Mapping[str, str]


def selects(selector: t.Mapping[str, t.Any], labels: Labels) -> bool:
    """Whether all of it holds; an empty selector selects everything.

    >>> selects({}, {}), selects({"matchLabels": {"a": "b"}}, {"a": "b"}), selects({"matchLabels": {"a": "b"}}, {})
    (True, True, False)
    """
    wanted = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _holds(item, labels) for item in selector.get("matchExpressions") or ()
    )


def _holds(item: t.Mapping[str, t.Any], labels: Labels) -> bool:
    key, values = item["key"], item.get("values") or ()
    return {
        "In": key in labels and labels[key] in values,
        "NotIn": key not in labels or labels[key] not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[item["operator"]]
