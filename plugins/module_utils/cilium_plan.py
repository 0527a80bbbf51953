# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done about Cilium in a cluster: looked at by observe(), decided by plan(), which is pure."""

from __future__ import annotations

import contextlib
import json
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import (
    NAMESPACE,
    Release,
    deployed,
    settled,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import Values, dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CiliumOptions,
    Cluster,
    Rendered,
    cilium_values,
    mark_of,
    marks,
    unmarked,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

_EXTENSIONS = "apiextensions.k8s.io/v1"
_GATEWAY = "gateway.networking.k8s.io"
# What Cilium's operator looks for; all of them, so that a run which was killed among them is taken up again.
_GATEWAY_KINDS = (
    "gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "tlsroutes", "backendtlspolicies",
)  # fmt: skip
_GATEWAY_URL = "https://github.com/kubernetes-sigs/gateway-api/releases/download/v{version}/{channel}-install.yaml"
# A release in one of these states has what its record says; in any other, Helm is run again.
_GOOD = ("deployed",)


@dataclass(frozen=True)
class Wish:
    """What the inventory asks for."""

    version: str
    options: CiliumOptions
    free: t.Mapping[str, t.Any] = field(default_factory=dict)
    cidrs: tuple[str, ...] = ("10.42.0.0/16",)
    initial_stage: int = 1
    gateway_version: str = ""
    gateway_crds: str = ""
    nodes: int = 1  # of the inventory: for a cluster that is still to come
    stage: int = 0  # for which values are wanted whatever the cluster is at; 0: its own


@dataclass(frozen=True)
class Observed:
    """What is there. The default is a cluster that does not exist yet."""

    there: bool = False
    kubernetes: str = ""
    nodes: int = 0
    k3s_stage: int | None = None  # as the servers run; None where they do not tell
    service_monitors: bool = False
    gateway_installed: str = ""  # the version of the CRDs
    release: Release | None = None
    deployed: Release | None = None  # the last one that Helm finished; told apart only where the release is not well
    foreign: bool = False  # agents that no release of Helm brought


@dataclass(frozen=True)
class Gateway:
    version: str
    sources: tuple[str, ...]
    apply: bool
    restart_operator: bool  # it looks for the CRDs when it starts, and nothing else restarts it


@dataclass(frozen=True)
class Plan:
    stage: int
    action: str  # install, upgrade, none
    why: str
    rendered: Rendered
    gateway: Gateway | None
    forget: bool  # the record of a Helm that was killed goes first
    rollback: int  # and Helm returns to this revision, which has what is wanted; 0: it does not
    notes: tuple[str, ...]


# What both stages have to say, from the values of those that can be made; the second argument is the plan's own stage.
Checksum = t.Callable[[t.Mapping[int, Values], int], str]


def observe(kube: Kube) -> Observed:
    release, nodes = settled(kube), kube.nodes()
    return Observed(
        there=True,
        kubernetes=str(kube.version().get("gitVersion", "")),
        nodes=len(nodes),
        k3s_stage=k3s_stage(nodes),
        service_monitors=kube.resource("monitoring.coreos.com/v1", "ServiceMonitor") is not None,
        gateway_installed=gateway_installed(kube.list("CustomResourceDefinition", api_version=_EXTENSIONS)),
        release=release,
        deployed=None if release is None or release.status in _GOOD else deployed(kube),
        foreign=release is None and _agents_without_helm(kube),
    )


def gateway_installed(crds: t.Sequence[Object]) -> str:
    """The version of the Gateway API's CRDs: empty for none, unknown where they are not all there or not all alike."""
    found = {crd["metadata"]["name"]: crd["metadata"].get("annotations") or {} for crd in crds}
    mine = {name: notes for name, notes in found.items() if name.endswith(f".{_GATEWAY}")}
    if not mine:
        return ""
    versions_of = {mine.get(f"{kind}.{_GATEWAY}", {}).get(f"{_GATEWAY}/bundle-version", "") for kind in _GATEWAY_KINDS}
    return versions_of.pop() or "unknown" if len(versions_of) == 1 else "unknown"


def k3s_stage(nodes: t.Sequence[Object]) -> int | None:
    """From the arguments with which the servers started, files included, as k3s notes them on their nodes."""
    noted = [(node["metadata"].get("annotations") or {}).get("k3s.io/node-args", "") for node in nodes]
    servers = [args for args in map(_arguments, noted) if args[:1] == ["server"]]
    if not servers:
        return None
    # While servers are converted one by one, kube-proxy still runs somewhere.
    return 2 if all(_flag(args, "--disable-kube-proxy") for args in servers) else 1


def _arguments(text: str) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(argument) for argument in found] if isinstance(found, list) else []


