from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_log import Parts, judged


def lines(name: str, tries: str, ended: bool = True) -> str:
    found = [{"event": "probe", "time": 100.0, "probe": name, "kind": "new", "interval": 1.0}]
    for number, what in enumerate(tries):
        sample = {"event": "sample", "time": 100.0 + number, "probe": name, "seconds": 0.01}
        found.append(sample if what == "." else {**sample, "error": "timed out"})
    if ended:
        found.append({"event": "probe_ended", "time": 100.0 + len(tries), "probe": name})
    return "\n".join(json.dumps(one) for one in found)


def bring(parts: Parts, host: str, *texts: str) -> None:
    with parts.writing(host) as part:
        for text in texts:
            half = len(text) // 2
            for piece in (text[:half], text[half:]):
                part.add(base64.b64encode(gzip.compress(piece.encode())).decode())
            part.end()


def test_all_hosts_in_one_file(tmp_path: Path) -> None:
    parts = Parts(str(tmp_path / "probes.jsonl"))
    cluster_ip, dns = lines("ClusterIP from server1 (pod) to x", "..x"), lines("DNS from server1 (pod) to x", ".")
    bring(parts, "server1", cluster_ip, dns)
    bring(parts, "client", lines("NodePort from client to x", "xx"))
    assert parts.has("server1") and not parts.has("server2")
    assert parts.gather() and not parts.gather() and not parts.any()
    found = judged(parts.log)
    assert (found["sent"], found["lost"], found["longest_gap"]) == (4, 1, 1.0), "a NodePort is told, not judged"
    assert [one["lost"] for one in found["results"]] == [2, 1, 0]
    assert [line.partition(":")[0] for line in found["summary"]][:3] == ["ClusterIP", "DNS", "NodePort"]
    assert oct(parts.log.stat().st_mode & 0o777) == "0o600"


def test_one_that_was_cut_off_owes_its_samples(tmp_path: Path) -> None:
    parts = Parts(str(tmp_path / "probes.jsonl"))
    bring(parts, "server1", lines("DNS from server1 (pod) to x", "..", ended=False))
    bring(parts, "server2", lines("DNS from server2 (pod) to x", "." * 10))
    parts.gather()
    found = judged(parts.log)
    assert (found["sent"], found["lost"]) == (20, 8)


def test_a_part_that_broke_off_is_none(tmp_path: Path) -> None:
    parts = Parts(str(tmp_path / "probes.jsonl"))
    with pytest.raises(ZeroDivisionError), parts.writing("server1"):
        raise ZeroDivisionError
    assert not parts.has("server1")


def test_nothing_was_ever_asked(tmp_path: Path) -> None:
    parts = Parts(str(tmp_path / "probes.jsonl"))
    assert not parts.gather() and judged(parts.log)["sent"] == 0


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MeshwrightError, match="not writable"), Parts(str(tmp_path / "file/probes.jsonl")).writing("a"):
        pass
