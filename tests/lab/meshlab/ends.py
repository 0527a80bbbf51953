"""Both ends of BGP in a lab, for tests that do something to them: how they are, what a run may say, what goes wrong."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client, config

from meshlab import frr, podman
from meshlab.host import Host
from meshlab.lab import Lab
from meshlab.playbook import ROOT, Run, run_playbook

INVENTORY = ROOT / "inventories" / "lab"
BGP = "playbooks/bgp.yml"
# A router by its command line instead of its HTTP API, as the user that VyOS has.
COMMAND_LINE = {
    "bgp_vyos_transport": "network_cli",
    "ansible_connection": "ansible.netcommon.network_cli",
    "ansible_network_os": "vyos.vyos.vyos",
    "ansible_user": "vyos",
    # The lab's known_hosts is a file of its own, which paramiko does not read.
    "ansible_paramiko_host_key_checking": False,
}
# Cilium's objects that the roles make, all without a namespace.
KINDS = (
    ("v2", "ciliumbgpclusterconfigs"), ("v2", "ciliumbgppeerconfigs"), ("v2", "ciliumbgpadvertisements"),
    ("v2", "ciliumbgpnodeconfigoverrides"), ("v2", "ciliumloadbalancerippools"),
    ("v2alpha1", "ciliuml2announcementpolicies"),
)  # fmt: skip


class Ends:
    """The routers and the cluster of a lab of one family."""

    def __init__(self, lab: Lab, family: str = "ipv4") -> None:
        self.lab, self.family = lab, family
        self.nodes = {name: host for name, host in lab.hosts.items() if host.role in ("server", "agent")}
        self._secrets = sorted(_secrets(lab))

    # -- runs

    def play(self, *args: str, playbook: str = BGP, **options: Any) -> Run:
        """Run a playbook, as talkative as it gets, and see that it says no secret."""
        run = run_playbook(INVENTORY, playbook, "--diff", "-v", *args, **options)
        shown = [line[:60] for line in run.output.splitlines() if any(secret in line for secret in self._secrets)]
        assert shown == [], f"{len(shown)} lines of the output show a secret"
        return run

    def router(self, name: str, variables: dict[str, object] | None = None, *args: str, **options: Any) -> Run:
        """The part of the playbook that is about one router, with variables that the inventory does not have."""
        return self.play("--tags", "bgp_routers", "--limit", name, *extra(variables), *args, **options)

    # -- how they are

    def established(self, seconds: float = 120, without: Sequence[str] = ()) -> float:
        """Wait for all sessions, as each router sees them; how long that took."""
        begin = time.monotonic()
        wanted = {host.ip for host in self.nodes.values()}
        for name, router in self.lab.routers.items():
            if name not in without:
                frr.wait_established(router, self.family, wanted, seconds)
        return time.monotonic() - begin

    def state(self) -> dict[str, str]:
        """Configuration of both ends, without what counts by itself."""
        found = {}
        for name, router in self.lab.routers.items():
            found[name] = frr.configuration(router)
            path = {"unifi": "/var/lib/meshlab/unifi/bgp.json", "vyos": "/var/lib/meshlab/vyos/config.boot"}.get(
                router.role, "/etc/frr/frr.conf"
            )
            found[f"{name} {path}"] = "\n".join(sorted(router.run(["cat", path], check=False).stdout.splitlines()))
        if not self.lab.paths.kubeconfig.exists():
            return found
        custom = client.CustomObjectsApi(config.new_client_from_config(str(self.lab.paths.kubeconfig)))
        for version, plural in KINDS:
            for item in custom.list_cluster_custom_object("cilium.io", version, plural)["items"]:
                found[f"{plural} {item['metadata']['name']}"] = json.dumps(item["spec"], sort_keys=True)
        return found

    def drops(self, router: str, neighbor: str) -> int:
        """How often this session has ended."""
        return int(frr.peers(self.lab.routers[router], self.family)[neighbor].get("connectionsDropped", 0))


def by_command_line(directory: Path, router: str) -> tuple[str, ...]:
    """Words of a run that reach this VyOS router so; all else stays as the lab's inventory says."""
    file = directory / "command_line.yml"
    file.write_text(json.dumps({"vyos": {"hosts": {router: COMMAND_LINE}}}))
    return ("-i", str(file))


