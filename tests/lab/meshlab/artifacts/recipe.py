"""What an artifact is made of, and the order in which artifacts are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from meshlab.cache import Log, artifact_path, cached
from meshlab.errors import LabError

# Finished artifacts by name: what a build may take from.
Parts = Mapping[str, Path]
AT_ONCE = 2


@dataclass(frozen=True)
class Recipe:
    """`inputs` are the files and texts that decide what comes out; `needs` are artifacts it is made from."""

    name: str
    build: Callable[[Path, Parts], None]
    inputs: Sequence[str | Path]
    needs: Sequence[str] = ()

    def key_inputs(self, parts: Parts) -> list[str | Path]:
        """The name of an artifact ends in its key, so a change below changes all keys above."""
        return [*self.inputs, *(parts[name].name for name in self.needs)]


def select(recipes: Sequence[Recipe], names: Iterable[str] | None) -> list[Recipe]:
    """The recipes of these names and of all that they need, in the order in which `recipes` lists them."""
    known = {recipe.name: recipe for recipe in recipes}
    wanted: set[str] = set()
    left = list(known if names is None else names)
    while left:
        name = left.pop()
        if name not in known:
            raise LabError(f"artifact {name}: there is no such artifact; known are {', '.join(sorted(known))}")
        if name not in wanted:
            wanted.add(name)
            left.extend(known[name].needs)
    return [recipe for recipe in recipes if recipe.name in wanted]


def make(recipes: Sequence[Recipe], log: Log) -> dict[str, Path]:
    """Build what is missing, two at a time: one downloads or links while the other compiles.

    `recipes` has what is needed before what needs it, so a build only ever waits for one that has begun.
    """
    futures: dict[str, Future[Path]] = {}

    def one(recipe: Recipe) -> Path:
        parts = {name: futures[name].result() for name in recipe.needs}
        return cached(recipe.name, recipe.key_inputs(parts), lambda directory: recipe.build(directory, parts), log)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for recipe in recipes:
            futures[recipe.name] = pool.submit(one, recipe)
        try:
            return {name: future.result() for name, future in futures.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def missing(recipes: Sequence[Recipe]) -> list[str]:
    """The names of those that would be built."""
    parts: dict[str, Path] = {}
    for recipe in recipes:
        parts[recipe.name] = artifact_path(recipe.name, recipe.key_inputs(parts))
    return [name for name, path in parts.items() if not path.is_dir()]
