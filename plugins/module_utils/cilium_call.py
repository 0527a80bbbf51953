# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the module cilium_plan and the plan: parameters in, files and Helm's rendering around it, answers out."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_dump

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_values
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import Observed, Plan, Wish, observe
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import (
    NAME,
    NAMESPACE,
    chart_version,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_restarts import Effect, compare
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import Values
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CiliumOptions,
    masked,
    secret_texts,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, need_library
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

Params = t.Mapping[str, t.Any]
Run = t.Callable[[t.Sequence[str]], tuple[int, str, str]]
Render = t.Callable[[Values], str]

# What the inventory asks of the chart. A module's arguments, and an action's.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "kubeconfig": {"type": "path", "required": True},
    "chart": {"type": "str", "required": True},
    "chart_repo_url": {"type": "str", "default": ""},
    "version": {"type": "str", "required": True},
    "helm_binary": {"type": "str", "default": "helm"},
    "options": {"type": "dict", "default": {}},
    "values": {"type": "dict", "default": {}},
    "cluster_cidr": {"type": "list", "elements": "str", "required": True},
    "nodes": {"type": "int", "default": 1},
    "initial_stage": {"type": "int", "choices": [1, 2], "default": 1},
    "stage": {"type": "int", "choices": [0, 1, 2], "default": 0},
    "gateway_api_version": {"type": "str", "default": ""},
    "gateway_api_crds": {"type": "str", "default": ""},
}


@dataclasses.dataclass(frozen=True)
class Chart:
    ref: str
    repo_url: str  # empty for oci:// references and paths
    version: str
    local: bool


def checked(given: Params) -> Params:
    """As a module gets its parameters, for an action."""
    result = ArgumentSpecValidator(ARGUMENTS).validate(dict(given))
    if result.error_messages:
        raise MeshwrightError("what is asked of the chart", seen="; ".join(result.error_messages))
    return t.cast("Params", result.validated_parameters)


def wish_from(params: Params) -> Wish:
    return Wish(
        version=params["version"].lstrip("v"),
        options=options_from(params["options"]),
        free=params["values"],
        cidrs=tuple(params["cluster_cidr"]),
        initial_stage=params["initial_stage"],
        gateway_version=params["gateway_api_version"],
        gateway_crds=params["gateway_api_crds"],
        nodes=params["nodes"],
        stage=params["stage"],
    )


def options_from(given: Params) -> CiliumOptions:
    known = {field.name for field in dataclasses.fields(CiliumOptions)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise MeshwrightError("the options", seen=f"unknown ({', '.join(unknown)})", wanted=", ".join(sorted(known)))
    return CiliumOptions(**{name: value for name, value in given.items() if value is not None})


def secrets_of(wish: Wish) -> set[str]:
    return set(secret_texts(dict(wish.free)))


def chart_of(params: Params) -> Chart:
    wanted = params["version"].lstrip("v")
    path = Path(params["chart"]).expanduser()
    if path.exists():
        return Chart(str(path), "", chart_version(str(path), wanted), True)
    oci = params["chart"].startswith("oci://")
    if not oci and not params["chart_repo_url"]:
        raise MeshwrightError(
            "cilium_chart", host="localhost", seen=f"{params['chart']!r}, no path that is there",
            wanted="a path, an oci:// reference, or a name with cilium_chart_repo_url", remedy="correct one of the two",
        )
    return Chart(params["chart"], "" if oci else params["chart_repo_url"], wanted, False)


def observe_cluster(kubeconfig: str, absent_is_well: bool) -> Observed:
    """In check mode a cluster may still be to come."""
    need_library()
    try:
        return observe(Kube.from_kubeconfig(kubeconfig))
    except Unreachable:
        if not absent_is_well:
            raise
    except MeshwrightError:
        if not absent_is_well or Path(kubeconfig).expanduser().exists():
            raise
    return Observed()


def renderer(run: Run, helm: str, chart: Chart, seen: Observed) -> Render:
    """What makes a manifest of values, as Helm would for this cluster."""
    command = [helm, "template", NAME, chart.ref, "--namespace", NAMESPACE]
    command += ["--kube-version", seen.kubernetes.partition("+")[0]] if seen.kubernetes else []
    command += ["--api-versions", "monitoring.coreos.com/v1"] if seen.service_monitors else []
    command += ["--repo", chart.repo_url] if chart.repo_url else []
    command += [] if chart.local else ["--version", chart.version]

    def render(values: Values) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:  # of mode 0600
            file.write(_text(values))
            file.flush()
            return _rendered(run, [*command, "--values", file.name])

    return render


def _rendered(run: Run, command: t.Sequence[str]) -> str:
    try:
        code, out, err = run(command)
    except (OSError, ValueError) as error:
        code, out, err = 127, "", str(error)
    if code != 0:
        raise MeshwrightError(
            "helm template", host="localhost", seen=f"failed ({err.strip() or f'exit code {code}'})",
            wanted="the chart rendered with the values",
            remedy="see cilium_values, and that helm is there (cilium_helm_binary)",
        )
    return out


def checksum(render: Render, possible: t.Mapping[int, Values], stage: int) -> str:
    """Of the settings that the stages render; of `stage` alone where the chart refuses the other one."""
    found = manifests(render, possible, {stage})
    data = {each: stage2_values.config_data(manifest) for each, manifest in found.items()}
    return stage2_values.checksum(data[stage], data.get(3 - stage, data[stage]))


def manifests(render: Render, possible: t.Mapping[int, Values], needed: t.Container[int]) -> dict[int, str]:
    """By stage, rendered side by side; without a stage that the chart refuses, unless it is needed."""

    def one(stage: int) -> str | None:
        try:
            return render(possible[stage])
        except MeshwrightError:
            if stage in needed:
                raise
            return None

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(possible, pool.map(one, possible)))
    return {stage: manifest for stage, manifest in found.items() if manifest is not None}


