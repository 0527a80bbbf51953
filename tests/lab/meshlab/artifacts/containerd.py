"""containerd's directory with all images in it, unpacked once, and its copies for the hosts."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from meshlab.artifacts import images
from meshlab.artifacts.process import run
from meshlab.artifacts.recipe import Parts
from meshlab.errors import LabError

NAMESPACE = "k8s.io"
# What the CRI plugin puts on images that it manages, and what keeps kubelet's image garbage collection off.
LABELS = ("io.cri-containerd.image=managed", "io.cri-containerd.pinned=pinned")
ROOT = "containerd"
STARTUP_SECONDS = 30.0
STOP_SECONDS = 30.0
# Below containerd's root: written once, when an image is unpacked, and never again. All else is copied.
SHARED = (
    "io.containerd.content.v1.content/blobs",
    "io.containerd.snapshotter.v1.overlayfs/snapshots",
)
# All that images are; what else containerd leaves in its root belongs to one containerd (an identity, its tasks).
KEPT = ("io.containerd.content.v1.content", "io.containerd.metadata.v1.bolt", "io.containerd.snapshotter.v1.overlayfs")
CONFIGURATION = """\
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
oom_score = 0
root = "{root}"
state = "{state}"
[grpc]
address = "{socket}"
"""


def build_containerd(directory: Path, _parts: Parts) -> None:
    """Debian's containerd: the one that the hosts have."""
    with tempfile.TemporaryDirectory() as scratch:
        run(["apt-get", "download", "containerd"], Path(scratch))
        (package,) = Path(scratch).glob("*.deb")
        run(["dpkg-deb", "--extract", package, Path(scratch) / "tree"])
        for program in ("containerd", "ctr", "containerd-shim-runc-v2"):
            shutil.copy2(Path(scratch) / "tree/usr/bin" / program, directory / program)


def build_root(directory: Path, parts: Parts) -> None:
    """Import every image into an empty containerd, which unpacks it into the overlayfs snapshotter."""
    programs = parts["containerd"]
    with running(programs, directory / ROOT) as socket:
        ctr: list[str | Path] = [programs / "ctr", "--address", socket, "--namespace", NAMESPACE]
        for name in images.NAMES:
            run([*ctr, "images", "import", parts["images"] / images.archive_name(name)])
            run([*ctr, "images", "label", name, *LABELS])
        there = run([*ctr, "images", "list", "--quiet"], keep_errors_apart=True).split()
        if sorted(there) != sorted(images.NAMES):
            raise LabError(f"containerd-root: containerd lists {sorted(there)}, wanted {sorted(images.NAMES)}")
    for path in (directory / ROOT).iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path)


@contextlib.contextmanager
def running(programs: Path, root: Path) -> Iterator[Path]:
    """A containerd of our own on this root; yields its socket. Nothing else on the machine is touched."""
    with tempfile.TemporaryDirectory(prefix="meshlab-") as scratch:
        state, socket, log = Path(scratch) / "state", Path(scratch) / "sock", Path(scratch) / "log"
        config = Path(scratch) / "config.toml"
        config.write_text(CONFIGURATION.format(root=root, state=state, socket=socket))
        with log.open("w") as output:
            process = subprocess.Popen([programs / "containerd", "--config", config], stdout=output, stderr=output)
        try:
            _await(process, [programs / "ctr", "--address", socket, "version"], log)
            yield socket
        finally:
            _stop(process)


def _await(process: subprocess.Popen[bytes], probe: list[Path | str], log: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"containerd does not answer; it said:\n{log.read_text()[-4000:]}")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ended in order, so that its databases are whole."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        raise LabError(f"containerd (pid {process.pid}) did not end within {STOP_SECONDS:.0f} s") from error


def seed(root: Path, target: Path) -> None:
    """Give a host its own containerd directory: hard links to what never changes, copies of the rest.

    It becomes visible by one rename, so a killed run leaves either nothing or all of it.
    """
    if target.exists():
        raise LabError(f"{target}: exists already; remove it before its images are given again")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.seeding")
    shutil.rmtree(scratch, ignore_errors=True)
    _copy(root, scratch, [root / path for path in SHARED])
    scratch.rename(target)


def _copy(origin: Path, target: Path, shared: list[Path]) -> None:
    """`cp -a` down to the shared directories, and `cp -al` of those."""
    if origin in shared:
        _cp("-al", origin, target)
    elif not any(path.is_relative_to(origin) for path in shared):
        _cp("-a", origin, target)
    else:
        target.mkdir()
        shutil.copystat(origin, target)
        os.chown(target, origin.stat().st_uid, origin.stat().st_gid)
        for child in sorted(origin.iterdir()):
            _copy(child, target / child.name, shared)


def _cp(flags: str, origin: Path, target: Path) -> None:
    try:
        run(["cp", flags, "--no-target-directory", origin, target])
    except LabError as error:
        raise LabError(
            f"{target}: cannot be made from {origin} (the labs and the artifacts must be on one filesystem): {error}"
        ) from error
