"""The hosts' images: Debian root filesystems with systemd, sshd and the programs that a kind of host needs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from meshlab.cache import Log, cached, say

SUITE = "bookworm"
ROOTFS = Path(__file__).parent / "rootfs"
ARCHIVE = "rootfs.tar"
INIT = "/usr/local/lib/meshlab/init"


@dataclass(frozen=True)
class Image:
    """`packages`, `masked`, `enabled` and `hooks` come on top of what every host has; `name` is also its tree's."""

    name: str
    packages: tuple[str, ...]
    enabled: tuple[str, ...]
    masked: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()

    @property
    def trees(self) -> tuple[Path, Path]:
        """Copied over the packages' files."""
        return ROOTFS / "common", ROOTFS / self.name


PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "procps", "kmod", "ca-certificates",
    "iproute2", "mount", "util-linux", "curl", "iputils-ping", "tcpdump",
)  # fmt: skip
# They have nothing to do in a container.
MASKED = ("console-getty.service", "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer",
          "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer")  # fmt: skip
ENABLED = ("meshlab-host.service", "ssh.service")

# What the stand-in for k3s takes from Debian, and what kubelet, kube-proxy and Cilium call.
NODE_PACKAGES = ("containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ipset", "ethtool",
                 "socat", "zstd", "bpftool", "dnsmasq-base")  # fmt: skip
NODE = Image(
    name="node",
    packages=NODE_PACKAGES,
    enabled=("meshlab-files.service", "meshlab-dns.service"),
    masked=("containerd.service",),  # k3s starts its own
)
ROUTER = Image(
    name="router",
    packages=("frr", "frr-pythontools", "openssl", "nftables"),
    enabled=("frr.service", "meshlab-frr.service", "meshlab-standin@unifi.service", "meshlab-standin@vyos.service"),
    hooks=('sed -i s/^bgpd=no/bgpd=yes/ "$1/etc/frr/daemons"', 'rm -f "$1/etc/frr/frr.conf"'),
)
IMAGES = {image.name: image for image in (NODE, ROUTER)}


def ensure(image: Image, log: Log = say) -> Path:
    """The directory that holds the image's tar; built if it is not in the cache."""
    options = [option.replace(str(ROOTFS), "ROOTFS") for option in mmdebstrap_options(image)]
    return cached(f"{image.name}-image", [SUITE, *options, *image.trees], lambda path: build(image, path), log)


def build(image: Image, directory: Path) -> None:
    sources = directory / "sources.list"
    sources.write_text(debian_sources(apt_index_targets()))
    command = ["nice", "mmdebstrap", *mmdebstrap_options(image), SUITE, str(directory / ARCHIVE), str(sources)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{image.name}-image: mmdebstrap ended with {done.returncode}:\n{done.stdout[-4000:]}")
    sources.unlink()


def mmdebstrap_options(image: Image) -> list[str]:
    hooks = [
        # No daemon is started while the packages are set up; the file goes again afterwards.
        *(f"sync-in {tree} /" for tree in image.trees),
        'chown -R 0:0 "$1/usr/local/lib/meshlab" "$1/etc/ssh/sshd_config.d" "$1/etc/systemd/system" "$1/etc/sysctl.d"',
        'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/etc/resolv.conf"',
        *image.hooks,
        f'chroot "$1" systemctl mask {" ".join((*MASKED, *image.masked))}',
        f'chroot "$1" systemctl enable {" ".join((*ENABLED, *image.enabled))}',
        ': > "$1/etc/machine-id"',
        'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*.log "$1"/var/log/apt',
    ]
    options = ["--quiet", "--variant=minbase", f"--include={','.join((*PACKAGES, *image.packages))}", "--format=tar"]
    for path in ("doc", "man", "info", "locale"):
        options.append(f"--dpkgopt=path-exclude=/usr/share/{path}/*")
    return options + [f"--customize-hook={hook}" for hook in hooks]


def apt_index_targets() -> str:
    fields = "$(ORIGIN)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)"
    command = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def debian_sources(index_targets: str) -> str:
    """The machine's own Debian sources as a sources.list: the image comes from where the machine's packages come."""
    components: dict[tuple[str, str], list[str]] = {}
    for line in index_targets.splitlines():
        origin, release, component, uri = line.split("|")
        if origin == "Debian" and release.startswith(SUITE):
            components.setdefault((uri, release), []).append(component)
    if not components:
        raise RuntimeError(
            f"the hosts' images: apt on this machine knows no Debian {SUITE} source: "
            f"add one to its sources and run `apt-get update`"
        )
    return "".join(
        f"deb {uri} {release} {' '.join(dict.fromkeys(names))}\n" for (uri, release), names in components.items()
    )
