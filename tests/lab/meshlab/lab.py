"""A lab: hosts on a network of their own, made and removed as a whole."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from meshlab import dns, hostimage, inventory, machine, network, podman, release, routers, ssh, state, topology
from meshlab.cache import Log, say
from meshlab.errors import LabError
from meshlab.host import Host
from meshlab.state import Paths, Record
from meshlab.topology import load

IMAGE = "localhost/meshlab-{kind}"
T = TypeVar("T")
ARTIFACTS = ["k3s", "cilium-chart", "helm", "images", "containerd-root"]


class Lab:
    """`Lab.open(...)` reads, or proposes; only `up` and `down` change anything."""

    def __init__(self, paths: Paths, shape: topology.Topology, subnet: str, log: Log = say) -> None:
        self.paths = paths
        self.topology = shape
        self.subnet = ipaddress.IPv4Network(subnet)
        self.log = log
        self.inside = network.inside(paths.prefix, self.subnet, shape.families)
        self.outside = network.outside(paths.prefix, self.subnet, shape.families)
        self.hosts: dict[str, Host] = {spec.name: self._host(spec) for spec in shape.hosts}

    @classmethod
    def open(cls, prefix: str | None = None, topology: str | None = None, log: Log = say) -> Lab:
        """The lab with this prefix as it is, or as `up` would make it."""
        paths = Paths(prefix or state.prefix_from_environment())
        record = state.read(paths)
        wanted = topology or os.environ.get("MESHLAB_TOPOLOGY")
        if record is None:
            record = _proposal(paths, wanted or state.DEFAULT_TOPOLOGY)
        elif wanted and wanted != record.topology:
            raise LabError(
                f"lab {paths.prefix}: it was made with topology {record.topology}, asked for is {wanted}: "
                f"take it down first, or use another MESHLAB_PREFIX"
            )
        return cls(paths, load(record.topology), record.subnet, log)

    @property
    def prefix(self) -> str:
        return self.paths.prefix

    @property
    def bare(self) -> bool:
        """For work on the lab itself: artifacts that are not in the cache are left out instead of built."""
        return os.environ.get("MESHLAB_BARE") == "1"

    @property
    def networks(self) -> list[network.Network]:
        return [self.inside, self.outside] if self.topology.routers else [self.inside]

    @property
    def routers(self) -> dict[str, Host]:
        return {name: host for name, host in self.hosts.items() if host.is_router}

    def _host(self, spec: topology.HostSpec) -> Host:
        sides = [self.outside] if spec.role == "client" else [self.inside]
        if spec.role in topology.ROUTERS:
            sides.append(self.outside)
        return Host(
            prefix=self.prefix,
            hostname=spec.name,
            role=spec.role,
            ports=tuple(side.port(f"eth{index}", spec.address) for index, side in enumerate(sides)),
            gateways=self._gateways(spec),
            data=self.paths.host(spec.name),
            seed=_seed,
        )

    def _gateways(self, spec: topology.HostSpec) -> tuple[str, ...] | None:
        """Nodes leave by the first router; without any, by the machine, as podman has it."""
        if not self.topology.routers:
            return None
        behind = spec.role in topology.ROUTERS or spec.role == "client"
        return () if behind else self.inside.addresses(self.topology.routers[0].address)

    # -- up

    def up(self) -> Lab:
        """Make what is missing, start what is stopped, leave the rest alone."""
        machine.require()
        begin = time.monotonic()
        with state.lock(self.prefix):
            record = self._settle()
            machine.switch_bridge_filters_off()
            machine.raise_watch_limit()
            self._write_configuration()
            artifacts = self._artifacts()
            placed = release.place(self.paths.files, artifacts) if artifacts.keys() >= release.NEEDS else None
            states = podman.containers(self.prefix)
            if missing := [host for host in self.hosts.values() if host.name not in states]:
                self._create(missing, record.images, seeded="containerd-root" in artifacts)
            stopped = [host for host in self.hosts.values() if states.get(host.name) != "running"]
            self._each(stopped, Host.start)
            self._write_inventory(placed)
            self._check()
        seconds = time.monotonic() - begin
        self.log(f"[lab {self.prefix}] {len(self.hosts)} hosts run, {len(stopped)} of them started, {seconds:.1f} s")
        return self

    def _settle(self) -> Record:
        """Decide subnet and image once, and write it down before the first change."""
        with state.lock("_subnets"):
            record = state.read(self.paths)
            if record is None:
                record = _proposal(self.paths, self.topology.name)
            if record.subnet != str(self.subnet):
                raise LabError(f"lab {self.prefix}: another lab has just taken {self.subnet}: try again")
            if missing := {host.image for host in self.hosts.values()} - record.images.keys():
                record = Record(record.topology, record.subnet, record.images | self._built(missing))
                state.write(self.paths, record)
        return record

    def _built(self, kinds: Iterable[str]) -> dict[str, str]:
        """Podman's names of these kinds of image, which are built at once if they are not in the cache."""
        kinds = list(kinds)
        with ThreadPoolExecutor() as pool:
            directories = list(pool.map(lambda kind: hostimage.ensure(hostimage.IMAGES[kind], self.log), kinds))
        names = (f"{IMAGE.format(kind=kind)}:{path.name}" for kind, path in zip(kinds, directories, strict=True))
        return dict(zip(kinds, names, strict=True))

    def _write_configuration(self) -> None:
        ssh.prepare_keys(self.paths, self.networks)
        for directory in (self.paths.control_sockets, self.paths.files):
            directory.mkdir(parents=True, exist_ok=True)
        state.write_if_changed(self.paths.etc / "dnsmasq.conf", dns.dnsmasq_conf(self.hosts.values()))
        state.write_if_changed(self.paths.ssh_config, ssh.config(self.paths, self.hosts.values()))
        versions = {spec.name: spec.version for spec in self.topology.hosts}
        secrets = inventory.secrets_of(self.paths)
        routers.write(self.paths, self.hosts.values(), self.inside, versions, secrets)

    def _artifacts(self) -> dict[str, Path]:
        from meshlab import artifacts

        if not any(spec.role in topology.NODES for spec in self.topology.hosts):
            return {}
        names = [name for name in ARTIFACTS if not (self.bare and artifacts.missing([name]))]
        return artifacts.ensure(names, self.log) if names else {}

    def _write_inventory(self, placed: release.Release | None) -> None:
        data = inventory.build(self.paths, self.topology, self.hosts.values(), placed)
        state.write_if_changed(self.paths.inventory, json.dumps(data, indent=2) + "\n", 0o600)

    def _create(self, hosts: list[Host], images: dict[str, str], seeded: bool) -> None:
        for kind in sorted({host.image for host in hosts}):
            self._import_image(kind, images[kind])
        self._make_networks()
        for host in hosts:
            host.prepare()
            if seeded and host.role in topology.NODES:
                host.seed_images()
        self._each(hosts, lambda host: podman.run(["create", *self._create_options(host), images[host.image]]))

    def _import_image(self, kind: str, image: str) -> None:
        with state.lock("_image"):
            if podman.image_exists(image):
                return
            directory = hostimage.ensure(hostimage.IMAGES[kind], self.log)
            if image != f"{IMAGE.format(kind=kind)}:{directory.name}":
                raise LabError(f"lab {self.prefix}: its {kind} image {image} is gone: take the lab down and up again")
            archive = str(directory / hostimage.ARCHIVE)
            podman.run(["import", "--quiet", "--change", f'CMD ["{hostimage.INIT}"]', archive, image], timeout=600)

    def _make_networks(self) -> None:
        for side in self.networks:
            if not podman.network_exists(side.name):
                options = side.create_options(closed=bool(self.topology.routers))
                podman.run(["network", "create", "--label", f"meshlab={self.prefix}", *options, side.name])

    def _create_options(self, host: Host) -> list[str]:
        files = self.topology.files_host
        resolver = self.inside.addresses(files.address if files else 1)[0]
        options = ["--name", host.name, "--hostname", host.hostname, "--label", f"meshlab={self.prefix}"]
        options += ["--systemd=always", "--privileged", "--cgroupns=private"]
        for port in host.ports:
            options += ["--network", port.option]
        options += ["--dns", resolver, "--dns-search", dns.DOMAIN, "--dns-option=timeout:1", "--dns-option=attempts:2"]
        for other in self.hosts.values():
            if other is not host:
                options += [f"--add-host={other.hostname}:{address}" for address in other.ports[0].addresses]
        for directory, mount_point in host.volumes.items():
            options += ["--volume", f"{directory}:{mount_point}"]
        options += ["--volume", f"{self.paths.etc}:/etc/meshlab:ro"]
        if host.role == "files":
            options += ["--volume", f"{self.paths.files}:/srv/files:ro"]
        if host.standin is not None:
            options += ["--volume", f"{host.standin}:/usr/local/lib/meshlab/{host.role}:ro"]
        return options

    def _check(self) -> None:
        found = self.problems()
        if found:
            raise LabError(f"lab {self.prefix}: " + "; ".join(found))

    def problems(self) -> list[str]:
        """What is not as a lab must be, one sentence each; asked of the things themselves."""
        found = [f"this machine: {path.name} is on" for path in machine.bridge_filters_on()]
        found += machine.shared_groups(podman.main_processes([host.name for host in self.hosts.values()]))
        return found + [line for lines in self._each(self.hosts.values(), Host.problems) for line in lines]

    # -- down

    def down(self) -> None:
        """Remove hosts, network, groups and state; the artifacts stay."""
        with state.lock(self.prefix):
            self._end_ssh_connections()
            names = list(podman.containers(self.prefix))
            if names:
                podman.run(["rm", "--force", "--time", "0", *names])
            for side in (self.inside, self.outside):
                if podman.network_exists(side.name):
                    podman.run(["network", "rm", side.name])
            subprocess.run(["rm", "-rf", "--one-file-system", str(self.paths.root)], check=True)
        self.log(f"[lab {self.prefix}] removed")

    def _end_ssh_connections(self) -> None:
        """Ansible's connections outlive its runs; a lab made anew at these addresses must not meet them."""
        for socket_path in self.paths.control_sockets.glob("*"):
            command = ["ssh", "-O", "exit", "-o", f"ControlPath={socket_path}", "lab"]
            subprocess.run(command, capture_output=True, check=False)

    def status(self) -> dict[str, Any]:
        states = podman.containers(self.prefix)
        return {
            host.hostname: {"ip": host.ip, "state": states.get(host.name, "absent")} for host in self.hosts.values()
        }

    def _each(self, hosts: Iterable[Host], action: Callable[[Host], T]) -> list[T]:
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(action, hosts))


def _proposal(paths: Paths, topology_name: str) -> Record:
    taken = state.subnets_of_other_labs(paths.prefix)
    return Record(topology_name, state.choose_subnet(paths.prefix, os.environ.get("MESHLAB_SUBNET"), taken), images={})


def _seed(directory: Path) -> None:
    from meshlab import artifacts

    artifacts.seed_containerd(directory)
