"""The configuration tree: whatever is set comes out of each of its forms again."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st
from vyos import schema, tree
from vyos.schema import Spec
from vyos.testing import VERSIONS

SPECS = {version: schema.root(version) for version in VERSIONS}
# Values of all sorts; those that a node's check refuses are not drawn for it.
VALUES = (
    "1", "10", "30", "1500", "64512", "192.0.2.1", "2001:db8::1", "192.0.2.0/24", "2001:db8::/32", "65000:1",
    "65000:1:2",
    "permit", "eth0", "lo", "enable", "igp", "reload", "valid", "bgp", "missing-as-worst",
    "two words", 'a "quoted" \\ one', "{", "}", "//x", "/*",
)


def test_there_is_a_value_for_nearly_every_node() -> None:
    for spec in SPECS.values():
        assert len(list(_valued(spec, ()))) > 100
        assert not [path for path, values in _valued(spec, ()) if not values]


def _valued(spec: Spec, path: tree.Path) -> t.Iterator[tuple[tree.Path, list[str]]]:
    for name, below in spec.children.items():
        here = (*path, name)
        fitting = [value for value in VALUES if below.check(value) is None]
        if below.kind == schema.LEAF:
            yield here, [""] if below.valueless else fitting
        elif below.kind == schema.TAG:
            yield from _valued(below, (*here, fitting[0]))
        else:
            yield from _valued(below, here)


@st.composite
def paths(draw: st.DrawFn, version: str) -> tree.Path:
    """One path that may be set."""
    spec, path = SPECS[version], list[str]()
    while spec.kind != schema.LEAF:
        if path and draw(st.integers(0, 9)) == 0:
            return tuple(path)
        if not spec.children:
            return tuple(path)
        name = draw(st.sampled_from(sorted(spec.children)))
        spec = spec.children[name]
        path.append(name)
        if spec.kind == schema.TAG:
            path.append(draw(_value(spec).filter(lambda value: " " not in value)))
    if not spec.valueless:
        path.append(draw(_value(spec)))
    return tuple(path)


def _value(spec: Spec) -> st.SearchStrategy[str]:
    return st.sampled_from([value for value in VALUES if spec.check(value) is None])


@st.composite
def configurations(draw: st.DrawFn) -> tree.Config:
    version = draw(st.sampled_from(VERSIONS))
    config = tree.Config(SPECS[version])
    for path in draw(st.lists(paths(version), max_size=12)):
        config.set(path)
    return config


@st.composite
def pairs(draw: st.DrawFn) -> tuple[tree.Config, tree.Config]:
    first = draw(configurations())
    version = next(name for name, spec in SPECS.items() if spec is first.spec)
    second = first.copy()
    for path in draw(st.lists(paths(version), max_size=6)):
        second.set(path)
    for path in draw(st.lists(st.sampled_from([*first.entries(), ("system",)]), max_size=3)):
        if second.exists(path):
            second.delete(path)
    return first, second


@given(configurations())
def test_config_boot_is_read_as_it_was_written(config: tree.Config) -> None:
    assert tree.parse(config.spec, config.text()) == config


@given(configurations())
def test_the_set_commands_make_the_same_configuration(config: tree.Config) -> None:
    again = tree.Config(config.spec)
    for command in config.commands():
        again.set(_words(command))
    assert again == config


def _words(command: str) -> list[str]:
    """A command has its one value last and between single quotes."""
    path, quote, value = command.partition(" '")
    names = path.split(" ")[1:]
    return [*names, value[:-1]] if quote else names


@given(configurations())
def test_nothing_is_set_twice_and_all_of_it_can_be_deleted(config: tree.Config) -> None:
    for path in config.entries():
        assert config.exists(path)
        assert schema.resolve(config.spec, path).kind == schema.TAG or not _set(config, path)
    for path in list(config.tree):
        config.delete([path])
    assert config.tree == {}


def _set(config: tree.Config, path: tree.Path) -> bool:
    place = schema.resolve(config.spec, path)
    return not (place.kind == schema.LEAF and not place.spec.valueless) and config.set(path)


@given(pairs())
def test_a_sessions_changes_are_all_that_it_carries_over(pair: tuple[tree.Config, tree.Config]) -> None:
    before, after = pair
    assert tree.rebase(before, before, after) == after
    assert (tree.difference(before, after) == "") is (before == after)


def test_an_emptied_node_stays_and_an_emptied_tag_node_goes() -> None:
    config = tree.Config(SPECS["1.4"])
    config.set(["protocols", "bgp", "parameters", "router-id", "192.0.2.1"])
    config.set(["protocols", "bgp", "neighbor", "192.0.2.9", "remote-as", "1"])
    config.delete(["protocols", "bgp", "parameters", "router-id"])
    config.delete(["protocols", "bgp", "neighbor", "192.0.2.9"])
    assert config.as_json() == {"protocols": {"bgp": {"parameters": {}}}}
    assert config.commands() == ["set protocols bgp parameters"]


def test_comments_are_kept_and_go_with_their_node() -> None:
    config = tree.Config(SPECS["1.4"])
    config.set(["system", "host-name", "a"])
    config.comment(["system", "host-name"], "the first")
    again = tree.parse(config.spec, config.text())
    assert again == config
    assert "/* the first */" in again.text()
    again.delete(["system", "host-name"])
    assert again.comments == {}


def test_a_value_that_is_replaced_is_no_second_one() -> None:
    config = tree.Config(SPECS["1.4"])
    config.set(["protocols", "bgp", "system-as", "1"])
    config.set(["protocols", "bgp", "system-as", "2"])
    assert config.values("protocols", "bgp", "system-as") == ["2"]
