"""A chart repository on the file server, archives of Cilium's images, and an agent whose containerd has no images."""

from __future__ import annotations

import shutil
import sys

from meshlab import artifacts
from meshlab.artifacts import gobuild, images
from meshlab.artifacts.cilium import MODULE
from meshlab.artifacts.process import run
from meshlab.lab import Lab

lab = Lab.open()
parts = artifacts.ensure(["images", "helm"])
state = lab.paths.root / "state"

run([parts["helm"] / "helm", "repo", "index", lab.paths.files / "charts"])

(state / "images").mkdir(parents=True, exist_ok=True)
for image in (images.AGENT, images.OPERATOR):
    archive = images.archive_name(image)
    run(["zstd", "-q", "-f", "-1", "-T0", parts["images"] / archive, "-o", state / "images" / f"{archive}.zst"])

# The version that this Cilium is built with.
crds = gobuild.source(MODULE, "sigs.k8s.io/gateway-api") / "config/crd/standard"
for file in crds.glob("gateway.*.yaml"):
    gobuild.copy(file, state / "gateway-api" / file.name)

agent = lab.hosts["agent1"]
if agent.run(["test", "-e", "/usr/local/bin/k3s"], check=False).returncode == 0:
    sys.exit("agent1 has k3s already: this scenario starts from a new lab (molecule destroy)")
shutil.rmtree(agent.data / "rancher/k3s/agent/containerd")
