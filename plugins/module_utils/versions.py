# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions go together. Data first, then the questions that are asked of it.

Sources: Cilium's pages "Kubernetes Compatibility", "System Requirements" and "Gateway API Support" of each release,
its CRD sources (pkg/k8s/apis/cilium.io), cilium issues 38420, 44920, 45139; k3s issue 13485 for etcd.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

Minor = tuple[int, int]


@dataclass(frozen=True, order=True)
class K3sVersion:
    major: int
    minor: int
    patch: int
    candidate: int  # release candidates come before their release: rc1 is 1, a release is a large number
    revision: int  # the N of +k3sN

    @property
    def kubernetes(self) -> Minor:
        return (self.major, self.minor)

    def __str__(self) -> str:
        rc = "" if self.candidate == _RELEASED else f"-rc{self.candidate}"
        return f"v{self.major}.{self.minor}.{self.patch}{rc}+k3s{self.revision}"


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int

    @property
    def line(self) -> Minor:
        return (self.major, self.minor)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class KubernetesLine:
    """One Kubernetes minor as k3s ships it."""

    minor: Minor
    etcd: Minor
    cgroup_v1: bool = True  # the kubelet of 1.35 and later refuses cgroup v1 unless told otherwise
    ships_gateway_api: bool = False  # k3s issues 14557, 14681: its CRDs take ours over


@dataclass(frozen=True)
class CiliumLine:
    """One Cilium minor."""

    minor: Minor
    kubernetes_first: Minor
    kubernetes_last: Minor
    gateway_api: str
    gateway_api_channel: str
    kernel: Minor
    crds: t.Mapping[str, str]
    tunnel_over_ipv6: bool = True
    l2_over_ipv6: bool = False
    notes: tuple[str, ...] = field(default=())


_RELEASED = 10_000

KUBERNETES: tuple[KubernetesLine, ...] = (
    KubernetesLine((1, 30), etcd=(3, 5)),
    KubernetesLine((1, 31), etcd=(3, 5)),
    KubernetesLine((1, 32), etcd=(3, 5)),
    KubernetesLine((1, 33), etcd=(3, 5)),
    KubernetesLine((1, 34), etcd=(3, 6)),
    KubernetesLine((1, 35), etcd=(3, 6), cgroup_v1=False),
    KubernetesLine((1, 36), etcd=(3, 6), cgroup_v1=False),
    KubernetesLine((1, 37), etcd=(3, 6), cgroup_v1=False, ships_gateway_api=True),
)

# The first k3s of each line that carries etcd 3.5.26, which repairs the membership that etcd 3.6 trusts
# (k3s issue 13485, k3s pull requests 13493 and 13494). Only from there may a live cluster go to etcd 3.6.
ETCD_3_6_ENTRY: t.Mapping[Minor, K3sVersion] = {
    (1, 33): K3sVersion(1, 33, 7, _RELEASED, 3),
}

_CRDS_V2ALPHA1 = {
    "CiliumNodeConfig": "cilium.io/v2",
    "CiliumBGPClusterConfig": "cilium.io/v2alpha1",
    "CiliumBGPPeerConfig": "cilium.io/v2alpha1",
    "CiliumBGPAdvertisement": "cilium.io/v2alpha1",
    "CiliumBGPNodeConfig": "cilium.io/v2alpha1",
    "CiliumBGPNodeConfigOverride": "cilium.io/v2alpha1",
    "CiliumLoadBalancerIPPool": "cilium.io/v2alpha1",
    "CiliumL2AnnouncementPolicy": "cilium.io/v2alpha1",
    "CiliumPodIPPool": "cilium.io/v2alpha1",
}
_CRDS_V2 = {
    **_CRDS_V2ALPHA1,
    "CiliumBGPClusterConfig": "cilium.io/v2",
    "CiliumBGPPeerConfig": "cilium.io/v2",
    "CiliumBGPAdvertisement": "cilium.io/v2",
    "CiliumBGPNodeConfig": "cilium.io/v2",
    "CiliumBGPNodeConfigOverride": "cilium.io/v2",
    "CiliumLoadBalancerIPPool": "cilium.io/v2",
}

CILIUM: tuple[CiliumLine, ...] = (
    CiliumLine(
        (1, 16), (1, 27), (1, 30), "1.1.0", "experimental", (4, 19), _CRDS_V2ALPHA1, tunnel_over_ipv6=False,
        notes=("on IPv6-only nodes the BGP router id is set by hand",),
    ),
    CiliumLine(
        (1, 17), (1, 29), (1, 32), "1.2.0", "experimental", (5, 4), _CRDS_V2ALPHA1, tunnel_over_ipv6=False,
        notes=("the operator needs the TLSRoute CRD in fact (cilium issue 38420)",),
    ),
    CiliumLine((1, 18), (1, 30), (1, 33), "1.3.0", "experimental", (5, 10), _CRDS_V2),
    CiliumLine(
        (1, 19), (1, 32), (1, 35), "1.4.1", "experimental", (5, 10), _CRDS_V2, l2_over_ipv6=True,
        notes=("Gateway API 1.5 and later crash the operator (cilium issues 44920, 45139)",),
    ),
    CiliumLine(
        (1, 20), (1, 33), (1, 36), "1.6.1", "standard", (5, 10), _CRDS_V2, l2_over_ipv6=True,
        notes=("the operator needs the CRDs TLSRoute v1 and BackendTLSPolicy",),
    ),
)

_K3S = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-rc(\d+))?\+k3s(\d+)")
_PLAIN = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_KERNEL = re.compile(r"(\d+)\.(\d+)")


