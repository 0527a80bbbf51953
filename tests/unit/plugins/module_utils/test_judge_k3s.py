from __future__ import annotations

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import judge_k3s, judge_spec
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host


def host(**variables: object) -> Host:
    return Host("server1", frozenset({"server"}), "192.0.2.1", variables)


GOOD_CRON = ["0 */12 * * *", "5,35 1-5 * jan mon-fri", "@daily", "@every 6h30m", "0 0 * * 7", "? * * * *"]
BAD_CRON = ["", "0 0 * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "@noon", "a * * * *", "@every 6x"]


@pytest.mark.parametrize("text", GOOD_CRON)
def test_cron_accepted(text: str) -> None:
    assert judge_k3s.is_cron(text)


@pytest.mark.parametrize("text", BAD_CRON)
def test_cron_refused(text: str) -> None:
    assert not judge_k3s.is_cron(text)


@pytest.mark.parametrize(
    "label", ["a=b", "example.org/rack=7", "topology.kubernetes.io/zone=a", "node.kubernetes.io/disk=ssd", "empty="]
)
def test_labels_accepted(label: str) -> None:
    assert list(judge_k3s.judge_k3s_options(host(k3s_node_labels=[label]))) == []
    key, _sign, value = label.partition("=")
    assert list(judge_k3s.judge_k3s_options(host(k3s_node_labels={key: value}))) == []


@pytest.mark.parametrize("taint", ["a=b:NoSchedule", "a:NoExecute", "example.org/x=:PreferNoSchedule"])
def test_taints_accepted(taint: str) -> None:
    assert list(judge_k3s.judge_k3s_options(host(k3s_node_taints=[taint]))) == []


def test_no_secret_is_shown() -> None:
    secret = "canary:with colon"
    told = list(judge_k3s.judge_secrets(host(k3s_token=secret, k3s_agent_token=secret)))
    assert len(told) == 3
    assert secret not in str(told)


def test_nested_options_and_nested_secrets() -> None:
    spec = {
        "type": "dict",
        "options": {"name": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}},
    }
    known = {"x_registry": judge_spec.parse_option("x_registry", spec)}
    values = {"x_registry": {"password": ["canary"], "nam": "a"}}
    told = list(judge_spec.judge_variables("h", values, known, ("x_",)))
    assert {finding.thing for finding in told} == {"x_registry.password", "x_registry.nam", "x_registry.name"}
    assert "canary" not in str(told)


@pytest.mark.parametrize(("kind", "value"), [("int", "5"), ("bool", "yes"), ("float", 2), ("bool", True), ("int", -1)])
def test_values_of_the_command_line_are_taken(kind: str, value: object) -> None:
    known = {"x_a": judge_spec.parse_option("x_a", {"type": kind})}
    assert list(judge_spec.judge_variables("h", {"x_a": value}, known, ("x_",))) == []
