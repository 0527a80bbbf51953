"""Runs named steps one after the other: says what each is about, how it went, and how long it took.

At the end the telling lines of what failed are printed again, because of a long output often only the end is kept.
The last line is `N passed, N failed`. A step that cannot run because one it needs has failed counts as failed, so
that nothing is left out silently. An early step runs beside those before it; what it says is kept until its turn.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
MESHLAB = (PYTHON, "-m", "meshlab")
PLAY = ("ansible-playbook", "-i", "inventories/lab")

# Scenarios in the order in which one cluster walks through them, those that need a cluster of their own, and of these
# the ones that only `make test-full` runs.
SHARED_SCENARIOS = ("default", "k3s_ha", "cilium_stage1", "bgp_udm")
BETWEEN_STAGES = ("stage2_walk",)  # after the faults of stage 1
OWN_SCENARIOS = ("greenfield_stage2", "bgp_vyos_ipv6")
FULL_SCENARIOS = ("install_variants", "bgp_dualstack", "bgp_faults", "l2", "stage2", "migrate_flannel")


@dataclass(frozen=True)
class Step:
    """One command with the sentence that is printed before it."""

    name: str
    what: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    early: bool = False  # begun with the first step: one that works long and mostly on one core


Kept = tuple[int, str, float]  # exit code, output, seconds


def pytest(*args: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "pytest", *args)


# Every process finds compiled what another has compiled, even where the surroundings forbid it; not in the checkout.
CACHE = os.environ.get("MESHWRIGHT_CACHE", ROOT / ".cache")
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{CACHE}/pyc"}
CHECKS = (
    Step("ruff", "style and simple mistakes in every Python file", ("ruff", "check", "--quiet", ".")),
    Step("mypy", "types of the plugins and of the lab, strictly", ("mypy",)),
    Step("python39", "hosts need no Python newer than 3.9", ("vermin", "-q", "--violations", "-t=3.9-", "plugins")),
    Step("yamllint", "form of every YAML file", ("yamllint", "--strict", ".")),
    Step("docs", "docs/reference says what the code says", (PYTHON, "tests/docs.py", "--check")),
    Step("tree", "the tree itself: argument specs, decisions, documentation, file rules", pytest("tests/check")),
    Step("unit", "plans, renderers, judgements and clients, without a host", pytest("tests/unit", "-n", "2")),
    Step(
        "ansible-lint",
        "roles, playbooks, metadata: the production profile",
        (PYTHON, "tests/lint.py"),
        early=True,
    ),
)
CHECK = tuple(replace(step, env=COMPILED) for step in CHECKS)
# The same with more examples of each property.
THOROUGH = tuple(
    replace(step, command=(*step.command, "--hypothesis-profile=thorough")) if step.name == "unit" else step
    for step in CHECK
)
SANITY = (
    Step("sanity", "ansible-test sanity on an installed copy of the tarball", ("tests/sanity.sh",)),
    Step("tarball", "the built tarball, installed elsewhere and run by its names", pytest("tests/package")),
)
REPORT = Step("report", "the page about a rollout, in a browser", pytest("tests/report"))
# Molecule's notes on what it has made: by itself it keeps them by the name of the checkout's directory alone.
NOTES = ROOT / ".molecule" / os.environ.get("MESHLAB_PREFIX", "mw")


def notes(name: str = "shared") -> dict[str, str]:
    return {"MOLECULE_EPHEMERAL_DIRECTORY": str(NOTES / name)}


ARTIFACTS = Step("artifacts", "what the lab runs, built once into the cache", (*MESHLAB, "artifacts"))
HOSTS = Step(
    "hosts", "the lab's hosts, created by Molecule", ("molecule", "create", "-s", "default"), ("artifacts",), notes()
)
SITE = Step("site", "site.yml against the lab's hosts", (*PLAY, "site.yml"), ("hosts",))
STATE = Step("state", "the cluster's own word: nodes, etcd's voters, Cilium's agents", (*MESHLAB, "cluster"), ("site",))
DOWN = (Step("down", "the lab's hosts and network", ("molecule", "destroy", "-s", "default"), env=notes()),)
CLEAN = (
    Step("clean", "no lab of an earlier run is left", (*MESHLAB, "down")),
    Step("forget", "no notes of an earlier run are left", ("rm", "-rf", str(NOTES))),
)
K3S = Step("k3s", "every documented behaviour of k3s that the roles rely on", pytest("tests/k3s"), ("artifacts",))
K3S_CORE = Step("k3s-core", "the core of the k3s suite", pytest("tests/k3s", "-m", "not full"), ("artifacts",))
FRR = Step("frr", "hundreds of routers' configurations against FRR itself", pytest("tests/frr"), ("artifacts",))
RULES = Step("rules", "leftover chains and the real iptables, while others write rules", pytest("tests/rules"))
WITHIN_ROLLOUTS = "tests/faults/test_stage2_faults.py"
FAULTS = Step(
    "faults",
    "lost and wiped servers, killed runs, refusals, bad inventories, secrets in the output",
    pytest("tests/faults", "-s", f"--ignore={WITHIN_ROLLOUTS}"),
    ("molecule-cilium_stage1",),
)
FAULTS_CORE = replace(FAULTS, command=(*FAULTS.command, "-m", "not full"))
STAGE2_FAULTS = Step(
    "stage2-faults",
    "killed runs, lost nodes, cut ways and foreign hands on the way to stage 2 and back",
    pytest(WITHIN_ROLLOUTS, "-s"),
    ("site",),
)
BENCH = (ARTIFACTS, Step("bench", "the time of each phase and of a no-op run", (PYTHON, "tests/bench")))

# What a failure is told by, in Ansible's, pytest's and the lab's own words, and how many lines go with it.
TELLING = re.compile(r"fatal:|^\[ERROR\]|^E  |^FAILED |^ERROR |^meshlab: |Error: ")
FOLLOWING, MOST_TOLD, LONGEST_TOLD = 6, 20, 900
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
BENCH_STAGE2 = (
    ARTIFACTS,
    Step("bench-stage2", "what is noticed of stage 2, done naively and by ours", (PYTHON, "tests/bench/stage2.py")),
)

NEXT = """
The cluster is up. What to do next:
  export KUBECONFIG=$(make kubeconfig)        then kubectl get nodes, helm -n kube-system list …
  ssh -F $(make ssh-config) server1           a shell on a host
  make up                                     again: nothing should change
  make down                                   remove the lab; its artifacts stay in the cache
