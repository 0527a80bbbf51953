"""The lab from the command line: `python3 -m meshlab COMMAND`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence

from meshlab import inventory
from meshlab.cache import say
from meshlab.errors import LabError
from meshlab.lab import Lab
from meshlab.state import Paths, prefix_from_environment


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except LabError as error:
        say(f"meshlab: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="meshlab", description="The lab: MESHLAB_PREFIX says which one.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text)
        sub.set_defaults(command=command)
        return sub

    add("artifacts", _artifacts, "build what is missing in the cache")
    add("up", _up, "make the lab, or what is missing of it").add_argument("--topology")
    add("down", _down, "remove the lab; artifacts stay")
    add("status", _status, "hosts, addresses, states, and what is wrong")
    add("inventory", _inventory, "print the lab as an Ansible inventory")
    add("ssh-config", _ssh_config, "print the path of an ssh_config for the hosts")
    add("kubeconfig", _kubeconfig, "print the path of the kubeconfig")
    add("cluster", _cluster, "what the cluster says of itself: nodes, voters, Cilium's agents")
    execute = add("exec", _exec, "run a command on a host: exec HOST -- COMMAND …")
    execute.add_argument("host")
    execute.add_argument("words", nargs=argparse.REMAINDER)
    return parser


def _artifacts(_options: argparse.Namespace) -> int:
    from meshlab import artifacts

    for name, path in artifacts.ensure(None, say).items():
        print(f"{name}\t{path}")
    return 0


def _up(options: argparse.Namespace) -> int:
    Lab.open(topology=options.topology).up()
    return 0


def _down(_options: argparse.Namespace) -> int:
    Lab.open().down()
    return 0


def _status(_options: argparse.Namespace) -> int:
    lab = Lab.open()
    status = lab.status()
    for hostname, entry in status.items():
        print(f"{hostname}\t{entry['ip']}\t{entry['state']}")
    if any(entry["state"] != "running" for entry in status.values()):
        return 1
    problems = lab.problems()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _cluster(_options: argparse.Namespace) -> int:
    # Needs the kubernetes library, which the inventory must do without.
    from meshlab.cluster import Cluster, problems

    lab = Lab.open()
    wanted = {name: host.role for name, host in lab.hosts.items() if host.role in ("server", "agent")}
    found = problems(Cluster(lab.paths.kubeconfig), wanted)
    for line in found:
        print(line)
    if not found:
        servers = sum(role == "server" for role in wanted.values())
        print(f"{len(wanted)} nodes Ready, {servers} etcd voters, Cilium Ok on {len(wanted)} nodes")
    return 1 if found else 0


def _inventory(_options: argparse.Namespace) -> int:
    path = Paths(prefix_from_environment()).inventory
    known = json.loads(path.read_text()) if path.exists() else inventory.empty()
    left_out = os.environ.get("MESHLAB_WITHOUT", "").split(",")
    print(json.dumps(inventory.without(known, left_out), indent=2))
    return 0


def _ssh_config(_options: argparse.Namespace) -> int:
    return _print_path(Paths(prefix_from_environment()).ssh_config)


def _kubeconfig(_options: argparse.Namespace) -> int:
    return _print_path(Paths(prefix_from_environment()).kubeconfig)


def _print_path(path: object) -> int:
    print(path)
    return 0


def _exec(options: argparse.Namespace) -> int:
    lab = Lab.open()
    if options.host not in lab.hosts:
        raise LabError(f"lab {lab.prefix} has no host {options.host}; it has {', '.join(lab.hosts)}")
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    done = lab.hosts[options.host].run(words, timeout=None, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