def _flag(arguments: t.Sequence[str], name: str) -> bool:
    """The last one wins; alone, it means true."""
    found = False
    for at, argument in enumerate(arguments):
        given, _, value = argument.partition("=")
        if given == name:
            following = arguments[at + 1] if at + 1 < len(arguments) else ""
            found = (value or (following if not following.startswith("-") else "")).lower() not in ("false", "0")
    return found


def _agents_without_helm(kube: Kube) -> bool:
    daemonset = kube.get("DaemonSet", "cilium", NAMESPACE, "apps/v1")
    if daemonset is None:
        return False
    # What Helm made may be adopted by another Helm; its record alone was lost.
    return "meta.helm.sh/release-name" not in (daemonset["metadata"].get("annotations") or {})


def plan(wish: Wish, seen: Observed, checksum: Checksum) -> Plan:
    if seen.foreign:
        raise MeshwrightError(
            "the DaemonSet kube-system/cilium", seen="there without a release of Helm", wanted="one that Helm manages",
            remedy="it is another tool's: manage it there, or remove it before this role brings its own",
        )
    stage = stage_of(wish, seen)
    _step(wish, seen)
    rendered = values_at(wish, seen, stage, mark_for(wish, seen, stage, checksum))
    action, why = _action(wish, seen.release, rendered, stage)
    gateway = _gateway(wish, seen) if wish.options.gateway_api else None
    forget = seen.release is not None and seen.release.status not in (*_GOOD, "superseded", "uninstalled")
    rollback = _rollback(wish, seen.deployed, rendered) if forget else 0
    return Plan(stage, action, why, rendered, gateway, forget, rollback, rendered.notes)


def values_at(wish: Wish, seen: Observed, stage: int, mark: str = "") -> Rendered:
    """What the inventory makes of this cluster at a stage, be it the cluster's or not."""
    nodes = seen.nodes if seen.there else wish.nodes
    cluster = Cluster(max(1, nodes), wish.cidrs, seen.service_monitors)
    return cilium_values(_kept_on(wish.options, seen.release, stage), stage, cluster, wish.free, mark)


def mark_for(wish: Wish, seen: Observed, stage: int, checksum: Checksum) -> str:
    """What the agents' pods carry. It stays while settings stay, so that neither a stage nor a Helm that renders
    something anew restarts them. A stage that the settings forbid has no say: without a change of settings nobody
    gets there, and after one everything is asked anew."""
    if not marks(wish.free):
        return ""
    kept = _kept_mark(wish, seen)
    if kept:
        return kept
    possible = {stage: values_at(wish, seen, stage).values}
    with contextlib.suppress(MeshwrightError):
        possible[3 - stage] = values_at(wish, seen, 3 - stage).values
    return checksum(possible, stage)


def _kept_mark(wish: Wish, seen: Observed) -> str:
    for release in (seen.release, seen.deployed):
        if release is None or release.stage is None or release.chart_version != wish.version:
            continue
        with contextlib.suppress(MeshwrightError):
            if mark_of(release.values) and unmarked(release.values) == values_at(wish, seen, release.stage).values:
                return mark_of(release.values)
    return ""


def _kept_on(options: CiliumOptions, release: Release | None, stage: int) -> CiliumOptions:
    """What announces addresses is not switched off on the way: its successor works only after Cilium was here.

    Nor is it later, which would restart all agents for nothing. The free values do it for who wants it.
    """
    have = {} if release is None else dict(release.values)
    return replace(
        options,
        bgp=options.bgp or dig(have, "bgpControlPlane.enabled") is True,
        # Stage 1 cannot have it, so that the way back ends it where the inventory does not ask for it.
        l2_announcements=options.l2_announcements or (stage == 2 and dig(have, "l2announcements.enabled") is True),
    )