"""


def scenarios(names: Iterable[str], *, destroy: str = "never") -> tuple[Step, ...]:
    """One step for each scenario; with "never" they follow one another on one lab."""
    return tuple(
        Step(
            f"molecule-{name}",
            f"Molecule scenario {name}",
            ("molecule", "test", "-s", name, "--destroy", destroy),
            ("artifacts",),
            notes(name if destroy == "always" else "shared"),
        )
        for name in names
    )


def plan(target: str, names: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps of a target of the Makefile."""
    chosen, alone = names or SHARED_SCENARIOS + BETWEEN_STAGES + OWN_SCENARIOS, OWN_SCENARIOS + FULL_SCENARIOS
    shared = scenarios(name for name in chosen if name not in alone)
    walk = (*scenarios(SHARED_SCENARIOS), FAULTS_CORE, *scenarios(BETWEEN_STAGES), *DOWN)
    own = scenarios((name for name in chosen if name in alone), destroy="always")
    fresh = (ARTIFACTS, *scenarios(names or chosen + FULL_SCENARIOS, destroy="always"))
    around = (*SANITY, REPORT, *CLEAN, RULES)
    faults = (HOSTS, SITE, replace(FAULTS, needs=("site",)), STAGE2_FAULTS, *DOWN)
    targets = {
        "artifacts": (ARTIFACTS,),
        "up": (ARTIFACTS, HOSTS, SITE, STATE),
        "down": DOWN,
        "check": CHECK,
        "sanity": SANITY,
        "molecule": (ARTIFACTS, *shared, *own),
        "k3s": (ARTIFACTS, K3S),
        "test": (*CHECK, *around, ARTIFACTS, *walk, *own, K3S_CORE),
        "test-full": (*THOROUGH, *around, *fresh, K3S, FRR, *faults),
        "bench": BENCH,
        "bench-stage2": BENCH_STAGE2,
    }
    return targets[target]


def run(step: Step, failed: dict[str, list[str]], begun: Future[Kept] | None = None) -> bool:
    """Run one step, its output going where ours goes; of one that fails, `failed` keeps the telling lines.

    One that has `begun` is waited for, and its output shown.
    """
    print(f"== {step.name}: {step.what}", flush=True)
    if missing := sorted(failed.keys() & set(step.needs)):
        failed[step.name] = [f"{', '.join(missing)} failed"]
        print(f"-- {step.name}: FAILED, because {failed[step.name][0]}", flush=True)
        return False
    started = time.monotonic()
    try:
        if begun:
            code, output, seconds = begun.result()
            told = _show(output.splitlines(keepends=True))
            started = time.monotonic() - seconds
        else:
            code, told = _execute(step)
    except OSError as error:
        print(error, flush=True)
        code, told = 127, [str(error)]
    if code != 0:
        failed[step.name] = told
    result = "ok" if code == 0 else f"FAILED ({code}): {shlex.join(step.command)}"
    print(f"-- {step.name}: {time.monotonic() - started:.1f} s, {result}", flush=True)
    return code == 0


def _execute(step: Step) -> tuple[int, list[str]]:
    """The exit code and, unless a person watches and the command has the terminal, what it said of a failure."""
    if sys.stdout.isatty():
        environment = {**os.environ, **step.env}
        return subprocess.run(step.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode, []
    with _start(step) as process:
        assert process.stdout is not None
        told = _show(process.stdout)
    return process.returncode, told


def _start(step: Step) -> subprocess.Popen[str]:
    return subprocess.Popen(
        step.command,
        cwd=ROOT,
        env={**os.environ, **step.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def _keep(step: Step) -> Kept:
    """The exit code of an early step, all that it said, and its seconds."""
    started = time.monotonic()
    with _start(step) as process:
        output, _ = process.communicate()
    return process.returncode, output, time.monotonic() - started


def _show(lines: Iterable[str]) -> list[str]:
    """Print what a step says; the lines that tell of a failure."""
    told: deque[str] = deque(maxlen=MOST_TOLD)
    wanted = 0
    for line in lines:
        print(line, end="", flush=True)
        plain = COLOURS.sub("", line).rstrip()
        wanted = FOLLOWING if TELLING.search(plain) else wanted - 1
        if wanted > 0 and plain:
            told.append(plain[:LONGEST_TOLD])
    return list(told)


def main(argv: list[str]) -> int:
    target, *names = argv
    steps = plan(target, tuple(names))
    started = time.monotonic()
    failed: dict[str, list[str]] = {}
    with ThreadPoolExecutor() as aside:
        begun = {step.name: aside.submit(_keep, step) for step in steps if step.early}
        for step in steps:
            run(step, failed, begun.get(step.name))
    if target == "up" and not failed:
        print(NEXT)
    for name, told in failed.items():
        print(*(f"{name}: {line}" for line in told), sep="\n", end="\n" if told else "")
    print(f"{target}: {time.monotonic() - started:.1f} s", *(["; failed:", *sorted(failed)] if failed else []))
    print(f"{len(steps) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
