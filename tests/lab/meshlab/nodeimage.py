"""The node image: a Debian root filesystem with systemd, sshd and the programs that Kubernetes' nodes need."""

from __future__ import annotations

import subprocess
from pathlib import Path

from meshlab.cache import Log, cached, say

SUITE = "bookworm"
PACKAGES = (
    # a host
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "procps", "kmod", "ca-certificates",
    # a node: what the stand-in for k3s takes from Debian, and what kubelet, kube-proxy and Cilium call
    "containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ipset", "iproute2", "ethtool",
    "socat", "mount", "util-linux", "zstd", "bpftool",
    # tests and people
    "curl", "dnsmasq-base", "iputils-ping", "tcpdump",
)  # fmt: skip
# containerd is started by k3s, the rest has nothing to do in a container.
MASKED = ("containerd.service", "console-getty.service", "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer",
          "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer")  # fmt: skip
ENABLED = ("meshlab-node.service", "meshlab-files.service", "meshlab-dns.service", "ssh.service")
TREE = Path(__file__).parent / "node"
ARCHIVE = "rootfs.tar"
INIT = "/usr/local/lib/meshlab/init"


def ensure(log: Log = say) -> Path:
    """The directory that holds the image's tar; built if it is not in the cache."""
    options = [option.replace(str(TREE), "TREE") for option in mmdebstrap_options()]
    return cached("node-image", [SUITE, *options, TREE], build, log)


def build(directory: Path) -> None:
    sources = directory / "sources.list"
    sources.write_text(debian_sources(apt_index_targets()))
    command = ["nice", "mmdebstrap", *mmdebstrap_options(), SUITE, str(directory / ARCHIVE), str(sources)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"node-image: mmdebstrap ended with {done.returncode}:\n{done.stdout[-4000:]}")
    sources.unlink()


def mmdebstrap_options() -> list[str]:
    hooks = [
        # No daemon is started while the packages are set up; the file goes again afterwards.
        f"sync-in {TREE} /",
        'chown -R 0:0 "$1/usr/local/lib/meshlab" "$1/etc/ssh/sshd_config.d" "$1/etc/systemd/system"',
        'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/etc/resolv.conf"',
        f'chroot "$1" systemctl mask {" ".join(MASKED)}',
        f'chroot "$1" systemctl enable {" ".join(ENABLED)}',
        ': > "$1/etc/machine-id"',
        'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*',
    ]
    options = ["--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", "--format=tar"]
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
            f"node-image: apt on this machine knows no Debian {SUITE} source: "
            f"add one to its sources and run `apt-get update`"
        )
    return "".join(
        f"deb {uri} {release} {' '.join(dict.fromkeys(names))}\n" for (uri, release), names in components.items()
    )
