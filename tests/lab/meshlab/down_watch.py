"""Which servers' APIs are away at the same time, while something is done to all of them one after the other."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from types import TracebackType


class DownWatch:
    """Asks every server's API all the time and records which did not answer at the same time: for quorum's sake."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        self.down: set[str] = set()
        self.most_down: set[str] = set()
        self.ever_down: set[str] = set()
        self.samples = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(name,)) for name in addresses]

    def __enter__(self) -> DownWatch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _watch(self, name: str) -> None:
        until = time.monotonic() + 900
        while not self._stop.wait(0.2) and time.monotonic() < until:
            up = _answers(self.addresses[name])
            with self._lock:
                self.samples += 1
                (self.down.discard if up else self.down.add)(name)
                self.ever_down |= self.down
                self.most_down = max(self.most_down, set(self.down), key=len)


def _answers(address: str) -> bool:
    """Does this server's own API say that it is ready?"""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, 6443, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status in (200, 401, 403)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
