# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the one BGP file of a UniFi site. Pure.

The application keeps a single file, which it hands to FRR whole. A file is ours when its name is ours, or when names of
ours are in its text: somebody may have edited it and uploaded it under another name. Any other file is foreign.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import frr_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    FAMILIES,
    LOAD_BALANCER_IPS,
    Bgp,
    Router,
    covering,
    family_of,
    owned_name,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_policy import names
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_unifi import Network, Stored
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

LARGEST = {"description": 128, "file_name": 256}


@dataclass(frozen=True)
class Step:
    """`wanted` is written, or where it is None the file is removed. `why` is empty when nothing is to be done."""

    wanted: Stored | None
    why: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.why)


def file_name(cluster: str) -> str:
    return f"{owned_name(cluster).upper()}.conf"


def is_ours(have: Stored, bgp: Bgp) -> bool:
    groups = "|".join(re.escape(names(bgp, family).group) for family in FAMILIES)
    # A word of its own, as in MW-HOME-IPV4 or MW-HOME-IPV4-IN.
    return have.file_name == file_name(bgp.cluster) or bool(re.search(rf"(?<![\w-])({groups})(?!\w)", have.text))


def present(have: Stored | None, text: str, bgp: Bgp, router: Router, replace_foreign: bool = False) -> Step:
    """A description that somebody gave stays; the file is enabled."""
    if have and have.text.strip() and not is_ours(have, bgp) and not replace_foreign:
        raise MeshwrightError(
            "the gateway's BGP file", host=router.name,
            seen=f"a foreign one ({have.file_name or 'without a name'})", wanted="none, or ours",
            remedy="the gateway takes one file only: remove that one in the application (Settings, Routing, BGP), or "
            "set replace_foreign to replace it",
        )
    described = have.description if have and have.description else f"Cluster {bgp.cluster}, kept by its inventory"
    wanted = Stored(text, file_name(bgp.cluster), described[:LARGEST["description"]], enabled=True)
    return Step(_fitting(wanted, router.name), differences(have, wanted))


def absent(have: Stored | None, bgp: Bgp) -> Step:
    """A foreign file stays."""
    if have is None or not is_ours(have, bgp):
        return Step(have)
    return Step(None, differences(have, None))


def restored(have: Stored | None, former: Stored | None) -> Step:
    return Step(former, differences(have, former))


def differences(have: Stored | None, wanted: Stored | None) -> tuple[str, ...]:
    """In a few words each; a file that is not there and an empty one are the same to FRR, not to the user."""
    if have is None or wanted is None:
        return () if have is wanted else ("there is no file" if have is None else "the file is to go",)
    found = []
    if lines(have.text) != lines(wanted.text):
        found.append("the text differs")
    if have.enabled != wanted.enabled:
        found.append("it is switched off" if not have.enabled else "it is switched on")
    found += [
        f"the {name} differs" for name, one, other in (
            ("file's name", have.file_name, wanted.file_name), ("description", have.description, wanted.description),
        ) if one != other
    ]
    return tuple(found)


def lines(text: str) -> list[str]:
    """What FRR makes something of: not the ends of lines, not empty lines."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def whole(stored: Stored | None) -> str:
    """For the diff, passwords in it."""
    if stored is None:
        return ""
    head = f"! file: {stored.file_name}\n! description: {stored.description}\n! enabled: {stored.enabled}\n"
    return head + "".join(f"{line}\n" for line in lines(stored.text))


def diff(have: Stored | None, step: Step) -> dict[str, str]:
    label = "the gateway's BGP file"
    return {"before_header": label, "after_header": label, **frr_plan.shown(whole(have), whole(step.wanted))}


def pools_without_network(bgp: Bgp, router: Router, networks: t.Iterable[Network]) -> tuple[str, ...]:
    """Prefixes of pools that no network of the gateway covers."""
    if LOAD_BALANCER_IPS not in {item.kind for item in bgp.announced_to(router)}:
        return ()
    there = [ipaddress.ip_network(prefix) for network in networks for prefix in network.prefixes]
    pools = dict.fromkeys(prefix for pool in bgp.pools for prefix in (*pool.cidrs, *covering(pool.ranges)))
    return tuple(
        prefix for prefix in pools
        if family_of(prefix) in router.families and not _covered(ipaddress.ip_network(prefix), there)
    )


def warning(router: Router, missing: t.Sequence[str]) -> str:
    """Named, so that it can be searched for."""
    return (
        f"pool_networks: {router.name} has no network that covers {', '.join(missing)}. The gateway then treats "
        "these addresses as foreign, and traffic to them may be translated or dropped: make a network with that subnet "
        "in the application (Settings, Networks), without DHCP."
    )


# -- as plain data


def as_former(have: Stored | None) -> dict[str, t.Any]:
    """What `restored` is given back. It has passwords in it."""
    return {"stored": None if have is None else dict(have.__dict__)}


def from_former(former: t.Mapping[str, t.Any], host: str) -> Stored | None:
    stored = former.get("stored", former)
    try:
        return None if stored is None else Stored(**stored)
    except TypeError:
        raise MeshwrightError(
            "the argument former", host=host, seen="of another form", wanted="what state present returned",
            remedy="hand on the registered result's `former` as it is",
        ) from None


def _covered(prefix: t.Any, there: t.Iterable[t.Any]) -> bool:
    return any(prefix.version == network.version and prefix.subnet_of(network) for network in there)


def _fitting(wanted: Stored, host: str) -> Stored:
    for name, largest in LARGEST.items():
        size = len(getattr(wanted, name))
        if size > largest:
            raise MeshwrightError(
                f"the {name} of the gateway's BGP file", host=host, seen=f"{size} characters long",
                wanted=f"at most {largest}", remedy="shorten the cluster's name",
            )
    return wanted
