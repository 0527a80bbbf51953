"""A server is lost while a client writes: what was acknowledged stays."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from conftest import api_of
from kubernetes import client
from kubernetes.client import ApiException
from meshlab.lab import Lab
from urllib3.exceptions import HTTPError

pytestmark = pytest.mark.usefixtures("whole_cluster")

NAMESPACE = "default"
LABEL = "meshwright.test/writer=lost-server"


class Writer:
    """Writes numbered ConfigMaps through the given servers in turn and keeps the names that were acknowledged."""

    def __init__(self, apis: list[client.CoreV1Api]) -> None:
        self.apis = apis
        self.acknowledged: list[str] = []
        self.refused = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        key, value = LABEL.split("=")
        number = 0
        while not self._stop.wait(0.05) and number < 5000:
            number += 1
            name = f"writer-{number}"
            metadata = client.V1ObjectMeta(name=name, labels={key: value})
            body = client.V1ConfigMap(metadata=metadata, data={"n": str(number)})
            try:
                self.apis[number % len(self.apis)].create_namespaced_config_map(NAMESPACE, body, _request_timeout=10)
            except (ApiException, HTTPError):
                self.refused += 1
            else:
                self.acknowledged.append(name)


@pytest.mark.parametrize("lost", ["server1", pytest.param("server3", marks=pytest.mark.full)])
def test_no_acknowledged_write_is_lost(lab: Lab, kubeconfig: Path, lost: str) -> None:
    survivors = [host for name, host in lab.hosts.items() if host.role == "server" and name != lost]
    apis = [api_of(kubeconfig, host.ip) for host in survivors]
    try:
        with Writer(apis) as writer:
            time.sleep(3)
            before = len(writer.acknowledged)
            lab.hosts[lost].kill()
            time.sleep(20)
            during = len(writer.acknowledged) - before
            lab.hosts[lost].start()
            time.sleep(10)
        stored = {
            item.metadata.name: item.data["n"]
            for item in apis[0].list_namespaced_config_map(NAMESPACE, label_selector=LABEL).items
        }
    finally:
        apis[0].delete_collection_namespaced_config_map(NAMESPACE, label_selector=LABEL)
    missing = [name for name in writer.acknowledged if stored.get(name) != name.removeprefix("writer-")]
    print(
        f"{lost} lost: acknowledged {before} before, {during} during, refused {writer.refused}, missing {len(missing)}"
    )
    assert before > 10, "the writer did not get going before the server was lost"
    assert during > 20, "the surviving servers took too few writes while one was lost"
    assert missing == []
