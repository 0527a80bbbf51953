"""Image archives made on the spot, in the form in which `docker save` writes them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path


def archive(directory: Path, name: str) -> Path:
    """A tar with one image of one file; the file has the image's name in it, so that no two are the same."""
    layer = _tar({"marker": name.encode()})
    config = json.dumps(
        {
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()  # fmt: skip
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    path = directory / f"{hashlib.sha256(name.encode()).hexdigest()[:8]}.tar"
    path.write_bytes(_tar({config_name: config, "layer.tar": layer, "manifest.json": manifest}))
    return path


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
