from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import (
    MeshwrightError,
    TimedOut,
    sentences,
)


def test_one_line_with_everything() -> None:
    error = MeshwrightError("k3s_token", host="server1", seen="short\n(3)", wanted="16 characters", remedy="draw one")
    assert str(error) == "server1: k3s_token is short (3), wanted 16 characters: draw one"
    assert error.fail_args()["error"]["remedy"] == "draw one"


def test_host_is_added_once_and_the_kind_is_kept() -> None:
    error = TimedOut("node Ready", seen="False").with_host("a")
    assert isinstance(error, TimedOut)
    assert error.with_host("b").host == "a"


def test_sentences_are_lines() -> None:
    assert sentences([MeshwrightError("x"), MeshwrightError("y", host="h")]) == "x\nh: y"
