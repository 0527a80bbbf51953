"""What is written, when a restart is due, and which changes of a live server are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_config_plan as planning
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_config_plan import Have, Want

MAIN, STAGE = "config.yaml", "config.yaml.d/60-kube-proxy.yaml"
CONFIG: dict[str, Any] = {
    "token": "canary-token", "cluster-cidr": "10.42.0.0/16", "flannel-backend": "none",
    "disable-network-policy": True, "disable": ["traefik", "servicelb"], "node-ip": None,
}
WANT = Want(CONFIG)
PEERS = ("https://192.0.2.2:6443", "https://192.0.2.3:6443")


def applied(have: Have, want: Want) -> Have:
    """The host after the plan was carried out."""
    files = dict(have.files)
    registries = have.registries
    for write in planning.plan(have, want).writes:
        if write.name == "registries.yaml":
            registries = write.text
        elif write.text is None:
            files.pop(write.name)
        else:
            files[write.name] = write.text
    return replace(have, files=files, registries=registries)


def running(want: Want = WANT, **changes: Any) -> Have:
    """A live server that was started with what is on its disk."""
    have = applied(Have(), want)
    return replace(
        have, started=dict(have.files), started_registries=have.registries, datastore=True, active_state="active",
        **changes,
    )  # fmt: skip


def test_an_empty_host_gets_the_file_and_a_start() -> None:
    plan = planning.plan(Have(), WANT)
    assert [write.name for write in plan.writes] == [MAIN]
    assert plan.effective["cluster-init"] is True
    assert "node-ip" not in plan.effective
    assert plan.restart_reasons == ("it is not running",)


def test_the_same_again_changes_nothing() -> None:
    plan = planning.plan(running(), WANT)
    assert plan.writes == () and plan.restart_reasons == ()


def test_a_drift_by_hand_is_written_over_and_restarted() -> None:
    have = running()
    text = have.files[MAIN].replace("flannel-backend: none", "flannel-backend: none\ndebug: true").replace(
        "- traefik\n", ""
    )
    drifted = replace(have, files={MAIN: text})
    plan = planning.plan(drifted, WANT)
    assert [write.name for write in plan.writes] == [MAIN]
    assert plan.effective["debug"] is True, "a key that nobody here wrote stays"
    assert plan.restart_reasons == ("debug changed",)


def test_a_key_of_ours_that_is_not_wanted_any_more_goes() -> None:
    more = Want({**CONFIG, "kube-controller-manager-arg": ["terminated-pod-gc-threshold=777"]})
    plan = planning.plan(running(more), WANT)
    assert "kube-controller-manager-arg" not in plan.effective
    assert plan.restart_reasons == ("kube-controller-manager-arg changed",)


def test_a_foreign_file_keeps_its_keys() -> None:
    have = Have(files={MAIN: "debug: true\ntoken: canary-token\n"})
    plan = planning.plan(have, WANT)
    assert plan.effective["debug"] is True
    assert planning.plan(applied(have, WANT), WANT).writes == ()


def test_foreign_drop_ins_are_respected_and_told() -> None:
    have = Have(files={"config.yaml.d/90-mine.yaml": "disable+: [metrics-server]\ncluster-cidr: 10.50.0.0/16\n"})
    plan = planning.plan(have, WANT)
    assert plan.effective["disable"] == ["traefik", "servicelb", "metrics-server"]
    assert len(plan.overruled) == 2
    assert all("90-mine.yaml" in sentence for sentence in plan.overruled)


@pytest.mark.parametrize("kube_proxy", [True, False])
def test_the_stage_is_one_file(kube_proxy: bool) -> None:
    plan = planning.plan(Have(), replace(WANT, kube_proxy=kube_proxy))
    assert (STAGE in [write.name for write in plan.writes]) is not kube_proxy
    assert plan.kube_proxy is kube_proxy


def test_the_stage_stays_when_nothing_is_said_about_it() -> None:
    have = running(replace(WANT, kube_proxy=False))
    plan = planning.plan(have, WANT)
    assert plan.writes == () and plan.kube_proxy is False


def test_a_changed_stage_restarts_and_is_not_refused() -> None:
    have = running()
    plan = planning.plan(have, replace(WANT, kube_proxy=False))
    assert plan.restart_reasons == ("disable-kube-proxy changed",)
    assert planning.refusals(have, plan, "server1") == []


@pytest.mark.parametrize("kube_proxy", [True, False])
def test_the_stage_alone(kube_proxy: bool) -> None:
    """Nothing else is touched, whatever stands there, and the whole configuration keeps it afterwards."""
    registries = Want(CONFIG, kube_proxy=not kube_proxy, registries={"mirrors": {"a.example": {}}})
    have, alone = running(registries), Want(None, kube_proxy=kube_proxy)
    plan = planning.plan(have, alone)
    assert [write.name for write in plan.writes] == [STAGE] and plan.kube_proxy is kube_proxy
    assert plan.restart_reasons == ("disable-kube-proxy changed",) and plan.overruled == ()
    assert planning.refusals(have, plan, "server1") == [] and planning.misled(have, alone, plan) is None
    after = applied(have, alone)
    assert after.files[MAIN] == have.files[MAIN] and after.registries == have.registries
    assert planning.plan(after, alone).writes == ()
    restarted = replace(after, started=dict(after.files))
    whole = planning.plan(restarted, replace(registries, kube_proxy=None))
    assert (whole.writes, whole.restart_reasons, whole.kube_proxy) == ((), (), kube_proxy)


@pytest.mark.parametrize(("name", "kube_proxy", "value"), [
    (MAIN, True, "true"), ("config.yaml.d/90-mine.yaml", False, "false"),
])  # fmt: skip
def test_a_stage_that_another_file_overrules(name: str, kube_proxy: bool, value: str) -> None:
    have = running()
    have = replace(have, files={**have.files, name: f"{have.files.get(name, '')}disable-kube-proxy: {value}\n"})
    want = Want(None, kube_proxy=kube_proxy)
    error = planning.misled(have, want, planning.plan(have, want))
    assert error is not None and f"/etc/rancher/k3s/{name}" in str(error) and error.remedy


def test_join_keys_need_no_restart_once_there_is_a_datastore() -> None:
    plan = planning.plan(running(), replace(WANT, peers=PEERS))
    assert plan.effective["server"] == PEERS[0]
    assert "cluster-init" not in plan.effective
    assert [write.name for write in plan.writes] == [MAIN]
    assert plan.restart_reasons == ()


def test_a_peer_that_is_named_already_stays() -> None:
    have = running(replace(WANT, peers=PEERS[1:]))
    assert planning.plan(have, replace(WANT, peers=PEERS)).writes == ()


def test_an_agent_is_not_restarted_for_another_server_to_join() -> None:
    """Its balancer knows all servers; the one in the file is only for the next start."""
    config = {"token": "canary-token"}
    have = replace(running(Want(config, PEERS[1:], server=False)), datastore=False)
    plan = planning.plan(have, Want(config, PEERS[:1], server=False))
    assert plan.effective["server"] == PEERS[0] and plan.restart_reasons == ()
    assert "cluster-init" not in plan.effective


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"binary_changed": True}, "another binary is installed"),
        ({"unit_changed": True}, "its unit changed"),
        ({"started": None}, "it was not started by our unit"),
        ({"started_registries": "mirrors: {}"}, "registries.yaml changed"),
        ({"active_state": "failed"}, "it is not running"),
    ],
)
def test_other_reasons(change: dict[str, Any], reason: str) -> None:
    assert planning.plan(replace(running(), **change), WANT).restart_reasons == (reason,)


def test_registries() -> None:
    want = replace(WANT, registries={"configs": {"r.test": {"auth": {"password": "canary-password"}}}})
    plan = planning.plan(running(), want)
    (write,) = plan.writes
    assert write.path == "/etc/rancher/k3s/registries.yaml"
    assert "canary" not in write.before + write.after
    assert plan.restart_reasons == ("registries.yaml changed",)
    back = planning.plan(running(want), WANT)
    assert [(found.name, found.text) for found in back.writes] == [("registries.yaml", None)]


def test_a_foreign_registries_file_stays() -> None:
    assert planning.plan(running(registries="mirrors: {}\n"), WANT).writes == ()


def test_secrets_are_in_no_diff() -> None:
    plan = planning.plan(running(), Want({**CONFIG, "token": "canary-other", "debug": True}))
    assert plan.writes
    assert all("canary" not in write.before + write.after for write in plan.writes)


CRITICAL = [
    ("cluster-cidr", "10.99.0.0/16"), ("service-cidr", "10.98.0.0/16"), ("cluster-dns", "10.43.0.99"),
    ("cluster-domain", "example.org"), ("flannel-backend", "vxlan"), ("disable-network-policy", False),
    ("secrets-encryption", True), ("egress-selector-mode", "disabled"), ("disable", ["traefik"]),
    ("embedded-registry", True), ("token", "canary-other"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), CRITICAL, ids=[key for key, _value in CRITICAL])
def test_critical_values_of_a_live_server_are_refused(key: str, value: Any) -> None:
    have = running()
    refused = planning.refusals(have, planning.plan(have, Want({**CONFIG, key: value})), "server1")
    assert len(refused) == 1 + (key == "service-cidr"), "the DNS's address moves with the services' network"
    text = str(refused[-1])
    assert ("servicelb" if key == "disable" else key) in text
    assert text.startswith("server1: ") and refused[0].remedy
    assert "canary" not in text


@pytest.mark.parametrize(("key", "value"), CRITICAL, ids=[key for key, _value in CRITICAL])
def test_critical_values_are_free_before_there_is_a_datastore(key: str, value: Any) -> None:
    have = replace(running(), datastore=False)
    assert planning.refusals(have, planning.plan(have, Want({**CONFIG, key: value})), "server1") == []


def test_the_running_value_counts_not_the_one_on_the_disk() -> None:
    """Somebody changed the file by hand; writing the old value back is no change."""
    have = running()
    edited = replace(have, files={MAIN: have.files[MAIN].replace("10.42.0.0/16", "10.99.0.0/16")})
    plan = planning.plan(edited, WANT)
    assert planning.refusals(edited, plan, "server1") == []
    assert plan.restart_reasons == ()


def test_a_default_that_is_written_down_is_no_change() -> None:
    have = running()
    more = {"service-cidr": "10.43.0.0/16", "cluster-dns": "10.43.0.10", "secrets-encryption": False}
    assert planning.refusals(have, planning.plan(have, Want({**CONFIG, **more})), "server1") == []


def test_the_long_form_of_the_token_is_the_same_token() -> None:
    long = "K10" + "0" * 64 + "::server:canary-token"
    have = running(Want({**CONFIG, "token": long}))
    assert planning.refusals(have, planning.plan(have, WANT), "server1") == []


KEYS = st.sampled_from(["debug", "tls-san", "node-label", "disable", "kubelet-arg"])
VALUES = st.one_of(st.none(), st.booleans(), st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2))
CONFIGS = st.dictionaries(KEYS, VALUES, max_size=4)
FOREIGN = st.fixed_dictionaries(
    {}, optional={MAIN: CONFIGS.map(yaml.safe_dump), "config.yaml.d/10-a.yaml": CONFIGS.map(yaml.safe_dump)}
)


@given(FOREIGN, CONFIGS, CONFIGS, st.sampled_from([None, True, False]))
def test_any_plan_is_stable(files: dict[str, str], first: Any, second: Any, kube_proxy: bool | None) -> None:
    """Carried out once, a plan is empty; and what an earlier inventory wanted leaves nothing behind."""
    start = Have(files=files)
    want = Want(second, kube_proxy=kube_proxy)
    through = applied(applied(start, Want(first)), want)
    assert planning.plan(through, want).writes == ()
    main = yaml.safe_load(through.files[MAIN])
    ours = {key: value for key, value in second.items() if value is not None}
    assert {key: main[key] for key in ours} == ours
    foreign = yaml.safe_load(files.get(MAIN, "{}")) or {}
    assert set(main) <= set(ours) | set(foreign) | {"cluster-init"}
    alone = Want(None, kube_proxy=kube_proxy)
    assert {write.name for write in planning.plan(start, alone).writes} <= {STAGE}
    assert planning.plan(applied(start, alone), alone).writes == ()
