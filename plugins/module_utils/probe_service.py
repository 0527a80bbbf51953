# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks services at a steady rate, and says what became of each request: the lines that run_probes reads.

It is a program of its own too, `python3 probe_service.py SPEC [LOG]`, for it is copied to where the traffic is to
come from: a host, or the network of a pod on it. So it needs Python 3.9 and nothing else. It ends after its time, and
earlier when it is terminated. Without a LOG it prints, and ends when its standard input does: it never outlives who
started it.

SPEC is JSON, or @ and a file of it: {"seconds": 60, "probes": [{"name": …, "host": …, "port": …}]}, with the fields of
Target.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import random
import signal
import struct
import sys
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

NEW, ESTABLISHED = "new", "established"
TCP, HTTP, DNS = "tcp", "http", "dns"
_MOST_SECONDS = 86400.0
_MOST_PER_SECOND = 200.0
_BYTES = 65536
_CATCH_UP = 5.0  # seconds
# So often in a row a way has to work before it counts: a new service is known on one node earlier than on another.
_IN_A_ROW = 10


@dataclass(frozen=True)
class Target:
    """Whom to ask, what, and how often. `established` keeps one connection, and knows HTTP alone.

    `settle`: so many seconds a way may take until it works; nothing counts before.
    """

    name: str
    host: str
    port: int
    protocol: str = TCP
    kind: str = NEW
    path: str = "/"
    query: str = "kubernetes.default.svc.cluster.local."
    rate: float = 20.0
    timeout: float = 3.0
    settle: float = 0.0

    @property
    def interval(self) -> float:
        return 1 / min(max(self.rate, 0.01), _MOST_PER_SECOND)

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Say = t.Callable[[dict[str, t.Any]], None]


class Refused(OSError):
    """An answer came, and it is not the right one."""


# -- one request


async def ask(target: Target) -> None:
    """In a connection of its own; raises OSError or a time-out."""
    if target.protocol == DNS:
        await _ask_dns(target)
        return
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        if target.protocol == HTTP:
            await _ask_http(target, reader, writer, "close")
    finally:
        writer.close()


