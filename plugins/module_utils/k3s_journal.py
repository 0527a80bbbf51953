# SPDX-License-Identifier: GPL-3.0-or-later
"""What a k3s that does not come up says, and what to do about it. Pure, Python 3.9."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    seen: str
    remedy: str
    final: bool = True  # waiting longer cannot help


# What k3s writes → what it means. From k3s: pkg/daemons/config, pkg/cluster, pkg/etcd, pkg/agent/config,
# pkg/clientaccess.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (r"no space left on device", "the disk is full", "free some space below /var/lib/rancher and /etc/rancher"),
    (r"critical configuration (value )?mismatch", "the cluster's critical values differ from this server's",
     "make the values that the message names the same on all servers"),
    (r"bootstrap data already found and encrypted with different token", "another token than the cluster's",
     "set k3s_token to the token that the cluster was made with"),
    (r"token CA hash does not match", "the token belongs to another cluster",
     "set k3s_token or k3s_agent_token to this cluster's"),
    (r"Node password rejected", "the cluster knows another machine by this node's name",
     "delete the Node and its secret <node>.node-password.k3s in kube-system, or give the host another name"),
    (r"duplicate node name found", "an etcd member of this node's name is still there",
     "run site.yml on all servers, so that the old member is removed first"),
    (r"removed from the cluster", "this server was removed from the etcd cluster",
     "delete /var/lib/rancher/k3s/server/db on it and run again: it then joins anew"),
    (r"(401 Unauthorized|not authorized|401: Unauthorized|403 Forbidden|[Uu]nauthorized)",
     "the token is not the cluster's", "set k3s_token (servers) or k3s_agent_token (agents) to the cluster's"),
    (r"invalid argument .* for|flag provided but not defined|invalid boolean value", "an option is not k3s's",
     "correct k3s_extra_config"),
    (r"address already in use", "a port that k3s needs is taken", "stop the program that the message names"),
)  # fmt: skip
# A start that meets one of these is repeated by systemd and may yet succeed.
_PASSING = (r"address already in use",)
# containerd's complaints at every start, before there is a CNI and without the snapshotters that nobody asked for.
_USUAL = re.compile(r"failed to load plugin|could not use snapshotter|failed to load cni during init")
_LEVEL = re.compile(r'level=(error|fatal|warning)|^[EF]\d{4} |\b(error|fatal|FATA|ERRO)\b', re.IGNORECASE)
_SECRETS = (
    re.compile(r"K10[0-9a-f]{64}::\S+"),
    re.compile(r"((?:token|password|secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"',]+", re.IGNORECASE),
)


def masked(line: str, secrets: t.Iterable[str] = ()) -> str:
    """A line without what must not be shown: tokens in their long form, given secrets, whatever follows `token=`."""
    for secret in secrets:
        if secret:
            line = line.replace(secret, "********")
    line = _SECRETS[0].sub("K10********", line)
    return _SECRETS[1].sub(r"\1********", line)


def message(line: str) -> str:
    """The part of a log line that says something."""
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
    return found.group(1).replace('\\"', '"') if found else line.strip()


def diagnose(lines: t.Sequence[str], secrets: t.Sequence[str] = ()) -> Diagnosis | None:
    """The last thing that k3s says and that we understand."""
    for line in reversed(lines):
        for pattern, meaning, remedy in _KNOWN:
            if re.search(pattern, line):
                said = masked(message(line), secrets)[:300]
                final = not any(re.search(passing, line) for passing in _PASSING)
                return Diagnosis(f"{meaning} (k3s says: {said})", remedy, final)
    return None


def last_words(lines: t.Sequence[str], secrets: t.Sequence[str] = (), count: int = 3) -> str:
    """Its last complaints, or its last lines when it complains of nothing."""
    complaints = [line for line in lines if _LEVEL.search(line) and not _USUAL.search(line)] or list(lines)
    return " | ".join(masked(message(line), secrets)[:200] for line in complaints[-count:]) or "nothing"
