# SPDX-License-Identifier: GPL-3.0-or-later
"""What to set and what to delete on a VyOS router, so that what is ours is as wanted and nothing else changes. Pure.

Ours are the policies and peer-groups that carry our names, the neighbours that are in our groups or have our policies,
the listen ranges that are in our groups.
What stands in `protocols bgp` once for everybody (the AS number, parameters, settings of an address family) is set
where it is missing. Where it is different and somebody else's BGP is there, nothing is done: it is told.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import vyos_paths
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import owned_name
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_vyos import OLD, Path, without_secret
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

SET, DELETE = "set", "delete"
_REQUIRES_POLICY = ("parameters", "ebgp-requires-policy")


@dataclass(frozen=True)
class Ours:
    """Whose configuration it is, and where BGP's is on this version."""

    cluster: str
    version: str
    host: str
    root: Path

    def name(self, text: str) -> bool:
        """Exactly the names that we give: another cluster's may begin with ours."""
        prefix = owned_name(self.cluster).upper()
        group = prefix.replace("-", "_") if self.version == OLD else prefix
        return re.fullmatch(rf"{prefix}-IPV[46]-(IN|OUT|ACCEPT|[0-9]+)|{group}[-_]IPV[46]", text) is not None


@dataclass(frozen=True)
class Op:
    verb: str
    path: Path


@dataclass(frozen=True)
class Plan:
    ops: tuple[Op, ...]
    before: tuple[Path, ...]  # of what is ours and what is there once for everybody
    after: tuple[Path, ...]

    @property
    def diff(self) -> dict[str, str]:
        return {"before": shown(self.before), "after": shown(self.after)}


def flat(tree: t.Any, head: Path = ()) -> list[Path]:
    """The paths of a tree as `showConfig` has it: values are text, of several a list, nodes without any are empty."""
    if isinstance(tree, dict) and tree:
        return [path for key, below in tree.items() for path in flat(below, (*head, str(key)))]
    if isinstance(tree, list):
        return [(*head, str(value)) for value in tree]
    return [head if isinstance(tree, dict) or tree is None else (*head, str(tree))]


def plan(ours: Ours, have: t.Iterable[Path], want: t.Iterable[Path]) -> Plan:
    """To have everything wanted, and of ours nothing else. An empty `want` takes all of ours away."""
    there, wanted = set(have), set(want)
    mine = owned(ours, there)
    wanted = _considerate(ours, there - mine, wanted)
    wrong = refusals(ours, there, wanted)
    if wrong:
        raise wrong[0]
    return _between(ours, there, mine, wanted)


def absent(ours: Ours, have: t.Iterable[Path], want: t.Iterable[Path]) -> Plan:
    """Without ours; and without BGP altogether when what is left is only what we had set once for everybody."""
    there = set(have)
    mine = owned(ours, there)
    bgp = {path for path in there if path[:2] == ("protocols", "bgp")}
    left = {path for path in bgp - mine - set(want) if not _is_empty(ours, path)}
    return _between(ours, there, mine if left else mine | bgp, set())


def restore(ours: Ours, have: t.Iterable[Path], want: t.Iterable[Path], before: t.Iterable[Path]) -> Plan:
    """Back to what `former` told before `want` was brought, also of what was set once for everybody."""
    there, back = set(have), set(before)
    added = {path for path in there & set(want) if is_once(ours, path)} - back
    return _between(ours, there, owned(ours, there) | added, back)


def exactly(ours: Ours, have: t.Iterable[Path], before: t.Iterable[Path]) -> Plan:
    """Back to what `former` told, after a commit of which only a part landed."""
    there, back = set(have), set(before)
    return _between(ours, there, set(former(ours, there)), back)


def former(ours: Ours, have: t.Iterable[Path]) -> tuple[Path, ...]:
    """What `restore` needs to know of now."""
    there = set(have)
    mine = owned(ours, there)
    return tuple(sorted(path for path in there if path in mine or is_once(ours, path)))


# -- whose it is


def owned(ours: Ours, paths: t.Iterable[Path]) -> set[Path]:
    given = set(paths)
    heads = {head for path in given for head in [_head(ours, path)] if head}
    return {path for path in given if any(path[:size] in heads for size in (3, 4, 5, 6))}


def _head(ours: Ours, path: Path) -> Path | None:
    """The node that a path shows to be ours."""
    if path[0] == "policy":
        return path[:3] if len(path) > 2 and ours.name(path[2]) else None
    size = len(ours.root)
    if path[:size] != ours.root or len(path) < size + 2:
        return None
    kind = path[size]
    if kind == "peer-group" and ours.name(path[size + 1]):
        return path[:size + 2]
    member = path[-2:-1] == ("peer-group",) and ours.name(path[-1])
    filtered = path[-3:-2] == ("route-map",) and ours.name(path[-1])  # on 1.3 there is no group
    if kind == "neighbor" and (member or filtered):
        return path[:size + 2]
    return path[:size + 3] if path[size:size + 2] == ("listen", "range") and member else None


def is_once(ours: Ours, path: Path) -> bool:
    """Whether it is one of the settings that hold for everybody's BGP."""
    size = len(ours.root)
    return path[:size] == ours.root and (
        path[size:size + 1] in (("system-as",), ("parameters",), ("timers",))
        or (path[size:size + 1] == ("address-family",) and path[size + 2:size + 3] == ("maximum-paths",))
    )


def foreign_bgp(ours: Ours, paths: t.Iterable[Path]) -> list[Path]:
    given = set(paths)
    return sorted(
        path for path in given - owned(ours, given)
        if path[:2] == ("protocols", "bgp") and not _is_empty(ours, path) and not is_once(ours, path)
    )


