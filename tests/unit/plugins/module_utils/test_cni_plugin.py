from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cni_plugin
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def binary(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    path.chmod(mode)
    return path


def test_one_that_is_there_stays(tmp_path: Path) -> None:
    target = binary(tmp_path / "bin/portmap")
    step = cni_plugin.plan(target, [])
    cni_plugin.apply(target, step)
    assert step.link == "" and target.read_text() == "x" and not target.is_symlink()


def test_the_first_source_that_works_is_linked(tmp_path: Path) -> None:
    target, second = tmp_path / "opt/cni/bin/portmap", binary(tmp_path / "b/portmap")
    sources = [tmp_path / "a/portmap", binary(tmp_path / "c/portmap", 0o644), second]
    step = cni_plugin.plan(target, sources)
    cni_plugin.apply(target, step)
    assert target.readlink() == second
    assert cni_plugin.plan(target, sources) == cni_plugin.Step(why=f"{target} is there")


def test_a_dangling_link_is_replaced(tmp_path: Path) -> None:
    target, source = tmp_path / "portmap", binary(tmp_path / "b/portmap")
    target.symlink_to(tmp_path / "gone")
    (tmp_path / ".portmap.new").symlink_to("left by a run that was killed")
    cni_plugin.apply(target, cni_plugin.plan(target, [source]))
    assert target.readlink() == source
    assert not (tmp_path / ".portmap.new").is_symlink()


def test_nowhere(tmp_path: Path) -> None:
    with pytest.raises(MeshwrightError, match=r"CNI plugin portmap is missing at .*containernetworking-plugins"):
        cni_plugin.plan(tmp_path / "portmap", [tmp_path / "a/portmap"])
