"""Starting k3s: which steps, how it ends, and what its journal means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_journal
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_service import Start, plan

UP = {
    "ActiveState": "active", "SubState": "running", "LoadState": "loaded", "NeedDaemonReload": "no",
    "UnitFileState": "enabled", "InvocationID": "one",
}  # fmt: skip
DOWN = {**UP, "ActiveState": "inactive", "SubState": "dead", "InvocationID": ""}
STARTING = {**UP, "ActiveState": "activating", "SubState": "start", "InvocationID": "two"}
TOKEN = "canary-wrong-token-0123456789abcdef"
UNAUTHORIZED = (
    'time="2026-11-21T14:00:00Z" level=error msg="Failed to validate connection to cluster at https://192.0.2.1:6443: '
    f'failed to get CA certs: 401 Unauthorized (token: {TOKEN})"'
)


@pytest.mark.parametrize(
    ("unit", "reasons", "steps"),
    [
        (UP, [], ()),
        (UP, ["debug changed"], ("restart",)),
        (DOWN, ["it is not running"], ("start",)),
        (DOWN, [], ("start",)),
        ({**UP, "ActiveState": "failed"}, [], ("start",)),
        (STARTING, [], ()),
        (STARTING, ["token changed"], ("restart",)),
        ({**UP, "UnitFileState": "disabled"}, [], ("enable",)),
        ({**UP, "NeedDaemonReload": "yes"}, ["its unit changed"], ("daemon-reload", "restart")),
        ({**DOWN, "LoadState": "not-found", "UnitFileState": ""}, [], ("daemon-reload", "enable", "start")),
    ],
)
def test_steps(unit: dict[str, str], reasons: list[str], steps: tuple[str, ...]) -> None:
    assert plan(unit, reasons) == steps


def start(*looks: dict[str, str], said: Sequence[str] = (), timeout: float = 60) -> Start:
    """One look after the other; the last one is repeated."""
    left = list(looks)

    def unit(_name: str) -> dict[str, str]:
        return left.pop(0) if len(left) > 1 else left[0]

    clock = Turned()
    return Start("k3s", "one", "", timeout, [TOKEN], clock, unit, lambda _name, _cursor: said)  # type: ignore[arg-type]


def test_the_run_before_does_not_count() -> None:
    assert start(UP, UP, STARTING, {**STARTING, "ActiveState": "active"}).wait() == 1.5


def test_a_hopeless_message_ends_the_wait_early() -> None:
    waiting = start(STARTING, said=[UNAUTHORIZED], timeout=300)
    with pytest.raises(MeshwrightError) as caught:
        waiting.wait()
    assert waiting.clock.now() < 30
    text = str(caught.value)
    assert "token" in text and "k3s_agent_token" in text and "401" in text
    assert TOKEN not in text


def test_a_message_that_passes_is_waited_out() -> None:
    lines = [UNAUTHORIZED]
    waiting = start(*[STARTING] * 4, {**STARTING, "ActiveState": "active"}, said=lines)
    assert waiting.wait() == 2.0


def test_too_late_tells_the_last_words() -> None:
    with pytest.raises(TimedOut) as caught:
        start(STARTING, said=["level=info msg=starting", 'level=error msg="something odd"'], timeout=20).wait()
    assert "something odd" in str(caught.value) and "journalctl -u k3s" in str(caught.value)


def test_a_start_that_only_takes_long_is_told_as_such() -> None:
    """An agent that imports its images says nothing but containerd's usual complaints."""
    usual = [
        'level=warning msg="failed to load plugin io.containerd.snapshotter.v1.devmapper" error="not configured"',
        'level=error msg="failed to load cni during init, please check CRI plugin status"',
        'level=info msg="containerd is now running"',
    ]
    with pytest.raises(TimedOut) as caught:
        start(STARTING, said=usual, timeout=20).wait()
    assert "raise k3s_start_timeout" in str(caught.value) and "containerd is now running" in str(caught.value)
    assert k3s_journal.last_words([*usual, 'level=error msg="something odd"']) == "something odd"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("write /var/lib/rancher/k3s/x: no space left on device", "free some space"),
        ('level=fatal msg="critical configuration value mismatch between servers"', "the same on all servers"),
        ("bootstrap data already found and encrypted with different token", "k3s_token"),
        ("token CA hash does not match the Cluster CA certificate hash: a != b", "this cluster's"),
        ("Node password rejected, duplicate hostname", "node-password"),
        ("duplicate node name found, please use a unique name for this node", "old member"),
        ("this server has been removed from the cluster", "server/db"),
    ],
)
def test_known_messages(line: str, remedy: str) -> None:
    found = k3s_journal.diagnose(["level=info msg=starting", line, "level=info msg=\"k3s is up soon\""])
    assert found is not None and found.final
    assert remedy in found.remedy


def test_nothing_is_made_of_unknown_messages() -> None:
    assert k3s_journal.diagnose(["level=info msg=starting", "level=error msg=odd"]) is None
    assert k3s_journal.last_words([]) == "nothing"


@pytest.mark.parametrize(
    "line", [f"K10{'0' * 64}::server:{TOKEN}", f"token={TOKEN}", f"agent-token: '{TOKEN}'", f"said {TOKEN} aloud"]
)
def test_secrets_are_masked(line: str) -> None:
    assert TOKEN not in k3s_journal.masked(line, [TOKEN])
