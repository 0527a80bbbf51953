"""The step runner: what it prints, and that nothing is left out silently."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("steps", ROOT / "tests/steps.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["steps"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().out.splitlines()


def test_a_step_says_what_it_is_and_how_long_it_took(steps: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    assert steps.run(steps.Step("a", "something", ("true",)), {})
    first, last = lines(capfd)
    assert first == "== a: something"
    assert last.startswith("-- a: 0.") and last.endswith(" s, ok")


@pytest.mark.parametrize("command", [("false",), ("no-such-command",)])
def test_a_failure_is_one(steps: ModuleType, command: tuple[str, ...]) -> None:
    assert not steps.run(steps.Step("a", "something", command), {})


def test_what_needs_a_failed_step_fails_without_being_run(
    steps: ModuleType, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    assert not steps.run(steps.Step("b", "later", ("touch", str(mark)), needs=("a",)), {"a": []})
    assert "because a failed" in lines(capfd)[-1]
    assert not mark.exists()


def test_the_last_line_counts(
    steps: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    three = (
        steps.Step("a", "", ("false",)),
        steps.Step("b", "", ("true",), needs=("a",)),
        steps.Step("c", "", ("true",)),
    )
    monkeypatch.setattr(steps, "plan", lambda target, names: three)
    assert steps.main(["check"]) == 1
    assert lines(capfd)[-1] == "1 passed, 2 failed"


def test_what_failed_says_it_again_at_the_end(
    steps: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "echo fatal: [server1]: no such thing; for n in 2 3 4 5 6; do echo line $n; done; echo a recap; exit 3"
    two = (steps.Step("a", "", ("sh", "-c", script)), steps.Step("b", "", ("true",), needs=("a",)))
    monkeypatch.setattr(steps, "plan", lambda target, names: two)
    steps.main(["check"])
    told = lines(capfd)[-9:-2]
    assert (told[0], told[5], told[6]) == ("a: fatal: [server1]: no such thing", "a: line 6", "b: a failed")


def test_input_is_never_waited_for(steps: ModuleType) -> None:
    assert steps.run(steps.Step("a", "reads", ("cat",)), {})


@pytest.mark.parametrize("target", ["up", "down", "check", "sanity", "molecule", "k3s", "test", "test-full", "bench"])
def test_every_target_knows_the_steps_it_needs(steps: ModuleType, target: str) -> None:
    names = [step.name for step in steps.plan(target, ())]
    assert len(names) == len(set(names)), f"{target} has a step twice: {names}"
    for position, step in enumerate(steps.plan(target, ())):
        assert set(step.needs) <= set(names[:position]), f"{target}: {step.name} comes before what it needs"


def test_test_holds_all_of_check(steps: ModuleType) -> None:
    assert {step.name for step in steps.CHECK} <= {step.name for step in steps.plan("test", ())}


def test_an_early_step_runs_beside_the_others_and_speaks_at_its_turn(
    steps: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # each end waits for the other: one after the other they would never end
    two = (
        steps.Step("a", "first", ("sh", "-c", f"read line <{fifo}; echo $line")),
        steps.Step("b", "beside", ("sh", "-c", f"echo Error: mine; echo met >{fifo}; exit 3"), early=True),
    )
    monkeypatch.setattr(steps, "plan", lambda target, names: two)
    assert steps.main(["check"]) == 1
    shown = lines(capfd)
    assert [shown[0], shown[1], *shown[3:5]] == ["== a: first", "met", "== b: beside", "Error: mine"]
    assert shown[5].startswith("-- b: ") and "FAILED (3)" in shown[5]
    assert shown[6] == "b: Error: mine"


def test_an_early_command_that_is_not_there_fails(
    steps: ModuleType, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "plan", lambda target, names: (steps.Step("a", "", ("no-such-command",), early=True),))
    assert steps.main(["check"]) == 1
    assert lines(capfd)[-1] == "0 passed, 1 failed"


def test_early_steps_need_no_other(steps: ModuleType) -> None:
    assert [step.name for step in steps.CHECK if step.early] == ["ansible-lint"]
    assert not [step.name for step in steps.plan("test-full", ()) if step.early and step.needs]


@pytest.mark.parametrize(("target", "thorough"), [("check", False), ("test", False), ("test-full", True)])
def test_properties_get_more_examples_where_there_is_time(steps: ModuleType, target: str, thorough: bool) -> None:
    (unit,) = [step for step in steps.plan(target, ()) if step.name == "unit"]
    assert ("--hypothesis-profile=thorough" in unit.command) is thorough
