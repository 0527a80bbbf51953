"""The table of artifacts, in the order in which they are built: what takes longest comes first."""

from __future__ import annotations

from pathlib import Path

from meshlab.artifacts import cilium, containerd, gobuild, images, oci, programs
from meshlab.artifacts.recipe import Recipe
from meshlab.hostimage import SUITE


def _source(module: object) -> Path:
    file = getattr(module, "__file__", None)
    assert isinstance(file, str)
    return Path(file)


def _program(module: Path) -> list[str | Path]:
    """What of a Go module of ours ends up in its program: all but tests and pages."""
    files = sorted(file for file in module.rglob("*") if file.is_file())
    wanted = [file for file in files if not file.name.endswith(("_test.go", ".md"))]
    return [item for file in wanted for item in (str(file.relative_to(module)), file)]


GO = _source(gobuild)
PROGRAMS = [GO, _source(programs)]
CILIUM_TEXTS = [str(cilium.PROGRAMS), str(cilium.TAGS), cilium.LDFLAGS]
ROOTFS_TEXTS = [SUITE, str(cilium.PACKAGES), str(cilium.LEFT_OUT), str(cilium.HOOKS)]

RECIPES = (
    Recipe("k3s", programs.build_k3s, [GO, *_program(programs.K3S), str(programs.K3S_DEFAULT_FLAGS)]),
    Recipe("cilium-rootfs", cilium.build_rootfs, ROOTFS_TEXTS),
    Recipe("cilium-bin", cilium.build_programs, [GO, cilium.MODULE, *CILIUM_TEXTS]),
    Recipe("coredns", programs.build_coredns, [*PROGRAMS, programs.TOOLS]),
    Recipe("helm", programs.build_helm, [*PROGRAMS, programs.TOOLS]),
    Recipe("cni-plugins", programs.build_cni_plugins, [*PROGRAMS, programs.TOOLS]),
    Recipe("agnhost", programs.build_agnhost, [*PROGRAMS, programs.AGNHOST]),
    Recipe("pause", programs.build_pause, [*PROGRAMS, programs.AGNHOST]),
    Recipe("cilium-chart", cilium.build_chart, [_source(cilium), cilium.MODULE]),
    Recipe("images", images.build, [_source(images), _source(oci), _source(cilium)], needs=images.NEEDS),
    Recipe("containerd", containerd.build_containerd, [SUITE]),
    Recipe("containerd-root", containerd.build_root, [_source(containerd)], needs=["images", "containerd"]),
)
