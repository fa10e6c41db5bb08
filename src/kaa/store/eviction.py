"""Packages leave the package cache: at once and as a whole.

An entry counts as long as its lock file is there; so that goes first, then the directory goes out
of sight in one rename, and is deleted at leisure. What a killed process leaves is what anybody may
remove.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.store.locks import locked
from kaa.store.package_cache import STAGING, is_whole
from kaa.store.run_token import random_text

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.store.layout import Layout

LAYERS = ".compiled"
"""The directory of layers with compiled packages: one for each Python (``cp312``)."""
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class CachedPackage:
    """An entry of the package cache: ``whole`` says that it counts.

    ``layers`` are the names of those that have the package compiled, which has the same files and
    those of its own. ``paths`` are all directories.
    """

    name: str
    whole: bool
    layers: tuple[str, ...]
    paths: tuple[Path, ...]


def cached_packages(layout: Layout) -> list[CachedPackage]:
    """Return what is in the package cache in order of name, half-written entries too."""
    base = _entries(layout.packages)
    layers = {
        name: _entries(layout.packages / LAYERS / name)
        for name in _names(layout.packages / LAYERS)
        if not name.startswith(".")
    }
    found = []
    for name in sorted(base.union(*layers.values())):
        having = tuple(layer for layer, entries in layers.items() if name in entries)
        paths = [layout.packages / name] if name in base else []
        paths += [layout.packages / LAYERS / layer / name for layer in having]
        whole = name in base and is_whole(layout, name)
        found.append(CachedPackage(name, whole, having, tuple(paths)))
    return found


def evict(layout: Layout, name: str, layers: tuple[str, ...], *, base: bool) -> list[Path]:
    """Take a package out of the cache and return what is to be deleted.

    ``layers`` are those to take it out of; without ``base`` it stays in the cache itself. Only for
    who is alone below the root. Raises ``OSError``.
    """
    places = [layout.packages / LAYERS / layer for layer in layers]
    if base:
        places.append(layout.packages)
    doomed = []
    with locked(layout, "packages"):
        for place in places:
            # The lock file first: an entry counts no longer without it.
            for path in (place / f"{name}{_LOCK}", place / name):
                if os.path.lexists(path):
                    beside = place / f"{STAGING}{random_text(8)}-{random_text(4)}"
                    path.replace(beside)
                    doomed.append(beside)
    return doomed


def _entries(directory: Path) -> set[str]:
    return {
        name.removesuffix(_LOCK)
        for name in _names(directory)
        if _is_entry(name.removesuffix(_LOCK))
    }


def _is_entry(name: str) -> bool:
    # Name, version and build; what else there may be is nothing that kaa has put there.
    return not name.startswith(".") and name.count("-") >= 2


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names, not paths
    except OSError:
        return []
