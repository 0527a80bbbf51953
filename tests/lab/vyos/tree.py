# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration: what is set below the schema's nodes, and the ways in which VyOS writes it.

A node is a dict; a leaf is the list of its values, empty for one without. Emptied plain nodes stay, as on the device;
a tag node goes with its last name.
"""

from __future__ import annotations

import copy
import re
import typing as t

from vyos import schema
from vyos.schema import Spec

Tree: t.TypeAlias = "dict[str, Tree | list[str]]"
Path = tuple[str, ...]

BARE = re.compile(r"[A-Za-z0-9_.:/@%+,*=-]+")


class Config:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.tree: Tree = {}
        self.comments: dict[Path, str] = {}

    def copy(self) -> Config:
        twin = Config(self.spec)
        twin.tree = copy.deepcopy(self.tree)
        twin.comments = dict(self.comments)
        return twin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and (self.tree, self.comments) == (other.tree, other.comments)

    __hash__ = None  # type: ignore[assignment]

    # -- changes

    def set(self, path: t.Sequence[str]) -> bool:
        """Whether this changed anything; PathError when the path is not one to set."""
        place = schema.resolve(self.spec, path)
        schema.settable(place)
        if self.exists(path):
            return False
        nodes = path[:-2] if place.kind == schema.VALUE else path[:-1] if place.kind == schema.LEAF else path
        here = self.tree
        for name in nodes:
            below = here.setdefault(name, {})
            assert isinstance(below, dict)
            here = below
        if place.kind == schema.LEAF:
            here[path[-1]] = []
        elif place.kind == schema.VALUE:
            former = here.get(path[-2], [])
            assert isinstance(former, list)
            here[path[-2]] = [*former, path[-1]] if place.spec.multi else [path[-1]]
        return True

    def delete(self, path: t.Sequence[str]) -> bool:
        """Whether there was anything to delete."""
        place = schema.resolve(self.spec, path)
        if not self.exists(path):
            return False
        parent = self.at(path[:-1])
        if isinstance(parent, list):
            parent.remove(path[-1])
            if not parent:
                self._drop(path[:-1])
        else:
            self._drop(path)
            if place.kind == schema.TAG_VALUE and not self.at(path[:-1]):
                self._drop(path[:-1])
        return True

    def _drop(self, path: t.Sequence[str]) -> None:
        parent = self.at(path[:-1])
        assert isinstance(parent, dict)
        del parent[path[-1]]
        size = len(path)
        self.comments = {key: text for key, text in self.comments.items() if key[:size] != tuple(path)}

    def comment(self, path: t.Sequence[str], text: str) -> None:
        schema.resolve(self.spec, path)
        if not self.exists(path):
            raise schema.PathError(f"Path [{' '.join(path)}] does not exist")
        self.comments.pop(tuple(path), None)
        if text:
            self.comments[tuple(path)] = text

    def graft(self, path: Path, source: Config) -> None:
        """Make the part below `path` what it is in another configuration."""
        if source.exists(path):
            here = self.tree
            for name in path[:-1]:
                below = here.setdefault(name, {})
                assert isinstance(below, dict)
                here = below
            here[path[-1]] = copy.deepcopy(source.at(path))
        elif self.exists(path):
            self._drop(path)

    # -- questions

    def at(self, path: t.Sequence[str]) -> Tree | list[str]:
        """The node or the values at a path that exists; KeyError elsewhere."""
        here: Tree | list[str] = self.tree
        for name in path:
            if isinstance(here, list):
                raise KeyError(name)
            here = here[name]
        return here

    def exists(self, path: t.Sequence[str]) -> bool:
        try:
            self.at(path)
        except KeyError:
            try:
                parent = self.at(path[:-1]) if path else {}
            except KeyError:
                return False
            return isinstance(parent, list) and path[-1] in parent
        return True

    def node(self, *path: str) -> Tree:
        """The node there, or an empty one."""
        found = self.at(path) if self.exists(path) else {}
        return found if isinstance(found, dict) else {}

    def values(self, *path: str) -> list[str]:
        found = self.at(path) if self.exists(path) else []
        return found if isinstance(found, list) else []

    def value(self, *path: str) -> str:
        return next(iter(self.values(*path)), "")

    # -- as VyOS writes it

    def entries(self) -> list[Path]:
        """All nodes and values, each after its parent."""
        return list(_entries(self.tree, ()))

    def commands(self) -> list[str]:
        return list(_commands(self.tree, self.spec, ()))

    def text(self, path: Path = ()) -> str:
        """The braces of config.boot. Below a tag node each entry repeats the node's name, for a leaf too."""
        if not path:
            return "".join(_lines(self, (), 0))
        found, place = self.at(path), schema.resolve(self.spec, path)
        if isinstance(found, list):
            return "".join(_leaf_lines(path[-1], found, 0))
        if place.kind == schema.TAG:
            return "".join(_tag_lines(self, path, 0))
        return "".join(_lines(self, path, 0))

    def as_json(self, path: Path = ()) -> t.Any:
        """What `showConfig` answers; below a tag node and for a leaf under its name, as the text has it."""
        found, place = self.at(path), schema.resolve(self.spec, path)
        data = _json(found)
        named = place.kind in (schema.TAG, schema.LEAF) and path
        return {path[-1]: data} if named else data


def changes(before: Config, after: Config) -> tuple[list[Path], list[Path]]:
    """What to delete and what to set to come from one to the other, tops only for what is deleted."""
    old, new = dict.fromkeys(before.entries()), dict.fromkeys(after.entries())
    gone = [path for path in old if path not in new]
    tops = [path for path in gone if path[:-1] not in gone]
    return tops, [path for path in new if path not in old]


