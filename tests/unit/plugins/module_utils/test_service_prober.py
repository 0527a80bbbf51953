"""Probers on this machine: they go on without who started them, are continued, and own up to what they did not try."""

from __future__ import annotations

import base64
import gzip
import http.server
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_service, run_probes, service_prober
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_prober import Part, Probers, network_of

PROGRAM = Path(probe_service.__file__).read_text()
UID = "0f1e2d3c-1111-2222-3333-444455556666"


@pytest.fixture
def port() -> Iterator[int]:
    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def probers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probers]:
    monkeypatch.setattr(service_prober, "_home", lambda: tmp_path)
    found = Probers("lab")
    yield found
    found.remove()


def part(*ports: int, settle: float = 5.0, **more: Any) -> Part:
    probes = [
        {
            "name": f"way {number}", "host": "127.0.0.1", "port": number, "protocol": "http", "kind": "new",
            "rate": 50.0, "timeout": 1.0, "settle": settle,
        }
        for number in ports
    ]  # fmt: skip
    return Part("host", "", {"seconds": 60, "probes": probes, **more})


def heard(probers: Probers, name: str = "host") -> tuple[run_probes.Probe, ...]:
    data, offset = probers.read(name, 0)
    text = gzip.decompress(base64.b64decode(data)).decode()
    assert offset == len(text.encode()) and probers.read(name, offset)[1] == offset
    return run_probes.read(text.splitlines())


def test_it_goes_on_until_it_is_stopped(probers: Probers, port: int) -> None:
    assert probers.start([part(port)], PROGRAM) == (True, [])
    pid = probers.pid("host")
    assert pid is not None and os.getsid(pid) == pid, "it belongs to no task's session"
    assert probers.start([part(port)], PROGRAM) == (False, []), "what runs as wanted stays"
    assert probers.pid("host") == pid
    assert probers.stop()[0] and probers.pid("host") is None
    assert probers.stop()[0] is False
    (seen,) = heard(probers)
    assert seen.end is not None and run_probes.judge(seen, 0).failed == 0 and seen.samples
    assert oct(probers.folder.stat().st_mode & 0o777) == "0o700"
    assert probers.remove() and not probers.folder.exists() and not probers.remove()


def test_another_wish_starts_anew(probers: Probers, port: int) -> None:
    probers.start([part(port)], PROGRAM)
    pid = probers.pid("host")
    assert probers.start([part(port, seconds=61)], PROGRAM)[0]
    assert probers.pid("host") != pid
    probers.stop()
    assert len(heard(probers)) == 1


def test_what_was_cut_off_goes_on_and_its_gap_counts(probers: Probers, port: int) -> None:
    probers.start([part(port)], PROGRAM)
    pid = probers.pid("host")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with (probers.folder / "host.jsonl").open("a") as log:
        log.write('{"event": "sam')
    assert probers.start([part(port)], PROGRAM)[0]
    probers.stop()
    (seen,) = heard(probers)
    verdict = run_probes.judge(seen, 0)
    assert verdict.missing > 0 and verdict.sent - verdict.failed > 0


def test_a_way_that_never_works_is_told_at_once(probers: Probers, port: int) -> None:
    changed, bad = probers.start([part(port, 1, settle=0.2)], PROGRAM)
    assert changed and bad == [{"probe": "way 1", "error": "Connection refused"}]


def test_check_mode_starts_and_stops_nothing(probers: Probers, port: int) -> None:
    assert probers.start([part(port)], PROGRAM, check=True) == (True, []) and not probers.folder.exists()
    probers.start([part(port)], PROGRAM)
    assert probers.stop(check=True)[0] and probers.remove(check=True) and probers.pid("host") is not None


def test_ways_of_which_nothing_was_written_were_not_answered(probers: Probers, port: int) -> None:
    probers.start([part(port)], PROGRAM)
    probers.stop()
    (probers.folder / "host.jsonl").write_text("")
    assert probers.stop()[1]["host"] > 0
    (seen,) = heard(probers)
    assert seen.begin is not None
    verdict = run_probes.judge(seen, seen.begin + 2)
    assert verdict.sent == verdict.missing == 100


def test_a_program_that_does_not_start(probers: Probers, port: int) -> None:
    with pytest.raises(MeshwrightError, match="SyntaxError"):
        probers.start([part(port)], "no program")


def test_a_number_that_another_process_has_by_now(probers: Probers) -> None:
    probers.folder.mkdir()
    (probers.folder / "host.pid").write_text(str(os.getpid()))
    assert probers.pid("host") is None


def process(proc: Path, number: str, group: str, network: str) -> None:
    (proc / number / "ns").mkdir(parents=True)
    (proc / number / "cgroup").write_text(group)
    (proc / number / "ns/net").symlink_to(f"net:[{network}]")


@pytest.mark.parametrize(
    "group",
    [f"0::/kubepods/besteffort/pod{UID}/abc", f"4:memory:/x\n1:name=systemd:/kubepods/burstable/pod{UID}/abc",
     f"0::/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-abc.scope"],
)  # fmt: skip
def test_the_network_of_a_pod(tmp_path: Path, group: str) -> None:
    process(tmp_path, "self", "0::/system.slice/ssh.service", "1")
    process(tmp_path, "10", "0::/kubepods/besteffort/podother/abc", "7")
    process(tmp_path, "11", group, "1")  # not in its own network yet
    process(tmp_path, "12", group, "9")
    assert network_of(UID, tmp_path) == f"{tmp_path}/12/ns/net"


def test_a_pod_that_is_elsewhere(tmp_path: Path) -> None:
    process(tmp_path, "self", "0::/", "1")
    with pytest.raises(MeshwrightError, match="without a process"):
        network_of(UID, tmp_path)


def test_a_pod_is_entered(tmp_path: Path) -> None:
    process(tmp_path, "self", "0::/", "1")
    process(tmp_path, "12", f"0::/pod{UID}", "9")
    entered = Probers("lab", proc=tmp_path)._enter(Part("pod", UID, {"probes": []}))
    assert entered == ["nsenter", f"--net={tmp_path}/12/ns/net", "--"]