def effect(render: Render, seen: Observed, plan: Plan) -> Effect:
    """What Helm's run does to pods that run, from the manifests of both sides. A chart that refuses is told here."""
    if plan.action == "none":
        return Effect()
    manifest = render(plan.rendered.values)
    if plan.action == "install" or seen.release is None:
        return Effect()
    return compare(seen.release.manifest, manifest)


def write_values(plan: Plan, path: str) -> None:
    """For Helm, which reads them there with mode 0600."""
    if plan.action == "none":
        return
    text, file = _text(plan.rendered.values), Path(path).expanduser()
    if file.exists() and file.read_text(encoding="utf-8") == text and file.stat().st_mode & 0o777 == 0o600:
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".values")  # mkstemp gives mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        new.write(text)
    Path(name).replace(file)


def _text(values: Values) -> str:
    return str(yaml_dump(values, default_flow_style=False, sort_keys=True))


def told(plan: Plan, seen: Observed, chart: Chart, found: Effect, secrets: t.Collection[str]) -> dict[str, t.Any]:
    """The module's answer."""
    before = dict(seen.release.values) if seen.release else {}
    gateway = plan.gateway
    answer: dict[str, t.Any] = {
        "changed": plan.action != "none" or bool(gateway and gateway.apply),
        "there": seen.there,
        "stage": plan.stage,
        "action": plan.action,
        "summary": _summary(plan, seen, chart, found),
        "restarts": list(found.restarts),
        "config_only": list(found.config_only),
        "notes": list(plan.notes),
        "chart": dataclasses.asdict(chart),
        "secret_values": bool(secrets),
        "stale_record": seen.release.record if plan.forget and seen.release else "",
        "rollback": plan.rollback,
        "gateway_api": dataclasses.asdict(gateway) if gateway else None,
    }
    if plan.action != "none":
        hidden = {*secrets, *secret_texts(before)}
        sides = [yaml_dump(masked(side, hidden), default_flow_style=False) for side in (before, plan.rendered.values)]
        answer["diff"] = {
            "before": sides[0] if before else "", "after": sides[1],
            "before_header": "values of Cilium's chart", "after_header": "values of Cilium's chart",
        }
    return answer


def _summary(plan: Plan, seen: Observed, chart: Chart, found: Effect) -> list[str]:
    lines = [f"cilium_values: {note}" for note in plan.notes]
    if not seen.there:
        lines.append("there is no cluster yet: this is what a new one gets")
    gateway = plan.gateway
    if gateway:
        state = "to be applied" if gateway.apply else "there"
        lines.append(f"CRDs of the Gateway API {gateway.version}: {state}")
    what = {"install": "install Cilium", "upgrade": "upgrade Cilium", "none": "leave Cilium as it is"}[plan.action]
    lines.append(f"{what} ({chart.version}, stage {plan.stage}): {plan.why}")
    lines += [f"it {sentence}" for sentence in found.sentences()]
    if plan.action == "upgrade" and not found.restarts:
        lines.append("it restarts no pod")
    if gateway and gateway.restart_operator:
        lines.append("it restarts the operator, which looks for the Gateway API only when it starts")
    return lines
