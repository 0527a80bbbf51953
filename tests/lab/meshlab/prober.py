"""Runs on the client: begins new connections at a steady rate and prints what became of each, one JSON line each.

It ends after its duration, and earlier when its standard input ends: it never outlives who started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time

MOST_SECONDS = 900.0
MOST_PER_SECOND = 200.0
ANSWER_BYTES = 120


async def attempt(host: str, port: int, path: str, timeout: float) -> str:
    """Connect; with a path, also ask and return the answer's body."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            if not path:
                return ""
            name = f"[{host}]" if ":" in host else host
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
            await writer.drain()
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            status = head.split(b"\r\n")[0].decode(errors="replace")
            if " 200" not in status:
                raise OSError(f"answered {status or 'nothing'}")
            return body[:ANSWER_BYTES].decode(errors="replace").strip()
        finally:
            writer.close()


async def record(options: argparse.Namespace, started: float) -> None:
    begin = time.monotonic()
    error, answer = "", ""
    try:
        answer = await attempt(options.host, options.port, options.path, options.timeout)
    except TimeoutError:
        error = "timed out"
    except OSError as problem:
        error = os.strerror(problem.errno) if problem.errno else str(problem)
    taken = time.monotonic() - begin
    found = {"sent": round(begin - started, 4), "seconds": round(taken, 4), "error": error, "answer": answer}
    print(json.dumps(found), flush=True)


async def run(options: argparse.Namespace) -> None:
    """Begin the n-th attempt at its time, whatever became of those before it."""
    stop = asyncio.Event()
    # Nothing is ever written to it: readable means ended.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    interval = 1 / min(options.rate, MOST_PER_SECOND)
    started, seconds = time.monotonic(), min(options.seconds, MOST_SECONDS)
    async with asyncio.TaskGroup() as attempts:
        number = 0
        while not stop.is_set() and number * interval < seconds:
            attempts.create_task(record(options, started))
            number += 1
            await asyncio.sleep(max(0.0, started + number * interval - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--path", default="")
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--timeout", type=float, default=3)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