def stage_of(wish: Wish, seen: Observed) -> int:
    """The live cluster's, unless another one is asked for; the wished one only where there is nothing yet."""
    release = seen.release
    live = None if release is None else release.stage
    stage = wish.stage or live or seen.k3s_stage or wish.initial_stage
    if stage == 1 and seen.k3s_stage == 2:
        raise MeshwrightError(
            "kube-proxy", seen="off in k3s' configuration while Cilium's release leaves services to it",
            wanted="one of the two to serve them",
            remedy="remove disable-kube-proxy from the servers' configuration and restart k3s, one server at a time",
        )
    return stage


def _step(wish: Wish, seen: Observed) -> None:
    if seen.release is None:
        return
    have = versions.parse_plain(seen.release.chart_version, "the version of Cilium's release")
    refused = versions.cilium_step(have, versions.parse_plain(wish.version, "cilium_version"))
    if refused is not None:
        raise refused


def _action(wish: Wish, release: Release | None, rendered: Rendered, stage: int) -> tuple[str, str]:
    if release is None:
        return "install", "there is no release yet"
    if release.status not in _GOOD:
        return ("install" if release.revision == 1 else "upgrade"), f"revision {release.revision} is {release.status}"
    if release.chart_version != wish.version:
        return "upgrade", f"from {release.chart_version} to {wish.version}"
    if release.stage is not None and release.stage != stage:
        return "upgrade", f"from stage {release.stage} to {stage}"
    if dict(release.values) != rendered.values:
        return "upgrade", "other values"
    return "none", f"revision {release.revision} has this chart and these values"


def _rollback(wish: Wish, good: Release | None, rendered: Rendered) -> int:
    """Helm is not run for a release that has chart and values; what a killed one half did is undone by going back."""
    same = good is not None and good.chart_version == wish.version and dict(good.values) == rendered.values
    return good.revision if good is not None and same else 0


def _gateway(wish: Wish, seen: Observed) -> Gateway:
    line = versions.cilium_line(versions.parse_plain(wish.version, "cilium_version").line)
    version = (wish.gateway_version or (line.gateway_api if line else "")).lstrip("v")
    wanted = versions.parse_plain(version, "cilium_gateway_api_version")
    channel = line.gateway_api_channel if line else "standard"
    apply = True
    if seen.gateway_installed not in ("", "unknown"):
        have = versions.parse_plain(seen.gateway_installed, "the Gateway API's bundle-version")
        apply = have < wanted
        if have.line > wanted.line:
            raise MeshwrightError(
                "the Gateway API's CRDs", seen=str(have), wanted=f"{wanted}, which Cilium {wish.version} expects",
                remedy="they do not go back: take a Cilium that expects them (see its page on the Gateway API)",
            )
    source = wish.gateway_crds or _GATEWAY_URL.format(version=wanted, channel=channel)
    return Gateway(str(wanted), _sources(source), apply, apply and _has_gateway(wish, seen.release))


def _has_gateway(wish: Wish, release: Release | None) -> bool:
    """Whether its operator looked for the CRDs already; where it did not, Helm's change of it makes it start anew."""
    if release is None or release.chart_version != wish.version:
        return False
    section = release.values.get("gatewayAPI")
    return bool(section.get("enabled")) if isinstance(section, dict) else False


def _sources(source: str) -> tuple[str, ...]:
    """A directory stands for the manifests in it."""
    path = Path(source).expanduser()
    if "://" in source or not path.is_dir():
        return (source,)
    found = sorted(str(file) for file in path.glob("*.yaml") if file.name != "kustomization.yaml")
    if not found:
        raise MeshwrightError(
            "cilium_gateway_api_crds", host="localhost", seen=f"a directory without manifests ({path})",
            wanted="the directory that holds the CRDs' .yaml files", remedy="correct the path",
        )
    return tuple(found)
