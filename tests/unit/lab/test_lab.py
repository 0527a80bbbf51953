from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from meshlab import __main__ as command_line
from meshlab import dns, hostimage, inventory, machine, podman, ssh, state
from meshlab.errors import LabError
from meshlab.lab import Lab
from meshlab.release import Release
from meshlab.state import Paths, Record


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setenv("MESHLAB_PREFIX", "tt")
    for name in ("MESHLAB_TOPOLOGY", "MESHLAB_SUBNET", "MESHLAB_BARE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lab() -> Lab:
    return Lab(Paths("tt"), Lab.open("tt", "small").topology, "10.117.9.0/24")


class Podman:
    """Records what podman is asked for; answers are given by the first word."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], object]] = []
        self.answers: dict[str, str] = {}

    def __call__(
        self, arguments: Sequence[str], timeout: float | None = 0, check: bool = True, stdin: object = None
    ) -> subprocess.CompletedProcess[str]:
        self.calls.append((list(arguments), stdin))
        return subprocess.CompletedProcess(arguments, 0, self.answers.get(arguments[0], ""), "")


@pytest.fixture
def fake_podman(monkeypatch: pytest.MonkeyPatch) -> Podman:
    fake = Podman()
    monkeypatch.setattr(podman, "run", fake)
    return fake


# -- opening


def test_opening_a_lab_changes_nothing(tmp_path: Path) -> None:
    opened = Lab.open("tt", "small")
    assert opened.hosts["server1"].name == "tt-server1"
    assert list(tmp_path.iterdir()) == []


def test_a_lab_keeps_its_topology() -> None:
    state.write(Paths("tt"), Record("small", "10.117.9.0/24", {"node": "image"}))
    assert Lab.open("tt").topology.name == "small"
    assert Lab.open("tt").hosts["agent1"].ip == "10.117.9.21"
    with pytest.raises(LabError, match="made with topology small, asked for is default"):
        Lab.open("tt", "default")


def test_the_environment_chooses_the_topology(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLAB_TOPOLOGY", "k3s")
    assert Lab.open().topology.name == "k3s"


# -- a host


def test_a_file_is_written_beside_and_renamed(lab: Lab, fake_podman: Podman) -> None:
    lab.hosts["server1"].put_text("text", "/etc/some dir/file", 0o600)
    arguments, stdin = fake_podman.calls[0]
    assert arguments[:5] == ["exec", "--interactive", "tt-server1", "/bin/sh", "-c"]
    assert "chmod 600 '/etc/some dir/file.new' && mv -fT" in arguments[5]
    assert stdin == "text"


def test_killing_waits_until_the_host_is_gone(lab: Lab, fake_podman: Podman) -> None:
    lab.hosts["server1"].kill()
    assert [call[0] for call in fake_podman.calls] == [["kill", "tt-server1"], ["wait", "tt-server1"]]


def test_a_hosts_problems_are_named(lab: Lab, fake_podman: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_podman.answers["exec"] = "mounts of / are not shared\n"
    monkeypatch.setattr("meshlab.host.Host._not_yet", lambda _host: "sshd does not answer at 10.117.9.11:22")
    assert lab.hosts["server1"].problems() == [
        "tt-server1: mounts of / are not shared",
        "tt-server1: sshd does not answer at 10.117.9.11:22",
    ]


@pytest.mark.parametrize(("states", "up"), [("active\nreloading\n", True), ("active\nactivating\n", False)])
def test_a_unit_that_reloads_is_up(
    lab: Lab, fake_podman: Podman, monkeypatch: pytest.MonkeyPatch, states: str, up: bool
) -> None:
    monkeypatch.setattr("meshlab.host.Host.answers", lambda *_arguments: True)
    fake_podman.answers["exec"] = states
    assert (lab.hosts["server1"]._not_yet() == "") is up


def test_images_are_seeded_anew(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    host = lab.hosts["server1"]
    old = host.data / "rancher/k3s/agent/containerd/old"
    old.mkdir(parents=True)
    seeded: list[Path] = []
    object.__setattr__(host, "seed", seeded.append)
    host.seed_images()
    assert not old.exists()
    assert seeded == [host.data / "rancher"]


# -- what others read


def test_the_inventory_has_the_ecosystems_groups(lab: Lab, tmp_path: Path) -> None:
    placed = Release("v1", tmp_path / "k3s", "abc", tmp_path / "a", tmp_path / "c", tmp_path / "helm")
    data = inventory.build(lab.paths, lab.topology, lab.hosts.values(), placed)
    assert data["server"]["hosts"] == ["server1"]
    assert data["agent"]["hosts"] == ["agent1"]
    assert data["k3s_cluster"]["children"] == ["server", "agent"]
    assert data["_meta"]["hostvars"]["server1"] == {"ansible_host": "10.117.9.11"}
    variables = data["all"]["vars"]
    assert variables["meshlab_files_url"] == "http://10.117.9.10:8000"
    assert variables["meshlab_k3s_sha256"] == "abc"
    assert "StrictHostKeyChecking=yes" in variables["ansible_ssh_common_args"]


def test_tokens_are_made_once_and_kept_private(lab: Lab) -> None:
    first = inventory.secrets_of(lab.paths)
    assert first == inventory.secrets_of(lab.paths)
    assert len(set(first.values())) == len(inventory.SECRETS)
    assert (lab.paths.root / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_lab_that_is_not_there_has_no_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["inventory"]) == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert data["server"]["hosts"] == []
    assert data["_meta"]["hostvars"] == {}


def test_ssh_knows_every_host_by_both_names(lab: Lab) -> None:
    text = ssh.config(lab.paths, lab.hosts.values())
    assert "Host server1 tt-server1\n  HostName 10.117.9.11\n" in text
    assert text.count("StrictHostKeyChecking yes") == 3


def test_all_hosts_of_a_lab_are_known_by_one_key(lab: Lab) -> None:
    ssh.prepare_keys(lab.paths, lab.networks)
    key = lab.paths.ssh_key.read_text()
    ssh.prepare_keys(lab.paths, lab.networks)
    assert lab.paths.ssh_key.read_text() == key
    assert lab.paths.known_hosts.read_text().startswith("10.117.9.* ssh-ed25519 ")
    assert lab.paths.ssh_key.stat().st_mode & 0o777 == 0o600


def test_dns_knows_the_hosts_and_nothing_else(lab: Lab) -> None:
    lines = dns.dnsmasq_conf(lab.hosts.values()).splitlines()
    assert "host-record=files,files.lab.test,10.117.9.10" in lines
    assert "address=/#/" in lines


@pytest.mark.parametrize(("command", "name"), [("kubeconfig", "kubeconfig"), ("ssh-config", "ssh_config")])
def test_paths_are_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, name: str) -> None:
    assert command_line.main([command]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/labs/tt/{name}\n"


def test_an_unknown_host_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["exec", "server9", "--", "true"]) == 1
    assert "has no host server9; it has files, server1" in capsys.readouterr().err


# -- the machine


def test_limits_are_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _which: (1024, 20000))
    assert '"nofile=20000:20000", "nproc=20000:20000"' in podman.configuration()


def test_the_list_of_packages_may_have_comments() -> None:
    assert machine.wanted_packages("# why\npodman\n\nrunc # also\n") == ["podman", "runc"]


def test_bridge_filters_that_are_on_are_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BRIDGE_SYSCTLS", tmp_path)
    (tmp_path / "bridge-nf-call-iptables").write_text("1\n")
    assert [path.name for path in machine.bridge_filters_on()] == ["bridge-nf-call-iptables"]
    machine.switch_bridge_filters_off()
    assert machine.bridge_filters_on() == []


def test_hosts_that_share_a_group_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {1: "/a/init.scope", 2: "/b/init.scope", 3: "/b/init.scope", 4: "/init.scope"}
    monkeypatch.setattr(machine, "unified_group", lambda pid: groups[pid])
    found = machine.shared_groups({"one": 1, "two": 2, "three": 3, "four": 4})
    assert [line.split(":")[0] for line in found] == ["two", "three", "four"]


def test_the_image_comes_from_the_machines_own_debian_sources() -> None:
    listed = (
        "Debian|bookworm|main|http://mirror.test/debian/\n"
        "Debian|bookworm|contrib|http://mirror.test/debian/\n"
        "Debian|bookworm-security|main|http://mirror.test/security/\n"
        "Other|bookworm|main|http://other.test/\n"
        "Debian|trixie|main|http://mirror.test/debian/\n"
    )
    assert hostimage.debian_sources(listed).splitlines() == [
        "deb http://mirror.test/debian/ bookworm main contrib",
        "deb http://mirror.test/security/ bookworm-security main",
    ]
    with pytest.raises(RuntimeError, match="knows no Debian bookworm source"):
        hostimage.debian_sources("Other|bookworm|main|http://other.test/\n")


def test_waiting_for_a_host_says_what_is_missing(
    lab: Lab, fake_podman: Podman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshlab.host.Host.answers", lambda *_: True)
    fake_podman.answers["exec"] = "active\nactivating\n"
    with pytest.raises(LabError, match=r"tt-server1: after 0 s systemd says \['active', 'activating'\]"):
        lab.hosts["server1"].wait_booted(seconds=0)
