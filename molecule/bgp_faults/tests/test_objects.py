"""Whatever the description says, the API server takes what is made of it: hundreds of descriptions, by dry run."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bgp_descriptions import descriptions
from hypothesis import HealthCheck, Phase, given, settings
from meshlab.lab import Lab

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import KINDS, objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

testinfra_hosts = ["local://"]
DESCRIPTIONS = 300


def generated(count: int) -> list[Bgp]:
    found: list[Bgp] = []

    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(descriptions())
    def collect(bgp: Bgp) -> None:
        found.append(bgp)

    collect()
    return found


def test_the_server_takes_every_object(lab: Lab) -> None:
    made = [item for bgp in generated(DESCRIPTIONS) for item in objects(bgp)]
    kube = Kube.from_kubeconfig(str(lab.paths.kubeconfig))

    def refusal(item: dict[str, Any]) -> str:
        try:
            kube.apply(item, dry_run=True)
        except MeshwrightError as error:
            return f"{item['kind']} {item['metadata']['name']}: {error}"
        return ""

    with ThreadPoolExecutor(4) as pool:
        refused = [text for text in pool.map(refusal, made) if text]
    counts = Counter(item["kind"] for item in made)
    print(f"{len(made)} objects of {DESCRIPTIONS} descriptions: {dict(counts)}")
    assert set(counts) == set(KINDS)
    assert refused[:5] == [], f"{len(refused)} refused"
