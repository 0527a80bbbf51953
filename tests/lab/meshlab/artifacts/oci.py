"""Container images as OCI archives, written so that the same files give the same bytes (OCI image spec 1.1)."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

EPOCH = "1970-01-01T00:00:00Z"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Entry:
    """One path of a layer: a file (from a path or bytes), a symbolic link, or a directory if it has neither."""

    path: str
    content: Path | bytes | None = None
    link: str | None = None
    mode: int = 0o755


@dataclass(frozen=True)
class Layer:
    """An uncompressed tar on disk, so its digest is its diff id as well."""

    path: Path
    digest: str
    size: int

    @classmethod
    def of(cls, path: Path) -> Layer:
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return cls(path, f"sha256:{digest}", path.stat().st_size)


@dataclass(frozen=True)
class Image:
    """`settings` is the `config` part of the image configuration: Entrypoint, Cmd, Env, User, WorkingDir …"""

    name: str
    layers: Sequence[Layer]
    settings: Mapping[str, object] = field(default_factory=dict)


def architecture() -> str:
    return ARCHITECTURES[platform.machine()]


def write_layer(path: Path, entries: Iterable[Entry]) -> Layer:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry in sorted(entries, key=lambda item: item.path):
            _add(archive, entry)
    return Layer.of(path)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path.strip("/"))
    info.mode = entry.mode
    if entry.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        archive.addfile(info)
    elif entry.content is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(entry.content, bytes):
        info.size = len(entry.content)
        archive.addfile(info, io.BytesIO(entry.content))
    else:
        info.size = entry.content.stat().st_size
        with entry.content.open("rb") as handle:
            archive.addfile(info, handle)


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """An OCI layout in a tar. containerd takes the images' names from the annotation of the index."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, Entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', mode=0o644))
        there: set[str] = set()
        manifests = [_add_image(archive, image, there) for image in images]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        _add(archive, Entry("index.json", _json(index), mode=0o644))


def _add_image(archive: tarfile.TarFile, image: Image, there: set[str]) -> dict[str, object]:
    """Add an image's blobs, each once, and return its descriptor for the index."""
    for layer in image.layers:
        _add_blob(archive, layer.digest, layer.path, there)
    config = _describe(archive, CONFIG, _config(image), there)
    layers = [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in image.layers]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    names = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name}
    target = {"architecture": architecture(), "os": "linux"}
    return {**_describe(archive, MANIFEST, manifest, there), "platform": target, "annotations": names}


def _config(image: Image) -> dict[str, object]:
    return {
        "created": EPOCH,
        "architecture": architecture(),
        "os": "linux",
        "config": dict(image.settings),
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
        "history": [{"created": EPOCH, "created_by": "meshlab"} for _ in image.layers],
    }


def _describe(archive: tarfile.TarFile, kind: str, document: object, there: set[str]) -> dict[str, object]:
    content = _json(document)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add_blob(archive, digest, content, there)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _add_blob(archive: tarfile.TarFile, digest: str, content: Path | bytes, there: set[str]) -> None:
    if digest not in there:
        there.add(digest)
        _add(archive, Entry(f"blobs/{digest.replace(':', '/')}", content, mode=0o644))


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