def configure(lab: Lab, router: Host, op: str, path: Sequence[str]) -> None:
    """What somebody does at a VyOS router's own console, or by its API. Saved, as people do."""
    key = json.loads((lab.paths.root / "secrets.json").read_text())["meshlab_vyos_key"]
    for endpoint, data in (("configure", {"op": op, "path": list(path)}), ("config-file", {"op": "save"})):
        form = ["-F", f"data={json.dumps(data)}", "-F", f"key={key}"]
        answer = router.run(["curl", "-ksS", *form, f"https://localhost/{endpoint}"]).stdout
        assert json.loads(answer)["success"], answer


def extra(variables: dict[str, object] | None) -> tuple[str, ...]:
    return ("--extra-vars", json.dumps(variables)) if variables else ()


def _secrets(lab: Lab) -> set[str]:
    """Everything that the lab drew: tokens, keys, and each router's password."""
    known = json.loads(lab.paths.inventory.read_text())
    passwords = {host["bgp_router_password"] for host in known["_meta"]["hostvars"].values()
                 if "bgp_router_password" in host}  # fmt: skip
    return passwords | set(json.loads((lab.paths.root / "secrets.json").read_text()).values())


# -- what goes wrong


@contextlib.contextmanager
def faults(router: Host, what: object) -> Iterator[None]:
    """The stand-in of this router's API fails as its README says; not any more afterwards."""
    path = f"/var/lib/meshlab/{router.role}/faults.json"
    router.put_text(json.dumps(what), path, 0o600)
    try:
        yield
    finally:
        router.run(["rm", "-f", path])


def lose(host: Host) -> float:
    """Power off, and when that was. It falls silent first: a killed process's connections are ended by its kernel,
    which here lives on."""
    begin = time.monotonic()
    host.run(["ip", "link", "set", host.ports[0].interface, "down"])
    host.kill()
    return begin


class Cut:
    """The way between a router and the controller, which `cut` ends; its sessions with nodes stay."""

    def __init__(self, lab: Lab, router: Host) -> None:
        self.router = router
        self.route = ["blackhole", f"{lab.inside.address('ipv4', 1)}/32"]

    def cut(self) -> None:
        self.router.run(["ip", "route", "replace", *self.route])

    def mend(self) -> None:
        self.router.run(["ip", "route", "del", *self.route], check=False)


def wait(condition: Callable[[], bool], what: str, seconds: float, every: float = 0.3) -> float:
    """Wait until it holds; how long that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"after {seconds:.0f} s not yet: {what}"
        time.sleep(every)
    return time.monotonic() - begin


class Rogue:
    """`with Rogue(host, router, password, asn, prefixes) as rogue: …`: rogue.py on a host of the lab."""

    PROGRAM, REMOTE = Path(__file__).with_name("rogue.py"), "/run/meshlab-rogue.py"

    def __init__(self, host: Host, router: Host, password: str, asn: int, prefixes: Sequence[str]) -> None:
        self.host, self.password = host, password
        self.words = [router.ip, host.ip, str(asn), *prefixes]

    def __enter__(self) -> Rogue:
        self.host.put(self.PROGRAM, self.REMOTE)
        command = ["podman", "exec", "--interactive", self.host.name, "python3", self.REMOTE, *self.words]
        self._output = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._output, env=podman.environment(), text=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self.password}\n")
        self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)  # which ends its standard input
        self._output.close()

    def told(self) -> list[dict[str, Any]]:
        self._output.seek(0)
        return [json.loads(line) for line in self._output.read().splitlines() if line.endswith("}")]

    def wait_for(self, what: str, seconds: float = 30) -> dict[str, Any]:
        wait(lambda: any(item["what"] == what for item in self.told()), f"{what}; so far {self.told()}", seconds)
        return next(item for item in self.told() if item["what"] == what)
