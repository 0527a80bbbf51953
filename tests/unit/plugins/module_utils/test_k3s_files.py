"""k3s' rules for merging its files, and what is hidden of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_files
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

SCALARS = st.one_of(st.booleans(), st.integers(0, 99), st.text("abcdef:/.=", min_size=1, max_size=8))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, min_size=1, max_size=3))
KEYS = st.sampled_from(["tls-san", "node-label", "disable", "debug", "server"])
LAYER = st.dictionaries(st.one_of(KEYS, KEYS.map(lambda key: f"{key}+")), VALUES, max_size=4)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def by_hand(layers: list[dict[str, Any]], key: str) -> list[str] | None:
    """The rule said once more, key by key: everything since the last plain mention."""
    found: list[Any] | None = None
    for layer in layers:
        for name, value in layer.items():
            if name == key:
                found = as_list(value)
            elif name == f"{key}+":
                found = [*(found or []), *as_list(value)]
    return None if found is None else [k3s_files._text(value) for value in found]


@given(st.lists(LAYER, max_size=4))
def test_merging_follows_the_rule(layers: list[dict[str, Any]]) -> None:
    texts = {f"{number}.yaml": yaml.safe_dump(layer, sort_keys=False) for number, layer in enumerate(layers)}
    merged = k3s_files.effective(texts)
    for key in ("tls-san", "node-label", "disable", "debug", "server"):
        wanted = by_hand(layers, key)
        assert (None if key not in merged else k3s_files._texts(merged[key])) == wanted
    assert not any(key.endswith("+") for key in merged)


@given(st.dictionaries(KEYS, VALUES))
def test_what_is_written_is_read_back(config: dict[str, Any]) -> None:
    text = k3s_files.dump(config, "# a head\n")
    assert k3s_files.differing(k3s_files.parse("config.yaml", text), config) == []


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [(True, "true", True), (5, "5", True), ("a", ["a"], True), (["a", "b"], "a,b", False), (None, "", True)],
)
def test_same(one: Any, other: Any, alike: bool) -> None:
    assert k3s_files.same(one, other) is alike


def test_secrets_are_hidden_and_can_be_compared() -> None:
    one = k3s_files.masked({"token": "abc", "agent-token": "def", "cluster-cidr": "10.42.0.0/16"})
    other = k3s_files.masked({"token": "abd", "etcd-s3-secret-key": "x", "datastore-endpoint": "mysql://u:p@h/"})
    assert one["cluster-cidr"] == "10.42.0.0/16"
    assert one["token"] != other["token"]
    assert "abc" not in str(one) and "def" not in str(one)
    assert "u:p" not in str(other)


def test_a_key_that_only_speaks_of_tokens_is_no_secret() -> None:
    assert not k3s_files.is_secret("token-file")
    assert not k3s_files.is_secret("secrets-encryption")


def test_credentials_of_registries_are_hidden() -> None:
    tree = {"configs": {"r.test": {"auth": {"username": "u", "password": "p4ss", "token": "t0k"}}}}
    shown = k3s_files.masked_registries(tree)
    assert "p4ss" not in str(shown) and "t0k" not in str(shown)
    assert shown["configs"]["r.test"]["auth"]["username"] == "u"


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "token: [unclosed"])
def test_what_is_no_mapping_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(MeshwrightError) as caught:
        k3s_files.parse("config.yaml.d/90-mine.yaml", text)
    assert "90-mine.yaml" in str(caught.value)
    assert "unclosed" not in str(caught.value)
