from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from meshlab.artifacts import cilium, images
from meshlab.artifacts.oci import Entry, Image, Layer, write_archive, write_layer

names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
trees = st.dictionaries(names, st.binary(max_size=2000), min_size=1, max_size=6)


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        members = {info.name: tar.extractfile(info) for info in tar.getmembers()}
        return {name: handle.read() for name, handle in members.items() if handle is not None}


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """What a descriptor points to, once its digest and size are seen to be right."""
    content = files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert descriptor["size"] == len(content)
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    return content


def make(directory: Path, contents: dict[str, dict[str, bytes]]) -> Path:
    made = []
    for name, tree in contents.items():
        layer = write_layer(directory / f"{name}.layer", [Entry(path, data) for path, data in tree.items()])
        made.append(Image(f"registry.example/{name}:v1", [layer], {"Entrypoint": [f"/{min(tree)}"]}))
    target = directory / "images.tar"
    write_archive(target, made)
    return target


@given(contents=st.dictionaries(names, trees, min_size=1, max_size=4))
def test_an_archive_is_a_whole_oci_layout(
    tmp_path_factory: Any,
    contents: dict[str, dict[str, bytes]],
) -> None:
    files = read(make(tmp_path_factory.mktemp("oci"), contents))
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    descriptors = json.loads(files["index.json"])["manifests"]
    assert [item["annotations"]["io.containerd.image.name"] for item in descriptors] == [
        f"registry.example/{name}:v1" for name in contents
    ]
    for descriptor, tree in zip(descriptors, contents.values(), strict=True):
        manifest = json.loads(blob(files, descriptor))
        config = json.loads(blob(files, manifest["config"]))
        assert config["config"]["Entrypoint"] == [f"/{min(tree)}"]
        assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
        (layer,) = manifest["layers"]
        with tarfile.open(fileobj=io.BytesIO(blob(files, layer))) as tar:
            assert {info.name for info in tar.getmembers()} == set(tree)
            for info in tar.getmembers():
                content = tar.extractfile(info)
                assert content is not None
                assert content.read() == tree[info.name]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for turn in ("one", "two"):
        (tmp_path / turn).mkdir()
        results.append(make(tmp_path / turn, {"a": {"x": b"1", "y": b"2"}, "b": {"x": b"1", "y": b"2"}}).read_bytes())
    assert results[0] == results[1]


def test_a_shared_layer_is_stored_once(tmp_path: Path) -> None:
    target = make(tmp_path, {"a": {"x": b"1"}, "b": {"x": b"1"}})
    with tarfile.open(target) as tar:
        stored = tar.getnames()
    assert len(stored) == len(set(stored))


def test_a_layer_keeps_modes_links_and_directories_and_belongs_to_root(tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_bytes(b"elf")
    source.chmod(0o600)
    entries = [
        Entry("usr/bin/program", source),
        Entry("etc/secret", b"s", mode=0o600),
        Entry("tmp", mode=0o1777),
        Entry("usr/bin/alias", link="program"),
    ]
    layer = write_layer(tmp_path / "layer.tar", entries)
    assert layer == Layer.of(layer.path)
    with tarfile.open(layer.path) as tar:
        members = {info.name: info for info in tar.getmembers()}
    assert {(info.uid, info.gid, info.mtime) for info in members.values()} == {(0, 0, 0)}
    assert members["usr/bin/program"].mode == 0o755
    assert members["etc/secret"].mode == 0o600
    assert members["tmp"].isdir()
    assert members["tmp"].mode == 0o1777
    assert members["usr/bin/alias"].linkname == "program"


def test_the_chart_s_archive_depends_on_the_chart_alone(tmp_path: Path) -> None:
    packed = []
    for turn in ("one", "two"):
        chart = tmp_path / turn / "cilium"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("name: cilium\n")
        (chart / "templates/a.yaml").write_text("a: 1\n")
        target = tmp_path / turn / "cilium.tgz"
        cilium.pack_chart(chart, target)
        packed.append(target.read_bytes())
    assert packed[0] == packed[1]
    assert set(read(tmp_path / "one/cilium.tgz")) == {"cilium/Chart.yaml", "cilium/templates/a.yaml"}


def test_the_datapath_comes_without_its_tests(tmp_path: Path) -> None:
    for path in ("bpf_lxc.c", "lib/nat.h", "tests/nat.c", "Makefile", "include/bpf/api.h"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = {entry.path for entry in cilium.datapath_entries(tmp_path)}
    assert found == {f"var/lib/cilium/bpf/{path}" for path in ("bpf_lxc.c", "lib/nat.h", "include/bpf/api.h")}


def test_images_build_from_their_parts(tmp_path: Path, monkeypatch: Any) -> None:
    """With one-byte programs: the names, the settings, and what the air-gap archive holds."""
    parts = {name: tmp_path / name for name in images.NEEDS}
    for directory in parts.values():
        directory.mkdir()
        for program in ("coredns", "agnhost", "pause", "loopback", "cilium-operator-generic", "hubble-relay"):
            (directory / program).write_bytes(program.encode())
    agent = Image(images.AGENT, [])
    monkeypatch.setattr(images, "_agent", lambda _scratch, _parts: agent)
    target = tmp_path / "images"
    target.mkdir()
    images.build(target, parts)
    archives = {images.archive_name(name) for name in images.NAMES}
    assert {path.name for path in target.iterdir()} == archives | {images.airgap_name()}
    assert sorted(image.name for image in images.small_images(parts)) == sorted(set(images.NAMES) - {images.AGENT})