def rebase(target: Config, before: Config, after: Config) -> Config:
    """The changes of a session on top of what others committed meanwhile."""
    result = target.copy()
    deleted, added = changes(before, after)
    for path in deleted:
        if result.exists(path):
            result.delete(path)
    for path in added:
        place = schema.resolve(result.spec, path)
        if place.kind != schema.TAG and (place.kind != schema.LEAF or place.spec.valueless):
            result.set(path)
    for path in before.comments.keys() | after.comments.keys():
        if before.comments.get(path) != after.comments.get(path):
            result.comment(path, after.comments.get(path, ""))
    return result


def difference(before: Config, after: Config) -> str:
    """For `compare`: the lines that go and come, under the path of their node."""
    deleted, added = changes(before, after)
    tops = [path for path in added if path[:-1] not in set(added)]
    parents = sorted({path[:-1] for path in [*deleted, *tops]})
    text = []
    for parent in parents:
        text.append(f"[{' '.join(parent)}]\n")
        for sign, config, paths in (("-", before, deleted), ("+", after, tops)):
            for path in (path for path in paths if path[:-1] == parent):
                text += [f"{sign} {line}\n" for line in _block(config, path).splitlines()]
    return "".join(text)


def _block(config: Config, path: Path) -> str:
    try:
        found = config.at(path)
    except KeyError:  # a value of a leaf
        return "".join(_leaf_lines(path[-2], [path[-1]], 0))
    if isinstance(found, list):
        return "".join(_leaf_lines(path[-1], found, 0))
    place = schema.resolve(config.spec, path)
    if place.kind == schema.TAG:
        return "".join(_tag_lines(config, path, 0))
    head = " ".join(path[-2:]) if place.kind == schema.TAG_VALUE else path[-1]
    return f"{head} {{\n{''.join(_lines(config, path, 1))}}}\n"


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts 10 after 9."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def ordered(tree: Tree) -> list[str]:
    return sorted(tree, key=natural)


def _entries(tree: Tree, path: Path) -> t.Iterator[Path]:
    for name in ordered(tree):
        found, here = tree[name], (*path, name)
        yield here
        if isinstance(found, dict):
            yield from _entries(found, here)
        else:
            yield from ((*here, value) for value in found)


def _commands(tree: Tree, spec: Spec, path: Path) -> t.Iterator[str]:
    for name in ordered(tree):
        found, here = tree[name], (*path, name)
        below = spec.children[name] if spec.kind == schema.NODE else Spec(schema.NODE, spec.children)
        if isinstance(found, list):
            values = [f" '{value}'" for value in found] or [""]
            yield from (f"set {' '.join(here)}{value}" for value in values)
        elif found:
            yield from _commands(found, below, here)
        else:
            yield f"set {' '.join(here)}"


def _json(found: Tree | list[str]) -> t.Any:
    if isinstance(found, dict):
        return {name: _json(found[name]) for name in ordered(found)}
    if not found:
        return {}
    return found[0] if len(found) == 1 else list(found)


def quoted(value: str) -> str:
    bare = BARE.fullmatch(value) and not value.startswith(("//", "/*"))
    return value if bare else '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))


def _leaf_lines(name: str, values: list[str], level: int) -> list[str]:
    indent = "    " * level
    return [f"{indent}{name} {quoted(value)}\n" for value in values] or [f"{indent}{name}\n"]


def _tag_lines(config: Config, path: Path, level: int) -> list[str]:
    indent, lines = "    " * level, list[str]()
    found = config.node(*path)
    for name in ordered(found):
        here = (*path, name)
        lines += _comment_lines(config, here, indent)
        lines += [f"{indent}{path[-1]} {quoted(name)} {{\n", *_lines(config, here, level + 1), f"{indent}}}\n"]
    return lines


def _comment_lines(config: Config, path: Path, indent: str) -> list[str]:
    return [f"{indent}/* {config.comments[path]} */\n"] if path in config.comments else []


def _lines(config: Config, path: Path, level: int) -> list[str]:
    indent, lines = "    " * level, list[str]()
    tree = config.node(*path)
    for name in ordered(tree):
        found, here = tree[name], (*path, name)
        if isinstance(found, list):
            lines += [*_comment_lines(config, here, indent), *_leaf_lines(name, found, level)]
        elif schema.resolve(config.spec, here).kind == schema.TAG:
            lines += _tag_lines(config, here, level)
        else:
            lines += _comment_lines(config, here, indent)
            lines += [f"{indent}{name} {{\n", *_lines(config, here, level + 1), f"{indent}}}\n"]
    return lines


# -- reading config.boot

WORD = re.compile(
    r'/\*(?P<comment>.*?)\*/|//[^\n]*|"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<brace>[{}])|(?P<end>\n)|(?P<word>[^\s{}"]+)',
    re.DOTALL,
)


def parse(spec: Spec, text: str) -> Config:
    """The configuration that a text describes; PathError when this version does not know a path of it."""
    config = Config(spec)
    stack: list[Path] = [()]
    words: list[str] = []
    comment = ""
    for match in WORD.finditer(text if text.endswith("\n") else text + "\n"):
        if match["comment"] is not None:
            comment = match["comment"].strip()
        elif match["word"] or match["quoted"] is not None:
            words.append(match["word"] or re.sub(r"\\(.)", r"\1", match["quoted"]))
        elif match["brace"] == "}":
            stack.pop()
        elif match["brace"] == "{" or (match["end"] and words):
            path = (*stack[-1], *words)
            config.set(path)
            if match["brace"]:
                stack.append(path)
            if comment:
                config.comments[path if match["brace"] else (*stack[-1], words[0])] = comment
            words, comment = [], ""
    return config
