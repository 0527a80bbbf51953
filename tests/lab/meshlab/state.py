"""What a lab remembers between two commands, below the cache directory."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from meshlab.cache import cache_dir
from meshlab.errors import LabError

POOL = ipaddress.IPv4Network("10.117.0.0/16")
DEFAULT_PREFIX = "mw"
DEFAULT_TOPOLOGY = "default"


@dataclass(frozen=True)
class Record:
    """What was decided when the lab was made."""

    topology: str
    subnet: str
    images: dict[str, str]  # podman's name of each kind of image that the lab's hosts are made from


@dataclass(frozen=True)
class Paths:
    prefix: str

    @property
    def root(self) -> Path:
        return labs_dir() / self.prefix

    @property
    def record(self) -> Path:
        return self.root / "lab.json"

    @property
    def etc(self) -> Path:
        """Mounted into every host as /etc/meshlab."""
        return self.root / "etc"

    @property
    def files(self) -> Path:
        """What the files host serves."""
        return self.root / "files"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def ssh_key(self) -> Path:
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.root / "ssh_config"

    @property
    def inventory(self) -> Path:
        return self.root / "inventory.json"

    @property
    def control_sockets(self) -> Path:
        return self.root / "cp"

    def host_etc(self, name: str) -> Path:
        """What of /etc/meshlab is about one host."""
        return self.etc / name

    def host(self, name: str) -> Path:
        return self.root / "hosts" / name


def labs_dir() -> Path:
    return cache_dir() / "labs"


def prefix_from_environment() -> str:
    prefix = os.environ.get("MESHLAB_PREFIX") or DEFAULT_PREFIX
    if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", prefix):
        raise LabError(f"MESHLAB_PREFIX is {prefix!r}: wanted a letter, then at most 11 lower-case letters and digits")
    if re.fullmatch(r"[0-9a-f]+", prefix):  # podman takes the beginning of a network's id for its name
        raise LabError(f"MESHLAB_PREFIX is {prefix!r}: wanted a letter from g on, so that it is no number")
    return prefix


def read(paths: Paths) -> Record | None:
    try:
        content = json.loads(paths.record.read_text())
    except FileNotFoundError:
        return None
    return Record(content["topology"], content["subnet"], content.get("images", {}))


def write(paths: Paths, record: Record) -> None:
    paths.root.mkdir(parents=True, exist_ok=True)
    write_if_changed(paths.record, json.dumps(asdict(record), indent=2) + "\n")


def write_if_changed(path: Path, text: str, mode: int = 0o644) -> None:
    """Leave the file alone, with its time, if it has this content."""
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.touch(mode=mode)
    scratch.chmod(mode)
    scratch.write_text(text)
    scratch.replace(path)


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One command at a time for one lab (or, for `_subnets`, for all of them)."""
    labs_dir().mkdir(parents=True, exist_ok=True)
    with (labs_dir() / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def choose_subnet(prefix: str, wanted: str | None, taken: set[str]) -> str:
    """The prefix decides; the next free one is taken if another lab has it."""
    if wanted:
        subnet = ipaddress.IPv4Network(wanted)
        if subnet.prefixlen != 24:
            raise LabError(f"MESHLAB_SUBNET is {wanted}: wanted a /24")
        return str(subnet)
    subnets = [str(subnet) for subnet in POOL.subnets(new_prefix=24)]
    first = int.from_bytes(hashlib.sha256(prefix.encode()).digest()[:2]) % len(subnets)
    for subnet_text in subnets[first:] + subnets[:first]:
        if subnet_text not in taken:
            return subnet_text
    raise LabError(f"no /24 of {POOL} is free: remove a lab by `make down` with its MESHLAB_PREFIX")


def subnets_of_other_labs(prefix: str) -> set[str]:
    others = (Paths(path.parent.name) for path in labs_dir().glob("*/lab.json"))
    return {record.subnet for paths in others if paths.prefix != prefix and (record := read(paths))}
