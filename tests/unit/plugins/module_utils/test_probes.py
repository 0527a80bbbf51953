"""The probes: what they make of the kernel's answers, and that the whole of it has the shape the model reads."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_host, probe_kernel, probe_reach
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_facts import parse_facts


def test_facts_of_this_machine_are_read_by_the_model() -> None:
    raw = probe_host.facts(["localhost"], "/var/lib/rancher/k3s")
    facts = parse_facts("here", raw, {"sent": 1.0, "answered": 2.0, "received": 3.0})
    assert facts.cpus > 0 and facts.memory_mib > 0 and facts.disk.free_mib > 0
    assert facts.resolves["localhost"]
    assert "lo" in {link.name for link in facts.links}
    assert set(facts.features) >= {"veth", "btf", "cgroup-attach", "map-lru-hash", "program-sched-cls"}
    assert {feature.state for feature in facts.features.values()} <= {"yes", "no", "unknown"}
    assert all(feature.how for feature in facts.features.values())
    assert facts.clock is not None and facts.clock.bounds == (-1.0, 1.0)


def test_probing_leaves_nothing_behind() -> None:
    before = set(Path("/sys/class/net").iterdir())
    probe_kernel.probe_all("")
    left = {path.name for path in set(Path("/sys/class/net").iterdir()) - before}
    assert not {name for name in left if name.startswith("mwprobe")}


OLD = ("/sys/fs/cgroup/memory", "cgroup")


@pytest.mark.parametrize(
    ("mounts", "version", "cgroup2"),
    [
        ([("/sys/fs/cgroup", "cgroup2")], "2", "/sys/fs/cgroup"),
        ([OLD, ("/sys/fs/cgroup/unified", "cgroup2")], "hybrid", "/sys/fs/cgroup/unified"),
        ([OLD], "1", ""),
        ([], "none", ""),
    ],
)
def test_cgroups(mounts: list[tuple[str, str]], version: str, cgroup2: str) -> None:
    found = probe_host.cgroups(mounts)
    assert (found["version"], found["cgroup2"]) == (version, cgroup2)
    if version == "1":
        assert found["controllers"] == ["memory"]


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("0::/system.slice/k3s.service", "k3s"),
        ("0::/system.slice/k3s-agent.service", "k3s-agent"),
        ("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-ab.scope", "pod"),
        ("4:memory:/kubepods/besteffort/pod1/ab", "pod"),
        ("0::/user.slice/user-0.slice/session-1.scope", "session-1"),
        ("0::/", ""),
    ],
)
def test_unit_of_a_process(line: str, unit: str) -> None:
    assert probe_host._unit([line]) == unit


def test_addresses_of_proc() -> None:
    assert probe_host._address("0100007F") == "127.0.0.1"
    assert probe_host._address("00000000000000000000000001000000") == "::1"


@pytest.mark.parametrize(
    ("result", "state"),
    [(0, "yes"), (7, "yes"), (-errno.EINVAL, "no"), (-errno.EPERM, "unknown"), (-errno.ENOSYS, "unknown")],
)
def test_answers_of_the_system_call(result: int, state: str) -> None:
    assert probe_kernel._answer("tried", result)["state"] == state


def test_config_is_asked_where_trying_gave_no_answer() -> None:
    unknown = {"state": "unknown", "how": "ip is not installed"}
    assert probe_kernel.from_config(unknown, {"CONFIG_VETH": "m"}, ("CONFIG_VETH",))["state"] == "yes"
    assert probe_kernel.from_config(unknown, {"CONFIG_NET": "y"}, ("CONFIG_VETH",))["state"] == "no"
    assert probe_kernel.from_config(unknown, {}, ("CONFIG_VETH",)) == unknown


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_connections(listener: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        assert probe_reach.connect("127.0.0.1", closed, 1) == "refused"
    assert probe_reach.connect("127.0.0.1", listener, 1) == "reached"


def test_a_silent_port_is_lost_and_all_targets_wait_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_pair: tuple[str, int], timeout: float) -> socket.socket:
        time.sleep(timeout)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", silent)
    monkeypatch.setattr(probe_reach, "echoes", lambda *_args: "unknown")
    target = {"host": "b", "address": "192.0.2.9", "ports": [1, 2, 3], "mtu": 0}
    start = time.monotonic()
    results = probe_reach.probe_all([target, target], 1)
    assert time.monotonic() - start < 5  # one after the other it would be six
    assert results[1]["ports"] == dict.fromkeys(("1", "2", "3"), "lost: no answer in 1 s")


def test_checksum_closes_to_zero() -> None:
    data = b"\x08\x00\x00\x00\x12\x34\x00\x01odd"
    total = probe_reach.checksum(data)
    assert probe_reach.checksum(data[:2] + total.to_bytes(2, "big") + data[4:]) == 0


def test_names_that_do_not_resolve_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: released.wait(20))
    start = time.monotonic()
    assert probe_host._resolves("slow.example.org") is False
    assert time.monotonic() - start < 15
    released.set()


def test_a_descriptor_that_is_gone_hides_no_other(tmp_path: Path) -> None:
    """A busy process closes descriptors while it is looked at."""
    (tmp_path / "3").symlink_to("socket:[101]")
    (tmp_path / "4").write_text("no link: reading it fails, as that of a closed descriptor does")
    (tmp_path / "5").symlink_to("socket:[102]")
    assert probe_host._sockets_of(tmp_path) == {"101", "102"}


def test_a_process_that_ended_has_no_sockets(tmp_path: Path) -> None:
    assert probe_host._sockets_of(tmp_path / "gone") == set()
