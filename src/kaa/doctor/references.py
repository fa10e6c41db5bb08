"""Which packages of the cache environments were made of: their records have the same names.

Only names are read. An environment counts whoever made it, and so does every generation that is on
the disk, the ones without a link, too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS
from kaa.environments.registry import find_prefixes, listed_prefixes
from kaa.kernels.overlay import python_minor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from kaa.store.layout import Layout

_SUFFIX = ".json"
_PYTHON = re.compile(r"python-(\d+)\.(\d+)[^-]*-[^-]+")


@dataclass(frozen=True, slots=True)
class References:
    """The names of the packages that are referred to, and for which layers (``cp312``)."""

    packages: frozenset[str]
    compiled: frozenset[tuple[str, str]]
    """Package and layer."""


def references(layout: Layout, without: Collection[Path] = ()) -> References:
    """Return what all known environments refer to, but for the generations in ``without``."""
    packages: set[str] = set()
    compiled: set[tuple[str, str]] = set()
    for generation in (*_environments(layout), *_numbered(layout.overlays)):
        if generation not in without:
            names = recorded(generation)
            layer = next((layer for layer in map(layer_of_record, names) if layer), None)
            packages.update(names)
            compiled.update((name, layer) for name in names if layer is not None)
    return References(frozenset(packages), frozenset(compiled))


def python_minors(layout: Layout, without: Collection[Path] = ()) -> frozenset[str]:
    """Return the minor versions of all environments' Pythons (``3.12``), kernel overlays aside."""
    found = (python_minor(path) for path in _environments(layout) if path not in without)
    return frozenset(minor for minor in found if minor is not None)


def recorded(generation: Path) -> list[str]:
    """Return the packages that a generation has records of, as the cache names them."""
    names = _names(generation / "conda-meta")
    return [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]


def layer_of_record(name: str) -> str | None:
    """Return the layer for a record's Python (``cp312``), None for all other packages."""
    match = _PYTHON.fullmatch(name)
    return f"cp{match[1]}{match[2]}" if match else None


def _environments(layout: Layout) -> Iterator[Path]:
    parents = dict.fromkeys(layout.all_environments)
    for prefix in find_prefixes(layout):
        parents[prefix.path.parent] = None
        if prefix.current_number is None:
            yield prefix.path
    # A link may lead to an environment of another program's, too.
    yield from listed_prefixes()
    for parent in parents:
        yield from _numbered(parent)


def _numbered(parent: Path) -> Iterator[Path]:
    """Give all generations, not those of known environments: a link may have been renamed."""
    for name in _names(parent / GENERATIONS):
        for number in _names(parent / GENERATIONS / name):
            if number.isdecimal() and not name.startswith("."):  # which is on its way out
                yield parent / GENERATIONS / name / number


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names, not paths
    except (OSError, ValueError):
        return []