async def _ask_http(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: str
) -> None:
    words = (f"GET {target.path} HTTP/1.1", f"Host: {target.address}", f"Connection: {connection}", "", "")
    writer.write("\r\n".join(words).encode())
    await writer.drain()
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = head.partition("\r\n")[0]
        if " 200" not in status:
            raise Refused(f"answered {status}")
        if connection == "close":
            await reader.read(_BYTES)
            return
        length = [line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")]
        if not length:
            raise Refused("answered without a length")
        await reader.readexactly(int(length[0]))
    except asyncio.IncompleteReadError as error:
        raise Refused("the connection was closed") from error


def question(name: str, number: int) -> bytes:
    """A query for the address of a name."""
    labels = b"".join(struct.pack("B", len(label)) + label.encode() for label in name.strip(".").split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, number: int, got: asyncio.Future[None]) -> None:
        self._number, self._got = number, got

    def datagram_received(self, data: bytes, _from: t.Any) -> None:
        if self._got.done() or len(data) < 12 or data[:2] != struct.pack(">H", self._number):
            return
        code = data[3] & 15
        if code:
            self._got.set_exception(Refused(f"DNS answered with code {code}"))
        else:
            self._got.set_result(None)

    def error_received(self, error: Exception) -> None:
        if not self._got.done():
            self._got.set_exception(error)


async def _ask_dns(target: Target) -> None:
    loop, number = asyncio.get_running_loop(), random.randrange(1 << 16)
    got: asyncio.Future[None] = loop.create_future()
    transport, _protocol = await loop.create_datagram_endpoint(
        lambda: _Answer(number, got), remote_addr=(target.host, target.port)
    )
    try:
        transport.sendto(question(target.query, number))
        await got
    finally:
        transport.close()


def why(error: BaseException) -> str:
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "timed out"
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else (str(error) or type(error).__name__)


# -- a series of them


async def _tried(target: Target, request: t.Callable[[], t.Awaitable[None]]) -> str:
    """What is wrong with the answer; empty when it is a good one."""
    try:
        await asyncio.wait_for(request(), target.timeout)
    except (OSError, ValueError, asyncio.TimeoutError, asyncio.LimitOverrunError) as problem:
        return why(problem)
    return ""


async def _sample(target: Target, say: Say, request: t.Callable[[], t.Awaitable[None]]) -> bool:
    sent, begin = time.time(), time.monotonic()
    error = await _tried(target, request)
    found = {"event": "sample", "time": round(sent, 4), "probe": target.name}
    found["seconds"] = round(time.monotonic() - begin, 5)
    say({**found, "error": error} if error else found)
    return not error


async def _settled(target: Target, say: Say, stop: asyncio.Event) -> None:
    begin, good = time.monotonic(), 0
    while target.settle and good < _IN_A_ROW and not stop.is_set():
        error = await _tried(target, lambda: ask(target))
        good = 0 if error else good + 1
        if error and time.monotonic() - begin > target.settle:
            say({"event": "unsettled", "time": round(time.time(), 4), "probe": target.name, "error": error})
            return
        await _pause(stop, target.interval)


async def probe(target: Target, say: Say, stop: asyncio.Event, seconds: float, delay: float = 0.0) -> None:
    """The n-th request goes out at its time, whatever became of those before; on one connection, in turn."""
    await _settled(target, say, stop)
    await _pause(stop, delay)
    told = {"probe": target.name, "kind": target.kind, "target": target.address, "interval": target.interval}
    began, begin, number, stopped = time.time(), time.monotonic(), 0, False
    say({"event": "probe", "time": round(began, 4), **told})
    flow, running = _Flow(target), set()
    while number * target.interval < seconds:
        if stop.is_set() and not stopped:  # what was due by now goes out yet, if that does not take long
            stopped, seconds = True, time.monotonic() - begin
            continue
        if stopped and time.monotonic() - begin > seconds + _CATCH_UP:
            break
        if target.kind == ESTABLISHED:
            if not await _sample(target, say, flow.ask):
                flow.close()
        else:
            task = asyncio.ensure_future(_sample(target, say, lambda: ask(target)))
            running.add(task)
            task.add_done_callback(running.discard)
        number += 1
        await _pause(stop, begin + number * target.interval - time.monotonic())
    if running:
        await asyncio.wait(running)
    flow.close()
    say({"event": "probe_ended", "time": round(began + seconds, 4), "probe": target.name})


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except asyncio.TimeoutError:
        return


class _Flow:
    """A connection that is kept; after a failure, the next request makes a new one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> None:
        if self._open is None:
            self._open = await asyncio.open_connection(self._target.host, self._target.port)
        await _ask_http(self._target, *self._open, "keep-alive")

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def run(targets: t.Sequence[Target], seconds: float, say: Say, stop: asyncio.Event) -> None:
    """All at once, but not at the same moment: each begins a bit of its interval after the one before."""
    delays = [number * target.interval / len(targets) for number, target in enumerate(targets)]
    most = min(seconds, _MOST_SECONDS)
    await asyncio.gather(*(probe(target, say, stop, most, delay) for target, delay in zip(targets, delays)))


async def _main(spec: t.Mapping[str, t.Any], out: t.TextIO) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def read() -> None:  # nothing is ever written to it: readable means ended
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    if out is sys.stdout:
        loop.add_reader(sys.stdin.fileno(), read)
    with _Lines(out) as lines:
        await run([Target(**one) for one in spec["probes"]], float(spec.get("seconds", 60)), lines.say, stop)


class _Lines:
    """Written aside: a disk that is slow for a second would make requests late, which counts as missing ones."""

    def __init__(self, out: t.TextIO) -> None:
        self._out = out
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def say(self, found: dict[str, t.Any]) -> None:
        self._waiting.put(json.dumps(found) + "\n")

    def __enter__(self) -> _Lines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put("")
        self._thread.join()

    def _write(self) -> None:
        while line := self._waiting.get():
            self._out.write(line)
            self._out.flush()


def _program(spec: str, log: str = "") -> None:
    text = Path(spec[1:]).read_text(encoding="utf-8") if spec.startswith("@") else spec
    if not log:
        asyncio.run(_main(json.loads(text), sys.stdout))
        return
    with Path(log).open("a", encoding="utf-8") as out:
        asyncio.run(_main(json.loads(text), out))


if __name__ == "__main__":
    _program(*sys.argv[1:])
