# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfig on the controller: k3s' own, with an address that leads there from elsewhere. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import yaml

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


@dataclass(frozen=True)
class Source:
    """A server, and how it would be named in the file."""

    address: str
    port: int = 6443

    @property
    def url(self) -> str:
        return f"https://{f'[{self.address}]' if ':' in self.address else self.address}:{self.port}"


def rendered(fetched: str, url: str, name: str) -> str:
    """k3s' file with the cluster's name instead of `default`, and the address."""
    try:
        config = yaml.safe_load(fetched)
        cluster = {**config["clusters"][0]["cluster"], "server": url}
        user = config["users"][0]["user"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise MeshwrightError(
            "k3s' kubeconfig", seen="without a cluster and a user", wanted="what k3s writes",
            remedy="restart k3s on the server: it writes the file anew",
        ) from None
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    return yaml.safe_dump(document, sort_keys=True)


def wanted(have: str | None, fetched: str, own: Source, others: t.Sequence[Source], endpoint: str, name: str) -> str:
    """What the file should hold after this server was asked.

    The server that the file names (with an endpoint: the first of all) keeps it fresh, for every server has a client
    certificate of its own. The others leave a usable file as it is.
    """
    fixed = Source(endpoint).url if endpoint else ""
    new = rendered(fetched, fixed or own.url, name)
    if have is None or _cluster(have, "certificate-authority-data") != _cluster(new, "certificate-authority-data"):
        return new
    named = _cluster(have, "server")
    if fixed:
        keeper = not others or own == others[0]
        return new if named != fixed or keeper else have
    if named in [other.url for other in others if other != own]:
        return have
    return new


def _cluster(text: str, key: str) -> str:
    try:
        return str(yaml.safe_load(text)["clusters"][0]["cluster"][key])
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return ""
