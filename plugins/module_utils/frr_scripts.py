# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said to a router's shell: POSIX sh, no Python, secrets only on standard input. Pure.

A change that is to be confirmed lies in a directory of its own. Whoever renames that first, the timer or the
confirmation, has decided; the other one finds nothing. It is in /run: a router that starts anew does so with its
configuration file, which has not been written yet.
"""

from __future__ import annotations

import shlex

STATE = "/run/meshwright-bgp"
_PATHS = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin; "

RUNNING = _PATHS + "vtysh -c 'show running-config no-header'"
SUMMARY = _PATHS + "vtysh -c 'show bgp summary json'"


def read_file(path: str) -> str:
    """The file's text; 3 where there is none, 4 where each daemon has its own instead."""
    own = shlex.quote(path.rpartition("/")[0] + "/bgpd.conf")
    name = shlex.quote(path)
    return f"[ -e {name} ] || {{ [ -s {own} ] && exit 4; exit 3; }}; cat {name}"


def _received(text: str, where: str) -> str:
    """Standard input into a file, and proof that all of it came: a connection that breaks must not shorten it."""
    size = len(text.encode())
    return (
        f"head -c {size} > {where}; "
        f"[ \"$(wc -c < {where})\" -eq {size} ] || {{ echo 'the connection lost a part of the text' >&2; exit 9; }}; "
    )


def write_file(path: str, text: str) -> str:
    """Replaced in one step; mode and owner stay, those of a new file are what FRR's packages give."""
    return (
        f"set -e; umask 077; f={shlex.quote(path)}; [ ! -L \"$f\" ] || f=$(readlink -f \"$f\"); n=$f.meshwright; "
        'if [ -e "$f" ]; then cp -p "$f" "$n"; else : > "$n"; chmod 0640 "$n"; chown frr:frr "$n"; fi; '
        + _received(text, '"$n"') + 'mv "$n" "$f"'
    )


def _in_scratch(text: str, command: str) -> str:
    """The text in a file that daemons of user frr can read, in a directory that is gone afterwards."""
    return (
        f"{_PATHS}umask 027; d=$(mktemp -d {STATE}-check.XXXXXX) || exit 9; trap 'rm -rf \"$d\"' EXIT; "
        + _received(text, '"$d/text"')
        + 'chgrp -R frr "$d" && chmod 0750 "$d" && chmod 0640 "$d/text" || exit 9; ' + command
    )


def check_vtysh(text: str) -> str:
    return _in_scratch(text, 'vtysh -C -f "$d/text" 2>&1')


def check_bgpd(text: str) -> str:
    """8 says that this router has no bgpd to be asked."""
    places = "/usr/lib/frr/bgpd /usr/libexec/frr/bgpd /usr/lib*/frr/bgpd"
    return _in_scratch(text, (
        f"b=$(command -v bgpd || ls {places} 2>/dev/null | head -n 1); "
        '[ -n "$b" ] || exit 8; "$b" -C -f "$d/text" 2>&1'
    ))  # fmt: skip


def apply(text: str) -> str:
    return (
        f"{_PATHS}umask 077; t=$(mktemp {STATE}-apply.XXXXXX) || exit 9; trap 'rm -f \"$t\"' EXIT; "
        + _received(text, '"$t"') + 'vtysh -f "$t" 2>&1'
    )


def start(address: str) -> str:
    """A session that its limit of prefixes ended is tried again at once."""
    return f"{_PATHS}vtysh -c {shlex.quote(f'clear bgp {address}')}"


def directory(owner: str, token: str) -> str:
    return f"{STATE}/{owner}/pending-{token}"


def find_pending(owner: str) -> str:
    """The token, then what was there before; nothing where no change waits."""
    return (
        f"for d in {STATE}/{shlex.quote(owner)}/pending-*; do [ -f \"$d/armed\" ] || continue; "
        'echo "${d##*pending-}"; cat "$d/former"; exit 0; done'
    )


def put(owner: str, token: str, name: str, text: str) -> str:
    where = directory(owner, token)
    return f"set -e; umask 077; mkdir -p {where}; " + _received(text, f"{where}/{name}")


def arm(owner: str, token: str, seconds: int) -> str:
    """By systemd where it runs; else by a shell of its own that sleeps."""
    where, unit = directory(owner, token), f"meshwright-bgp-{token}"
    return (
        f"{_PATHS}: > {where}/armed; "
        "if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then "
        f"systemd-run --quiet --collect --unit={unit} --on-active={seconds} --timer-property=AccuracySec=100ms "
        f"/bin/sh {where}/revert.sh; "
        "else s=; command -v setsid >/dev/null && s=setsid; "
        f"nohup $s /bin/sh -c 'sleep {seconds}; exec /bin/sh {where}/revert.sh' </dev/null >/dev/null 2>&1 & fi"
    )


def revert(owner: str, token: str) -> str:
    """What the timer runs. The shell keeps its script open while the directory is renamed."""
    where, taken = directory(owner, token), f"{STATE}/{owner}/taken-{token}"
    return (
        "#!/bin/sh\n# The change was not confirmed in time: the former configuration comes back.\n"
        f"{_PATHS}\nmv {where} {taken} 2>/dev/null || exit 0\n"
        f"vtysh -f {taken}/revert.conf > {STATE}/{owner}/reverted.log 2>&1\nrm -rf {taken}\n"
    )


def claim(owner: str, token: str) -> str:
    """Takes the change from its timer; fails where the timer was first."""
    where, taken = directory(owner, token), f"{STATE}/{owner}/confirmed-{token}"
    return (
        f"{_PATHS}mv {where} {taken} || exit 7; rm -rf {taken}; "
        f"if [ -d /run/systemd/system ]; then systemctl stop meshwright-bgp-{token}.timer 2>/dev/null; fi; exit 0"
    )
