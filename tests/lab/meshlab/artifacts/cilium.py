"""Cilium from its Go module: programs, Helm chart, and the image of the agent."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from meshlab.artifacts import gobuild
from meshlab.artifacts.oci import Entry
from meshlab.artifacts.process import run
from meshlab.artifacts.recipe import Parts
from meshlab.hostimage import SUITE, apt_index_targets, debian_sources

VERSION = "1.20.2"
MODULE = gobuild.MODULES / "cilium"
SOURCE = "github.com/cilium/cilium"
PROGRAMS = {
    f"{SOURCE}/bugtool": "cilium-bugtool",
    f"{SOURCE}/cilium-dbg": "cilium-dbg",
    f"{SOURCE}/cilium-health": "cilium-health",
    f"{SOURCE}/cilium-health/responder": "cilium-health-responder",
    f"{SOURCE}/daemon": "cilium-agent",
    f"{SOURCE}/hubble": "hubble",
    f"{SOURCE}/hubble-relay": "hubble-relay",
    f"{SOURCE}/operator": "cilium-operator-generic",
    f"{SOURCE}/plugins/cilium-cni": "cilium-cni",
    f"{SOURCE}/tools/mount": "cilium-mount",
    f"{SOURCE}/tools/sysctlfix": "cilium-sysctlfix",
}
# The operator's tag makes it the "generic" one; nothing else looks at it.
TAGS = ("osusergo", "ipam_provider_operator")
LDFLAGS = (
    f"{gobuild.STRIPPED} -X {SOURCE}/pkg/version.ciliumVersion={VERSION} -X {SOURCE}/hubble/pkg.Version=v{VERSION}"
)
# What is not in the agent's image: it is in images of its own, or belongs in another place.
ELSEWHERE = {"cilium-operator-generic", "hubble-relay", "cilium-cni"}
SCRIPTS = ("images/cilium/init-container.sh", "plugins/cilium-cni/install-plugin.sh",
           "plugins/cilium-cni/cni-uninstall.sh")  # fmt: skip

# clang compiles the datapath on the node; the rest is what the agent and the chart's init containers call.
PACKAGES = ("bpftool", "ca-certificates", "clang-19", "iproute2", "ipset", "iptables", "kmod", "mount", "util-linux")
# The datapath is compiled with -nostdinc: headers, libraries to link with and documents have no use.
LEFT_OUT = ("/usr/include/*", "/usr/lib/gcc/*", "/usr/lib/llvm-19/include/*", "/usr/share/doc/*", "/usr/share/info/*",
            "/usr/share/locale/*", "/usr/share/man/*", "*.a")  # fmt: skip
HOOKS = (
    'ln -s clang-19 "$1/usr/bin/clang"',
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/cache/ldconfig/* "$1"/var/log/*',
    'rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/etc/machine-id"',
)
ROOTFS = "layer.tar"


def build_programs(directory: Path, _parts: Parts) -> None:
    gobuild.build(MODULE, directory, PROGRAMS, TAGS, LDFLAGS)


def build_rootfs(directory: Path, _parts: Parts) -> None:
    """The Debian layer of the agent's image."""
    sources = directory / "sources.list"
    sources.write_text(debian_sources(apt_index_targets()))
    options = ["--quiet", "--variant=minbase", "--format=tar", f"--include={','.join(PACKAGES)}"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    options += [f"--customize-hook={hook}" for hook in HOOKS]
    environment = {"SOURCE_DATE_EPOCH": "0"}
    run(["mmdebstrap", *options, SUITE, directory / ROOTFS, sources], environment=environment)
    sources.unlink()


def build_chart(directory: Path, _parts: Parts) -> None:
    pack_chart(gobuild.source(MODULE, SOURCE) / "install/kubernetes/cilium", directory / f"cilium-{VERSION}.tgz")


def pack_chart(chart: Path, target: Path) -> None:
    """As `helm package` does it, but with bytes that depend on the chart alone."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in sorted(path for path in chart.rglob("*") if path.is_file()):
            content = file.read_bytes()
            info = tarfile.TarInfo(f"{chart.name}/{file.relative_to(chart)}")
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))


def agent_entries(programs: Path, loopback: Path) -> list[Entry]:
    """What the agent's image has above Debian, at the places where agent and chart look for it."""
    source = gobuild.source(MODULE, SOURCE)
    entries = [Entry(f"usr/bin/{path.name}", path) for path in sorted(programs.iterdir()) if path.name not in ELSEWHERE]
    entries += [Entry(Path(script).name, source / script) for script in SCRIPTS]
    entries += [
        Entry("usr/bin/cilium", link="cilium-dbg"),
        Entry("opt/cni/bin/cilium-cni", programs / "cilium-cni"),
        Entry("cni/loopback", loopback),
        Entry("home/cilium"),
    ]
    return entries + datapath_entries(source / "bpf")


def datapath_entries(bpf: Path) -> list[Entry]:
    """The sources that the agent compiles, without their tests (cilium: Makefile.defs, BPF_SRCFILES)."""
    unwanted = {"tests", "complexity-tests", "custom"}
    files = [
        path
        for path in bpf.rglob("*")
        if path.is_file()
        and path.relative_to(bpf).parts[0] not in unwanted
        and path.name not in {"Makefile", "Makefile.bpf", ".gitignore"}
    ]
    return [Entry(f"var/lib/cilium/bpf/{path.relative_to(bpf)}", path, mode=0o644) for path in files]
