"""The probe against servers on this machine: what is answered, what is not, and what is cut."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_service, run_probes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.probe_service import Target

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOCAL = "127.0.0.1"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, times: int = 10**6) -> None:
    """HTTP with connections that are kept, for so many requests."""
    try:
        for _ in range(times):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers three times on each connection, then closes it."""
    await answer(reader, writer, times=3)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, LOCAL, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Resolver(asyncio.DatagramProtocol):
    """Answers each query with a code."""

    def __init__(self, code: int) -> None:
        self.code = code

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data[:2] + struct.pack(">H", 0x8180 | self.code) + data[4:], address)


def probed(*targets: Target, seconds: float = 0.5) -> tuple[run_probes.Probe, ...]:
    """What a run of some probes amounts to."""

    async def go() -> list[str]:
        lines: list[str] = []
        await probe_service.run(targets, seconds, lambda found: lines.append(json.dumps(found)), asyncio.Event())
        return lines

    return run_probes.read(asyncio.run(go()))


def against(handler: Handler, seconds: float = 0.5, **more: Any) -> run_probes.Probe:
    async def go() -> list[str]:
        lines: list[str] = []
        async with serving(handler) as port:
            target = Target("p", LOCAL, port, **more)
            await probe_service.run([target], seconds, lambda found: lines.append(json.dumps(found)), asyncio.Event())
        return lines

    (seen,) = run_probes.read(asyncio.run(go()))
    return seen


@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_each_request_that_is_answered_is_good(protocol: str) -> None:
    seen = against(answer, protocol=protocol, rate=40)
    assert len(seen.samples) == 20 and not any(sample.error for sample in seen.samples)
    assert (seen.kind, seen.interval) == ("new", 0.025) and seen.target.startswith(LOCAL)
    late = max(seen.end, seen.samples[-1].time) - seen.begin - 0.5  # on a busy machine a run may end late
    assert run_probes.judge(seen, 0).missing <= late / seen.interval + 1e-6


def test_a_wrong_answer_is_a_failure() -> None:
    seen = against(refuse, protocol="http")
    assert {sample.error for sample in seen.samples} == {"answered http/1.1 503 service unavailable"}


def test_silence_ends_with_the_time_out_and_delays_nobody() -> None:
    begin = time.monotonic()
    seen = against(hang, protocol="http", rate=20, timeout=0.4)
    assert len(seen.samples) == 10 and {sample.error for sample in seen.samples} == {"timed out"}
    assert time.monotonic() - begin < 10
    sent = [sample.time - seen.samples[0].time for sample in seen.samples]
    assert sent[-1] >= 0.44, "sent at their own times, not after one another's time-out"


def test_a_closed_port_is_said_in_words() -> None:
    with socket.socket() as free:
        free.bind((LOCAL, 0))
        port = free.getsockname()[1]
    (seen,) = probed(Target("p", LOCAL, port, rate=10))
    assert {sample.error for sample in seen.samples} == {"Connection refused"}


def test_an_established_connection_is_kept() -> None:
    count = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await answer(reader, writer)

    seen = against(counted, protocol="http", kind="established", rate=20)
    assert count == 1 and len(seen.samples) == 10 and seen.kind == "established"
    assert not any(sample.error for sample in seen.samples)


def test_an_established_connection_that_is_cut_is_seen_once_and_made_anew() -> None:
    seen = against(cut, protocol="http", kind="established", rate=20)
    assert [bool(sample.error) for sample in seen.samples] == [False, False, False, True] * 2 + [False] * 2


@pytest.mark.parametrize(("code", "error"), [(0, ""), (3, "DNS answered with code 3")])
def test_dns(code: int, error: str) -> None:
    async def go() -> list[str]:
        lines: list[str] = []
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Resolver(code), local_addr=(LOCAL, 0))
        target = Target("dns", LOCAL, transport.get_extra_info("sockname")[1], protocol="dns", rate=20)
        await probe_service.run([target], 0.3, lambda found: lines.append(json.dumps(found)), asyncio.Event())
        transport.close()
        return lines

    (seen,) = run_probes.read(asyncio.run(go()))
    assert {sample.error for sample in seen.samples} == {error} and len(seen.samples) == 6


def test_a_question_is_well_formed() -> None:
    asked = probe_service.question("a.bc.", 7)
    assert asked == b"\0\x07\x01\0\0\x01\0\0\0\0\0\0" + b"\x01a\x02bc\0" + b"\0\x01\0\x01"


def test_it_ends_with_its_standard_input() -> None:
    """As a program of its own, with an interpreter that knows nothing of the collection."""
    spec = {"seconds": 600, "probes": [{"name": "p", "host": "::1", "port": 1, "rate": 50}]}
    program = Path(probe_service.__file__)
    with subprocess.Popen(
        [sys.executable, "-I", str(program), json.dumps(spec)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None and running.stdin is not None
        head = [running.stdout.readline() for _ in range(5)]
        running.stdin.close()
        rest = running.stdout.read()
        assert running.wait(30) == 0
    lines = [*head, *rest.splitlines()]
    assert json.loads(lines[0])["target"] == "[::1]:1" and json.loads(lines[-1])["event"] == "probe_ended"


def test_nothing_counts_before_a_way_has_worked_for_a_while() -> None:
    count = 0

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await (refuse if count < 4 else answer)(reader, writer)

    seen = against(late, seconds=0.2, protocol="http", rate=50, settle=5)
    assert count == 3 + 10 + 10 and len(seen.samples) == 10
    assert not any(sample.error for sample in seen.samples) and run_probes.judge(seen, 0).missing == 0


@pytest.mark.parametrize("kind", ["new", "established"])
def test_one_that_was_held_up_when_it_is_stopped_catches_up(kind: str) -> None:
    """What was due is sent late then, and not missing."""
    lines: list[dict[str, Any]] = []

    async def go() -> None:
        stop = asyncio.Event()

        def say(found: dict[str, Any]) -> None:
            lines.append(found)
            if len(lines) == 5:
                time.sleep(0.4)
                stop.set()

        async with serving(answer) as port:
            await probe_service.run([Target("p", LOCAL, port, "http", kind, rate=50)], 60, say, stop)

    asyncio.run(go())
    (seen,) = run_probes.read([json.dumps(line) for line in lines])
    assert len(seen.samples) >= 20 and not any(sample.error for sample in seen.samples)
    assert run_probes.judge(seen, 0).failed == 0


def test_a_way_that_never_works_is_counted_after_all() -> None:
    lines: list[dict[str, Any]] = []
    target = Target("p", LOCAL, 1, rate=50, settle=0.1)
    asyncio.run(probe_service.run([target], 0.1, lines.append, asyncio.Event()))
    assert [line["event"] for line in lines][:2] == ["unsettled", "probe"]
    assert lines[0]["error"] == "Connection refused" and lines[2]["error"] == "Connection refused"


def test_with_a_log_it_ends_when_it_is_terminated(tmp_path: Path) -> None:
    spec, log = tmp_path / "spec.json", tmp_path / "log.jsonl"
    spec.write_text(json.dumps({"seconds": 600, "probes": [{"name": "p", "host": "::1", "port": 1, "rate": 50}]}))
    command = [sys.executable, "-I", str(probe_service.__file__), f"@{spec}", str(log)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as running:
        while not (log.exists() and len(log.read_text().splitlines()) > 3):
            assert running.poll() is None
            time.sleep(0.02)
        running.terminate()
        assert running.wait(30) == 0
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "probe_ended"
