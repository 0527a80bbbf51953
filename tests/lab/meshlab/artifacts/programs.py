"""The other programs: helm, CoreDNS, CNI plugins, agnhost, pause, and the k3s of tests/lab/k3s."""

from __future__ import annotations

from pathlib import Path

from meshlab.artifacts import gobuild
from meshlab.artifacts.process import run
from meshlab.artifacts.recipe import Parts
from meshlab.errors import LabError

TOOLS = gobuild.MODULES / "tools"
AGNHOST = gobuild.MODULES / "agnhost"
K3S = gobuild.MODULES.parent / "k3s"
K3S_FLAGS = K3S / "BUILDFLAGS"
K3S_DEFAULT_FLAGS = (
    "-trimpath",
    "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4+k3s1",
)

# What its source in Kubernetes 1.34.4 says of itself, whatever tag the image gets.
AGNHOST_VERSION = "2.56"
HELM = "helm.sh/helm/v3"
HELM_VERSION = "v3.22.0"
# What `helm template` takes for the cluster's version when it has none: that of its client-go (helm: Makefile).
HELM_KUBERNETES = ("1", "37")
CNI = "github.com/containernetworking/plugins"
CNI_VERSION = "v1.9.1"
CNI_PLUGINS = ("ipam/host-local", "main/bridge", "main/loopback", "meta/portmap")


def build_helm(directory: Path, _parts: Parts) -> None:
    flags = f"{gobuild.STRIPPED} -X {HELM}/internal/version.version={HELM_VERSION}"
    for package in ("lint/rules", "chartutil"):
        for part, number in zip(("Major", "Minor"), HELM_KUBERNETES, strict=True):
            flags += f" -X {HELM}/pkg/{package}.k8sVersion{part}={number}"
    gobuild.build(TOOLS, directory, {f"{HELM}/cmd/helm": "helm"}, ldflags=flags)


def build_coredns(directory: Path, _parts: Parts) -> None:
    gobuild.build(TOOLS, directory, {"github.com/coredns/coredns": "coredns"})


def build_cni_plugins(directory: Path, _parts: Parts) -> None:
    flags = f"{gobuild.STRIPPED} -X {CNI}/pkg/utils/buildversion.BuildVersion={CNI_VERSION}"
    plugins = {f"{CNI}/plugins/{path}": path.split("/")[1] for path in CNI_PLUGINS}
    gobuild.build(TOOLS, directory, plugins, ldflags=flags)


def build_agnhost(directory: Path, _parts: Parts) -> None:
    flags = f"{gobuild.STRIPPED} -X main.Version={AGNHOST_VERSION}"
    gobuild.build(AGNHOST, directory, {"k8s.io/kubernetes/test/images/agnhost": "agnhost"}, ldflags=flags)


def build_pause(directory: Path, _parts: Parts) -> None:
    """Kubernetes' own pause, the way its Makefile compiles it."""
    source = gobuild.source(AGNHOST, "k8s.io/kubernetes") / "build/pause/linux/pause.c"
    flags = ["-Os", "-Wall", "-Werror", "-static", "-s", "-DVERSION=v3.6"]
    run(["gcc", *flags, "-o", directory / "pause", source])


def build_k3s(directory: Path, _parts: Parts) -> None:
    gobuild.build_with_flags(K3S, directory, {"meshwright.invalid/lab/k3s": "k3s"}, k3s_flags(K3S_FLAGS))


def k3s_flags(path: Path) -> list[str]:
    """The flags of `go build`, one a line, as whoever builds the program by hand passes them too."""
    if not path.exists():
        return list(K3S_DEFAULT_FLAGS)
    lines = [line.strip() for line in path.read_text().splitlines()]
    flags = [line for line in lines if line and not line.startswith("#")]
    strange = [flag for flag in flags if not flag.startswith("-")]
    if strange:
        raise LabError(f"{path}: every line must be one flag with its value after '=', found {strange[0]!r}")
    return flags
