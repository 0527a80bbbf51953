"""The benchmark's last words, which are read by whoever compares."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any

import pytest
from meshlab.playbook import ROOT
from meshlab.service_probes import Seen

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_stage2", ROOT / "tests/bench/stage2.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def seen(*errors: str) -> Seen:
    name = "ClusterIP from server1 (pod) to x"
    lines: list[dict[str, Any]] = [{"event": "probe", "time": 0.0, "probe": name, "interval": 1.0}]
    lines += [{"event": "sample", "time": float(at), "probe": name, "error": why} for at, why in enumerate(errors)]
    lines.append({"event": "probe_ended", "time": float(len(errors)), "probe": name})
    return Seen(run_probes.read(json.dumps(line) for line in lines))


def test_naive_and_last_ours(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ours = bench.Measured("ours", seen("", ""), 200.0, {"server1": 4.24, "agent1": 6.51})
    other = bench.Measured("ours", seen("reset", ""), 100.0, {"server1": 4.24})
    naive = bench.Measured("naive", seen("", "timed out", "timed out", ""), 60.0, {})
    bench.report({"restart": (other, other), bench.DEFAULT: (ours, ours)}, naive)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "naive: failed 2, longest gap 2.00 s",
        "ours: failed 0, longest gap 0.00 s, own overhead per node 6.5 s",
    ]


def test_every_variant_says_both(bench: Any) -> None:
    assert all(set(given) == {"stage2_withdraw", "stage2_drain"} for given in bench.VARIANTS.values())
    assert bench.main(["nothing"]) == 1
