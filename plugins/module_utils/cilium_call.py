# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the module cilium_plan and the plan: parameters in, files and Helm's rendering around it, answers out."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_dump

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_plan import Observed, Plan, Wish, observe
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import (
    NAME,
    NAMESPACE,
    chart_version,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_restarts import Effect, compare
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CiliumOptions,
    masked,
    secret_texts,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable

Params = t.Mapping[str, t.Any]
Run = t.Callable[[t.Sequence[str]], tuple[int, str, str]]


@dataclasses.dataclass(frozen=True)
class Chart:
    ref: str
    repo_url: str  # empty for oci:// references and paths
    version: str
    local: bool


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
    try:
        return observe(Kube.from_kubeconfig(kubeconfig))
    except Unreachable:
        if not absent_is_well:
            raise
    except MeshwrightError:
        if not absent_is_well or Path(kubeconfig).expanduser().exists():
            raise
    return Observed()


@contextlib.contextmanager
def values_file(plan: Plan, path: str, keep: bool) -> t.Iterator[str]:
    """The values in a file of mode 0600: in its place if Helm is to read it, else for the time of the comparison."""
    text = yaml_dump(plan.rendered.values, default_flow_style=False, sort_keys=True)
    if keep and plan.action != "none":
        _write(Path(path).expanduser(), text)
        yield str(Path(path).expanduser())
        return
    handle, name = tempfile.mkstemp(suffix=".yaml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        yield name
    finally:
        Path(name).unlink()


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o777 == 0o600:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".values")  # mkstemp gives mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def effect(run: Run, helm: str, chart: Chart, values: str, seen: Observed, plan: Plan) -> Effect:
    """What Helm's run does to pods that run, from the manifests of both sides. A chart that refuses is told here."""
    if plan.action == "none":
        return Effect()
    command = [helm, "template", NAME, chart.ref, "--namespace", NAMESPACE, "--values", values]
    command += ["--kube-version", seen.kubernetes.partition("+")[0]] if seen.kubernetes else []
    command += ["--api-versions", "monitoring.coreos.com/v1"] if seen.service_monitors else []
    command += ["--repo", chart.repo_url] if chart.repo_url else []
    command += [] if chart.local else ["--version", chart.version]
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
    return Effect() if plan.action == "install" or seen.release is None else compare(seen.release.manifest, out)


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
