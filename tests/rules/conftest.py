from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from meshlab import hostimage, podman
from meshlab.lab import IMAGE
from meshlab.playbook import ROOT


@pytest.fixture(scope="session")
def box() -> Iterator[str]:
    """A container of the lab's node image with a network of its own, and nothing that runs in it."""
    name = f"{os.environ.get('MESHLAB_PREFIX', 'rules')}-rules"
    archive = hostimage.ensure(hostimage.IMAGES["node"], print)
    image = f"{IMAGE.format(kind='node')}:{archive.name}"
    if not podman.image_exists(image):
        podman.run(["import", "--quiet", str(archive / hostimage.ARCHIVE), image], timeout=600)
    podman.run(["rm", "--force", "--ignore", name])
    inside = "/run/collections/ansible_collections/meshwright/k3s_cilium/plugins"
    options = ["--network", "none", "--cap-add", "NET_ADMIN", "--volume", f"{ROOT / 'plugins'}:{inside}:ro"]
    podman.run(["run", "--detach", "--rm", "--name", name, *options, "--entrypoint", "sleep", image, "600"])
    yield name
    podman.run(["rm", "--force", "--time", "0", name])
