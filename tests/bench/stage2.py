"""What is noticed when Cilium takes kube-proxy's place, as it is done naively and by ours: `make bench-stage2`.

A lab of its own with three servers and two agents, probes everywhere at 20 a second, and an idle control run. Ours goes
there and back in each variant that is named as an argument, by default in all of them; the naive way comes last, as
nothing brings the cluster back from it in order. What counts are new connections by the ways that are promised to see
nothing (LoadBalancer, ClusterIP, DNS, pod to pod); all others, and connections that are kept, stand in the lines above.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tests/lab")]

from meshlab import stages  # noqa: E402
from meshlab.cluster import Cluster  # noqa: E402
from meshlab.host import Host  # noqa: E402
from meshlab.lab import Lab  # noqa: E402
from meshlab.playbook import run_playbook  # noqa: E402
from meshlab.rollout import BACK, INVENTORY, STAGE2, go, until  # noqa: E402
from meshlab.service_probes import Seen, ServiceProbes  # noqa: E402
from meshlab.workload import Workload  # noqa: E402

IDLE = 60.0
DEFAULT = "withdraw-drain"
# By the names that are given as arguments; the last one is what site.yml does by itself.
VARIANTS: Mapping[str, Mapping[str, object]] = {
    "restart": {"stage2_withdraw": False, "stage2_drain": False},
    "withdraw": {"stage2_withdraw": True, "stage2_drain": False},
    DEFAULT: {"stage2_withdraw": True, "stage2_drain": True},
}


@dataclass(frozen=True)
class Measured:
    """One way between the stages."""

    name: str
    seen: Seen
    seconds: float
    own: Mapping[str, float]

    @property
    def verdict(self) -> str:
        found = self.seen.promised
        return f"failed {found.failed}, longest gap {found.longest_gap:.2f} s"

    @property
    def overhead(self) -> float:
        return max(self.own.values(), default=0.0)

    def tell(self) -> None:
        print(f"\n{self.name}: {self.seconds:.0f} s, {self.verdict}")
        print(self.seen)
        for begin, end, way, why in self.seen.failures()[:20]:
            print(f"    {way}: {begin:.1f} to {end:.1f}: {why}")
        if self.own:
            print("  own overhead: " + ", ".join(f"{node} {seconds:.1f} s" for node, seconds in self.own.items()))


class Bench:
    def __init__(self, lab: Lab) -> None:
        self.lab, self.cluster = lab, Cluster(lab.paths.kubeconfig)
        self.members: dict[str, Host] = {
            name: host for name, host in lab.hosts.items() if host.role in ("server", "agent")
        }

    def idle(self) -> Measured:
        with ServiceProbes(self.lab, "bench-idle") as running:
            time.sleep(IDLE)
        return Measured("idle", running.seen, IDLE, {})

    def ours(self, variant: str, direction: str) -> Measured:
        name = f"{variant}-{direction}"
        with (
            Workload(self.cluster, "bench-filler").spread(2 * len(self.members)),
            ServiceProbes(self.lab, f"bench-{name}") as running,
        ):
            rolled = go(self.lab, direction, name=f"bench-{name}", variables=VARIANTS[variant])
            rolled.run.succeeded()
        rolled.report(running.log)
        left = stages.problems(self.cluster, self.members, 2 if direction == STAGE2 else 1)
        assert left == [], left
        return Measured(f"ours, {name}", running.seen, rolled.run.seconds, rolled.own(self.members))

    def naive(self) -> Measured:
        """As one does it by hand: the chart's value, all agents at once, then kube-proxy off everywhere."""
        with (
            Workload(self.cluster, "bench-filler").spread(2 * len(self.members)),
            ServiceProbes(self.lab, "bench-naive") as running,
        ):
            begin = time.monotonic()
            self._flip()
            self._disable()
            took = time.monotonic() - begin
        return Measured("naive", running.seen, took, {})

    def _flip(self) -> None:
        known = json.loads(self.lab.paths.inventory.read_text())["all"]["vars"]
        command = [known["meshlab_helm"], "--kubeconfig", str(self.lab.paths.kubeconfig), "--namespace", "kube-system"]
        command += ["upgrade", "cilium", known["meshlab_cilium_chart"], "--reuse-values"]
        subprocess.run([*command, "--set", "kubeProxyReplacement=true"], check=True, stdout=subprocess.DEVNULL)
        former = {pod.metadata.uid for pod in self.cluster.agents().values()}
        self.cluster.core.delete_collection_namespaced_pod("kube-system", label_selector="k8s-app=cilium")

        def served() -> bool:
            fresh = [pod for pod in self.cluster.agents().values() if pod.metadata.uid not in former]
            return len(fresh) == len(self.members) and all(
                self.cluster.agent_status(node)["kube-proxy-replacement"]["mode"] == "True" for node in self.members
            )

        until(served, "every agent replaces kube-proxy", 300)

    def _disable(self) -> None:
        servers = [host for host in self.members.values() if host.role == "server"]
        for host in servers:
            host.put_text("disable-kube-proxy: true\n", stages.DROP_IN, 0o600)
        for host in servers:
            host.run(["systemctl", "restart", "k3s"], timeout=300)
        for host in self.members.values():
            if host not in servers:
                host.run(["systemctl", "restart", "k3s-agent"], timeout=300)
        until(lambda: self.cluster.ready() == set(self.members), "all nodes Ready", 300)


def main(names: list[str]) -> int:
    chosen = names or list(VARIANTS)
    if unknown := sorted(set(chosen) - VARIANTS.keys()):
        print(f"{', '.join(unknown)}: not known; there are {', '.join(VARIANTS)}")
        return 1
    os.environ.setdefault("MESHLAB_PREFIX", "mwstage2")
    os.environ.setdefault("MESHLAB_TOPOLOGY", "stage2")
    Lab.open().down()
    lab = Lab.open().up()
    run_playbook(INVENTORY, "site.yml", timeout=1800).succeeded()
    bench = Bench(lab)
    bench.idle().tell()
    found: dict[str, tuple[Measured, Measured]] = {}
    for name in chosen:
        there = bench.ours(name, STAGE2)
        there.tell()
        back = bench.ours(name, BACK)
        back.tell()
        found[name] = there, back
    naive = bench.naive()
    naive.tell()
    report(found, naive)
    lab.down()
    return 0


def report(found: Mapping[str, tuple[Measured, Measured]], naive: Measured) -> None:
    print("\nvariant: there; back")
    for name, ways in found.items():
        told = "; ".join(f"{way.verdict}, own {way.overhead:.1f} s, {way.seconds:.0f} s in all" for way in ways)
        print(f"  {name}: {told}")
    print(f"\nnaive: {naive.verdict}")
    best = found.get(DEFAULT) or next(iter(found.values()))
    print(f"ours: {best[0].verdict}, own overhead per node {best[0].overhead:.1f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