def _is_empty(ours: Ours, path: Path) -> bool:
    """A node that was left behind when the last thing in it went."""
    below = path[len(ours.root):]
    return len(below) < 2 or below == ("listen", "range")


# -- what stands in the way


def refusals(ours: Ours, have: t.Iterable[Path], want: t.Iterable[Path]) -> list[MeshwrightError]:
    there, wanted = set(have), sorted(want)
    foreign = foreign_bgp(ours, there)
    if not foreign:
        return []
    found = _other_as(ours, foreign) + _taken(ours, foreign, wanted)
    for path in wanted:
        if is_once(ours, path) and vyos_paths.is_value(path, ours.version):
            found += [
                MeshwrightError(
                    " ".join(path[:-1]), host=ours.host, seen=other[-1], wanted=path[-1],
                    remedy="other neighbours on this router depend on it: change it there by hand, or the inventory",
                )
                for other in there if other[:-1] == path[:-1] and other != path
            ]
    return found


def _other_as(ours: Ours, foreign: t.Sequence[Path]) -> list[MeshwrightError]:
    """1.3 has the AS number in the path, and one of them at a time."""
    others = sorted({path[2] for path in foreign if path[:3] != ours.root}) if ours.version == OLD else []
    return [
        MeshwrightError("the AS number", host=ours.host, seen=other, wanted=ours.root[2],
                        remedy="other neighbours are on it: set bgp_router_asn to it")
        for other in others
    ]


def _taken(ours: Ours, foreign: t.Sequence[Path], wanted: t.Sequence[Path]) -> list[MeshwrightError]:
    """Neighbours and ranges of ours that are there already, in nobody's or in somebody else's group."""
    size, foreign = len(ours.root), [path for path in foreign if path not in wanted]
    theirs = {path[:size + 2] for path in foreign if path[size:size + 1] == ("neighbor",)}
    theirs |= {path[:size + 3] for path in foreign if path[size:size + 2] == ("listen", "range")}
    return [
        MeshwrightError(" ".join(node), host=ours.host, seen="there already, not in a peer-group of ours",
                        wanted="ours alone", remedy="remove it from the router; the next run makes it anew")
        for node in sorted(theirs & {path[:length] for path in wanted for length in (size + 2, size + 3)})
    ]


def _considerate(ours: Ours, others: set[Path], wanted: set[Path]) -> set[Path]:
    """Without `ebgp-requires-policy` where a neighbour of somebody else's would lose all its routes by it.

    Our own sessions have their policies by name, in and out; they do not depend on it.
    """
    size = len(ours.root)
    nodes: dict[Path, set[str]] = {}
    for path in foreign_bgp(ours, others):
        if path[size:size + 1] in (("neighbor",), ("peer-group",)) and len(path) > size + 1:
            directions = nodes.setdefault(path[:size + 2], set())
            directions |= {word for word in path[size + 2:] if word in ("import", "export")}
            if path[-2:-1] == ("peer-group",):
                directions |= {"import", "export"}  # its group is judged
    if all({"import", "export"} <= directions for directions in nodes.values()):
        return wanted
    return {path for path in wanted if path[size:] != _REQUIRES_POLICY}


# -- the way there


def _between(ours: Ours, there: set[Path], goes: set[Path], wanted: set[Path]) -> Plan:
    """Minimal, policies first when setting and last when deleting."""
    sets = sorted(wanted - there, key=_policy_first)
    replaced = {path[:-1] for path in sets if vyos_paths.is_value(path, ours.version)}
    kept = _nodes((there - goes) | wanted)
    gone = {path for path in goes - wanted if path[:-1] not in replaced and path not in kept}
    tops = {_highest(ours, path, kept) for path in gone}
    deletes = sorted(path for path in tops if not any(path[:size] in tops for size in range(2, len(path))))
    ops = (
        *(Op(DELETE, path) for path in deletes if path[0] != "policy"),
        *(Op(SET, path) for path in sets),
        *(Op(DELETE, path) for path in deletes if path[0] == "policy"),
    )
    return Plan(ops, former(ours, there), former(ours, applied(there, ops, ours.version)))


def _policy_first(path: Path) -> tuple[bool, Path]:
    return path[0] != "policy", path


def _nodes(paths: t.Iterable[Path]) -> set[Path]:
    return {path[:size] for path in paths for size in range(len(path) + 1)}


def _highest(ours: Ours, path: Path, kept: set[Path]) -> Path:
    """The topmost node that can go with it: nothing that stays is below.

    Of ours it is at most the neighbour or list itself; somebody may add another beside it at this moment.
    """
    lowest = len(_head_of(ours, path) or ("protocols", "bgp"))
    return next(path[:size] for size in range(lowest, len(path) + 1) if path[:size] not in kept)


def _head_of(ours: Ours, path: Path) -> Path | None:
    size = len(ours.root)
    if path[0] == "policy":
        return path[:3]
    below = path[size:]
    if below[:1] in (("neighbor",), ("peer-group",)):
        return path[:size + 2]
    return path[:size + 1] if below[:1] == ("listen",) else None


def applied(have: t.Iterable[Path], ops: t.Iterable[Op], version: str) -> set[Path]:
    """What a commit of these operations leaves."""
    found = set(have)
    for op in ops:
        if op.verb == DELETE:
            found = {path for path in found if path[:len(op.path)] != op.path}
        else:
            if vyos_paths.is_value(op.path, version):
                found = {path for path in found if path[:-1] != op.path[:-1]}
            found = {path for path in found if path != op.path[:len(path)]} | {op.path}
    return found


def shown(paths: t.Iterable[Path]) -> str:
    return "".join(f"{' '.join(without_secret(path))}\n" for path in sorted(paths))
