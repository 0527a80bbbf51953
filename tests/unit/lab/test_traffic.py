from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from meshlab import traffic
from meshlab.traffic import Attempt, Seen


def attempt(sent: float, error: str = "") -> Attempt:
    return Attempt(sent, 0.01, error, "" if error else "pod-1")


def test_a_gap_lasts_from_the_first_failure_to_the_next_success() -> None:
    seen = Seen((attempt(0.0), attempt(0.1, "refused"), attempt(0.2, "refused"), attempt(0.35), attempt(0.4)))
    assert seen.longest_gap == pytest.approx(0.25)
    assert len(seen.failed) == 2
    assert seen.answers == {"pod-1": 3}
    assert str(seen) == "2 of 5 failed, longest gap 0.25 s, slowest 0.01 s, 2x refused"


def test_a_gap_that_does_not_end_counts_to_the_last_attempt() -> None:
    assert Seen((attempt(0.0), attempt(0.5, "x"), attempt(2.0, "x"))).longest_gap == 1.5
    assert Seen((attempt(0.0),)).longest_gap == 0.0


def test_lines_are_put_in_the_order_of_their_begin() -> None:
    lines = [json.dumps({"sent": sent, "seconds": 1, "error": "", "answer": ""}) for sent in (2, 1)]
    assert [found.sent for found in traffic.parse([*lines, "\n"]).attempts] == [1, 2]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"pod-7\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def prober(*words: str, end_input: bool = False) -> Seen:
    command = [sys.executable, str(traffic.PROGRAM), *words]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    with process:
        if end_input:
            process.stdin.close()
        lines = process.stdout.readlines()
    assert process.returncode == 0
    return traffic.parse(lines)


def test_the_program_ends_after_its_time_and_tells_answers(port: int) -> None:
    seen = prober("127.0.0.1", str(port), "--path", "/hostname", "--rate", "20", "--seconds", "0.5")
    assert len(seen.attempts) == 10
    assert seen.failed == ()
    assert set(seen.answers) == {"pod-7"}


def test_the_program_ends_with_its_standard_input(port: int) -> None:
    seen = prober("127.0.0.1", str(port), "--seconds", "600", end_input=True)
    assert len(seen.attempts) <= 2


def test_the_program_names_failures() -> None:
    seen = prober("127.0.0.1", "1", "--seconds", "0.1")
    assert seen.failed and "refused" in seen.failed[0].error.lower()
