# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chart's values have on top while nodes are moved: agents wait for a label, and let everything pass. Pure."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import CILIUM, NETWORK_LABEL

Values = dict[str, t.Any]

_OVER: t.Mapping[str, t.Any] = {
    # The DaemonSet's own condition, beside the chart's kubernetes.io/os.
    "nodeSelector": {"kubernetes.io/os": "linux", NETWORK_LABEL: CILIUM},
    # To a moved node, pods of the others are strangers: no policy could name them.
    "policyEnforcementMode": "never",
    # It would delete pods of nodes that have not been moved, as Cilium did not connect them.
    "operator": {"unmanagedPodWatcher": {"restart": False}},
}


def beside(values: t.Mapping[str, t.Any]) -> Values:
    """The values of the end, and what holds until then."""
    return merged(values, _OVER)


def merged(under: t.Mapping[str, t.Any], over: t.Mapping[str, t.Any]) -> Values:
    found: Values = copy.deepcopy(dict(under))
    for key, value in over.items():
        old = found.get(key)
        if isinstance(value, t.Mapping) and isinstance(old, t.Mapping):
            found[key] = merged(old, value)
        else:
            found[key] = copy.deepcopy(dict(value)) if isinstance(value, t.Mapping) else value
    return found
