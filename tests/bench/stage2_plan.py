"""The time that a plan between the stages takes for many nodes: `python tests/bench/stage2_plan.py [nodes]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tests/unit/helpers")]

from stage2_world import World  # noqa: E402

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import (  # noqa: E402
    BACK,
    STAGE2,
    plan,
)


def main(nodes: int) -> None:
    for direction, stage in ((STAGE2, 1), (BACK, 2)):
        facts = World(5, nodes - 5, stage).facts()
        started = time.process_time()
        found = plan(facts, direction)
        seconds = time.process_time() - started
        print(f"{direction}: {len(found.steps)} steps for {nodes} nodes in {seconds:.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
