"""What only hosts that become nodes of the cluster have."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://k3s_cluster"]


def test_debians_containerd_does_not_run(host: Host) -> None:
    assert host.service("containerd").is_masked
    assert not host.service("containerd").is_running


def test_var_lib_rancher_is_on_a_real_filesystem(host: Host) -> None:
    assert host.check_output("stat -f -c %T /var/lib/rancher") not in ("overlayfs", "tmpfs")
