"""The container images that the lab's clusters run, by the names that k3s and the charts use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from meshlab.artifacts import cilium
from meshlab.artifacts.oci import Entry, Image, Layer, architecture, write_archive, write_layer
from meshlab.artifacts.process import run
from meshlab.artifacts.recipe import Parts

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
AGENT = f"quay.io/cilium/cilium:v{cilium.VERSION}"
OPERATOR = f"quay.io/cilium/operator-generic:v{cilium.VERSION}"
RELAY = f"quay.io/cilium/hubble-relay:v{cilium.VERSION}"
COREDNS = "docker.io/rancher/mirrored-coredns-coredns:1.15.0"
PAUSE = "docker.io/rancher/mirrored-pause:3.6"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.57"
NAMES = (AGENT, OPERATOR, RELAY, COREDNS, PAUSE, AGNHOST)
NEEDS = ("cilium-bin", "cilium-rootfs", "cni-plugins", "coredns", "agnhost", "pause")


@dataclass(frozen=True)
class Small:
    """An image of static programs and nothing else."""

    name: str
    entries: list[Entry]
    settings: dict[str, object] = field(default_factory=dict)


def airgap_name() -> str:
    """As k3s names the file in its releases."""
    return f"k3s-airgap-images-{architecture()}.tar.zst"


def small_images(parts: Parts) -> list[Small]:
    bin_ = parts["cilium-bin"]
    temporary = Entry("tmp", mode=0o1777)
    return [
        Small(
            OPERATOR,
            [
                Entry("usr/bin/cilium-operator-generic", bin_ / "cilium-operator-generic"),
                temporary,
                Entry("home/gops", mode=0o777),
            ],
            {"Env": [PATH, "GOPS_CONFIG_DIR=/home/gops"], "WorkingDir": "/"},
        ),
        Small(
            RELAY,
            [Entry("usr/bin/hubble-relay", bin_ / "hubble-relay"), temporary],
            {
                "Env": [PATH, "GOPS_CONFIG_DIR=/tmp"],
                "WorkingDir": "/tmp",
                "User": "65532:65532",
                "Entrypoint": ["/usr/bin/hubble-relay"],
                "Cmd": ["serve"],
            },
        ),
        Small(
            COREDNS,
            [Entry("coredns", parts["coredns"] / "coredns"), temporary],
            {"Env": [PATH], "WorkingDir": "/", "Entrypoint": ["/coredns"]},
        ),
        Small(
            PAUSE,
            [Entry("pause", parts["pause"] / "pause")],
            {"Env": [PATH], "User": "65535:65535", "Entrypoint": ["/pause"]},
        ),
        Small(
            AGNHOST,
            [
                Entry("agnhost", parts["agnhost"] / "agnhost"),
                Entry("agnhost-2", link="agnhost"),
                temporary,
                Entry("uploads"),
            ],
            {"Env": [PATH], "WorkingDir": "/", "Entrypoint": ["/agnhost"], "Cmd": ["pause"]},
        ),
    ]


def build(directory: Path, parts: Parts) -> None:
    """One archive for each image, and the air-gap archive with what k3s itself needs and the test workload."""
    scratch = directory / "layers"
    scratch.mkdir()
    images = [_agent(scratch, parts)]
    for number, small in enumerate(small_images(parts)):
        layer = write_layer(scratch / f"{number}.tar", small.entries)
        images.append(Image(small.name, [layer], small.settings))
    for image in images:
        write_archive(directory / archive_name(image.name), [image])
    plain = scratch / "airgap.tar"
    write_archive(plain, [image for image in images if image.name in (COREDNS, PAUSE, AGNHOST)])
    run(["zstd", "-q", "-T0", plain, "-o", directory / airgap_name()])
    for file in scratch.iterdir():
        file.unlink()
    scratch.rmdir()


def archive_name(image: str) -> str:
    return image.rsplit("/", 1)[-1].replace(":", "-") + ".tar"


def _agent(scratch: Path, parts: Parts) -> Image:
    entries = cilium.agent_entries(parts["cilium-bin"], parts["cni-plugins"] / "loopback")
    layers = [Layer.of(parts["cilium-rootfs"] / cilium.ROOTFS), write_layer(scratch / "agent.tar", entries)]
    environment = [PATH, "HUBBLE_SERVER=unix:///var/run/cilium/hubble.sock", "INITSYSTEM=SYSTEMD"]
    settings = {"Env": environment, "WorkingDir": "/home/cilium", "Cmd": ["/usr/bin/cilium-dbg"]}
    return Image(AGENT, layers, settings)
