"""The command line as its users type it: VyOS documentation, cli; vyos.vyos, plugins/{cliconf,terminal}/vyos.py."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from vyos import shell
from vyos.cli import Cli
from vyos.testing import Make, Router

FAILED = (r"\n\s*Invalid command:", r"\nCommit failed", r"\n\s+Set failed", r"\n\s+Delete failed")  # terminal/vyos.py
PROMPTS = (r"[\r\n]?[\w+\-\.:\/\[\]]+(?:\([^\)]+\)){,3}(?:>|#) ?$", r"\@[\w\-\.]+:\S+?[>#\$] ?$")


@pytest.fixture
def cli(router: Router) -> Cli:
    return Cli(router.device)


def typed(cli: Cli, *lines: str) -> list[str]:
    return [cli.line(line).output for line in lines]


def test_prompts_are_those_that_ansible_looks_for(cli: Cli) -> None:
    assert cli.prompt == "vyos@vyos1:~$ "
    assert cli.line("configure").prompt == "[edit]\nvyos@vyos1# "
    assert cli.line("edit policy route-map CLIENT-IN").prompt == "[edit policy route-map CLIENT-IN]\nvyos@vyos1# "
    typed(cli, "up")
    assert cli.prompt.startswith("[edit policy]\n")
    assert cli.line("exit").prompt == "[edit]\nvyos@vyos1# "
    assert cli.line("exit").output == "exit\n"
    for prompt in ("vyos@vyos1:~$ ", "[edit]\nvyos@vyos1# "):
        assert any(re.search(pattern, prompt) for pattern in PROMPTS)
    assert cli.line("exit").bye


def test_a_change_from_typing_to_saving(router: Router, cli: Cli) -> None:
    typed(cli, "configure", "set system domain-name 'example.org'")
    assert cli.line("compare").output == "[system]\n+ domain-name example.org\n"
    assert not router.exists("system", "domain-name")
    assert cli.line("commit").output == ""
    assert router.exists("system", "domain-name")
    assert cli.line("save").output == "Saving configuration to '/config/config.boot'...\nDone\n"
    assert "domain-name example.org" in router.device.boot_file.read_text()
    assert cli.line("commit").output == "  No configuration changes to commit\n"
    assert cli.line("compare").output.startswith("No changes")
    typed(cli, "exit")
    assert "set system domain-name 'example.org'\n" in cli.line("show configuration commands").output


@pytest.mark.parametrize("line", ["set nonsense", "delete nonsense", "nonsense", "run show nonsense",
                                  "set policy prefix-list A rule 0"])
def test_what_fails_is_seen_as_failed(cli: Cli, line: str) -> None:
    typed(cli, "configure")
    output = f"{line}\n{cli.line(line).output}"  # behind the echo of what was typed
    assert any(re.search(pattern, output) for pattern in FAILED), output


def test_a_refused_commit_keeps_the_changes_for_the_user(cli: Cli) -> None:
    typed(cli, "configure", "set policy prefix-list A rule 10 action permit")
    assert "\nCommit failed" in cli.line("commit").output
    assert cli.line("exit").output.startswith("Cannot exit: configuration modified.")
    assert cli.line("discard").output == "  Changes have been discarded\n"
    assert cli.line("exit").output == "exit\n"


def test_each_login_has_changes_of_its_own(router: Router, cli: Cli) -> None:
    other = Cli(router.device)
    typed(cli, "configure", "set system domain-name a.example")
    typed(other, "configure", "set system time-zone UTC", "commit")
    assert "time-zone" not in cli.line("compare").output
    typed(cli, "commit")
    assert router.exists("system", "domain-name", "a.example")
    assert router.exists("system", "time-zone", "UTC")


def test_commit_confirm_asks_first(make: Make) -> None:
    router = make("1.4")
    cli = Cli(router.device)
    typed(cli, "configure", "set system domain-name example.org")
    asked = cli.line("commit-confirm 2")
    assert "automatically reboot in 2 minutes" in asked.output
    assert asked.prompt == "Proceed ? [Y/n] "
    assert cli.line("n").output == "Canceled\n"
    typed(cli, "commit-confirm 2")
    assert cli.line("y").output.startswith("Initialized commit-confirm; 2 minutes to confirm before reboot")
    assert router.device.pending
    assert cli.line("confirm").output == "Reboot timer stopped\n"
    assert router.exists("system", "domain-name", "example.org")


def test_rollback(router: Router, cli: Cli) -> None:
    typed(cli, "configure", "set system domain-name example.org", "commit", "rollback 1", "y")
    assert not router.exists("system", "domain-name")
    assert "by vyos via cli" in cli.line("run show system commit").output


def test_show_in_configuration_mode(cli: Cli) -> None:
    typed(cli, "configure")
    assert cli.line("show system").output == " host-name vyos1\n"
    assert "set system host-name 'vyos1'\n" in cli.line("show | commands").output
    assert cli.line("show policy prefix-list").output == "Configuration under specified path is empty\n"
    assert cli.line("run show version | match Version").output.startswith("Version: ")


def test_over_the_socket(router: Router, tmp_path: Path) -> None:
    server = shell.serve(router.device, tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(tmp_path / "socket"))
        stream = link.makefile("rw")
        stream.write('{"user": "vyos"}\n{"line": "show host name"}\n')
        stream.flush()
        assert "vyos@vyos1:~$ " in stream.readline()
        assert '"output": "vyos1\\n"' in stream.readline()
    server.shutdown()
    server.server_close()