def show(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"


def parse_k3s(text: str, thing: str = "k3s_version") -> K3sVersion:
    match = _K3S.fullmatch(text)
    if match is None:
        raise MeshwrightError(
            thing, seen=repr(text), wanted="a release's full name such as v1.34.4+k3s1",
            remedy="write the name as on k3s' page of releases, with the v and the +k3sN",
        )
    major, minor, patch, candidate, revision = match.groups()
    return K3sVersion(int(major), int(minor), int(patch), int(candidate) if candidate else _RELEASED, int(revision))


def parse_plain(text: str, thing: str) -> Version:
    """A version of Cilium or of the Gateway API, with or without its v."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise MeshwrightError(
            thing, seen=repr(text), wanted="three numbers such as 1.20.2", remedy="pin one release in full"
        )
    major, minor, patch = match.groups()
    return Version(int(major), int(minor), int(patch))


def parse_kernel(release: str) -> Minor:
    match = _KERNEL.match(release)
    if match is None:
        raise MeshwrightError("the kernel's release", seen=repr(release), wanted="X.Y…", remedy="look at `uname -r`")
    return (int(match.group(1)), int(match.group(2)))


def kubernetes_line(minor: Minor) -> KubernetesLine | None:
    return next((line for line in KUBERNETES if line.minor == minor), None)


def cilium_line(minor: Minor) -> CiliumLine | None:
    return next((line for line in CILIUM if line.minor == minor), None)


def known_kubernetes() -> str:
    return f"{show(KUBERNETES[0].minor)} to {show(KUBERNETES[-1].minor)}"


def known_cilium() -> str:
    return f"{show(CILIUM[0].minor)} to {show(CILIUM[-1].minor)}"


def cilium_supports(cilium: Minor, kubernetes: Minor) -> bool:
    """Whether that Cilium was tested with that Kubernetes by its makers."""
    line = cilium_line(cilium)
    return line is not None and line.kubernetes_first <= kubernetes <= line.kubernetes_last


def cilium_for(kubernetes: Minor) -> tuple[Minor, ...]:
    """The Cilium minors that were tested with that Kubernetes, newest first."""
    return tuple(line.minor for line in reversed(CILIUM) if cilium_supports(line.minor, kubernetes))


def gateway_api_for(cilium: Minor) -> str:
    """The Gateway API release whose CRDs that Cilium expects."""
    line = cilium_line(cilium)
    if line is None:
        raise _unknown_cilium(cilium)
    return line.gateway_api


def gateway_api_fits(cilium: Minor, gateway_api: Version) -> bool:
    """Same minor as expected, and not older: a newer minor has crashed the operator before."""
    expected = parse_plain(gateway_api_for(cilium), "the table's Gateway API version")
    return gateway_api.line == expected.line and gateway_api >= expected


def api_version(kind: str, cilium: Minor) -> str:
    """The apiVersion under which to write one of Cilium's custom resources."""
    line = cilium_line(cilium)
    if line is None:
        raise _unknown_cilium(cilium)
    if kind not in line.crds:
        raise MeshwrightError("the kind", seen=repr(kind), wanted=f"one of {', '.join(sorted(line.crds))}")
    return line.crds[kind]


def kernel_minimum(cilium: Minor) -> Minor:
    line = cilium_line(cilium)
    if line is None:
        raise _unknown_cilium(cilium)
    return line.kernel


def k3s_step(have: K3sVersion, want: K3sVersion) -> MeshwrightError | None:
    """Why a live cluster may not go from one k3s to the other, or None."""
    if want.kubernetes < have.kubernetes:
        return MeshwrightError(
            "k3s_version", seen=f"{want} on a cluster that runs {have}", wanted=f"{show(have.kubernetes)} or later",
            remedy="Kubernetes does not go back a minor; restore a snapshot taken with the older version instead",
        )
    if want.minor - have.minor > 1:
        return MeshwrightError(
            "k3s_version", seen=f"{want} on a cluster that runs {have}", wanted="one Kubernetes minor at a time",
            remedy=f"go to a v{have.major}.{have.minor + 1} release first",
        )
    return _etcd_step(have, want)


def _etcd_step(have: K3sVersion, want: K3sVersion) -> MeshwrightError | None:
    old, new = kubernetes_line(have.kubernetes), kubernetes_line(want.kubernetes)
    if old is None or new is None or old.etcd == new.etcd:
        return None
    entry = ETCD_3_6_ENTRY.get(have.kubernetes)
    if entry is None or have >= entry:
        return None
    return MeshwrightError(
        "k3s_version", seen=f"{want}, with etcd {show(new.etcd)}, on a cluster that runs {have}",
        wanted=f"{entry} or later on all servers first",
        remedy=f"set k3s_version to {entry}, run, then come back (its etcd 3.5.26 cleans the membership)",
    )


def cilium_step(have: Version, want: Version) -> MeshwrightError | None:
    """Why a live Cilium may not go from one version to the other, or None. One minor at a time, both ways."""
    distance = want.minor - have.minor
    if have.major == want.major and abs(distance) <= 1:
        return None
    through = have.minor + (1 if distance > 0 else -1)
    return MeshwrightError(
        "cilium_version", seen=f"{want} on a cluster that runs {have}", wanted="one Cilium minor at a time",
        remedy=f"go to a {have.major}.{through} release first",
    )


def _unknown_cilium(cilium: Minor) -> MeshwrightError:
    return MeshwrightError(
        "cilium_version", seen=show(cilium), wanted=known_cilium(), remedy="choose a Cilium release of these minors"
    )
