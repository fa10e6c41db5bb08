"""Everything on this machine that packages are in: kaa's directories, and those of other tools."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.environments.registry import find_prefixes, listed_prefixes
from kaa.model.discovered import Maker
from kaa.model.disk_use import Holder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kaa.model.discovered import Discovered
    from kaa.store.layout import Layout

_CONDA_CACHE = "urls.txt"
"""The file by which conda knows a package cache."""
_ENVIRONMENTS = "envs"


@dataclass(frozen=True, slots=True)
class Place:
    """Something that takes space: ``path`` as people know it, and the directories that make it up.

    ``tops`` are absolute, without links; ``generations`` are those of them that are generations,
    by their numbers, of which ``current`` is the one in use. ``maker`` is the program that made it,
    where that is another one and known.
    """

    holder: Holder
    name: str
    path: Path
    tops: tuple[str, ...]
    generations: tuple[tuple[int, str], ...] = ()
    current: int | None = None
    maker: str | None = None


def find_places(layout: Layout, *more: Path) -> list[Place]:
    """Return all places, each directory in one of them only; ``more`` are further prefixes."""
    own = [_own(prefix, Holder.ENVIRONMENT) for prefix in find_prefixes(layout)]
    own += [_own(prefix, Holder.OVERLAY) for prefix in _overlays(layout)]
    own += [_own(prefix, Holder.ORPHAN) for prefix in find_orphans(layout)]
    foreign = list(_foreign(_discovered(layout), [*listed_prefixes(), *more]))
    places = [
        *own,
        Place(Holder.PACKAGES, "package cache", layout.packages, (_real(layout.packages),)),
        *(
            Place(Holder.PACKAGES, "package cache, only read", path, (_real(path),))
            for path in layout.shared_packages
        ),
        *_caches(layout),
        Place(Holder.OTHER, "everything else of kaa's", layout.root, (_real(layout.root),)),
        *foreign,
        *_foreign_packages(place.path for place in foreign),
    ]
    return _without_repetition(places)


def own_prefixes(layout: Layout) -> list[Prefix]:
    """Return kaa's environments, and its kernel overlays after them."""
    return [*find_prefixes(layout), *_overlays(layout)]


def find_orphans(layout: Layout) -> list[Prefix]:
    """Return the prefixes whose generations are there and whose link is not, nor any other."""
    found = []
    for parent in layout.all_environments:
        linked = _linked(parent)
        found += [
            Prefix(parent / name)
            for name in _names(parent / GENERATIONS)
            if not name.startswith(".")
            and not os.path.lexists(parent / name)
            and name not in linked
            and any(each.isdigit() for each in _names(parent / GENERATIONS / name))
        ]
    return found


def _linked(parent: Path) -> set[str]:
    """Return whose generations the links in a directory lead to; a link may have been renamed."""
    found = set()
    for name in _names(parent):
        try:
            parts = (parent / name).readlink().parts
        except OSError:
            continue
        if len(parts) == 3 and parts[0] == GENERATIONS:
            found.add(parts[1])
    return found


def _overlays(layout: Layout) -> list[Prefix]:
    names = (name for name in _names(layout.overlays) if not name.startswith("."))
    return [Prefix(layout.overlays / name) for name in names]


def _own(prefix: Prefix, holder: Holder) -> Place:
    if prefix.path.is_dir() and not prefix.path.is_symlink():
        return Place(holder, prefix.name, prefix.path, (_real(prefix.path),))
    directory = _real(prefix.generations)
    numbers = sorted(int(name) for name in _names(prefix.generations) if name.isdigit())
    generations = tuple((number, os.path.join(directory, str(number))) for number in numbers)  # noqa: PTH118
    tops = (*(top for _, top in generations), directory, _beside(prefix.path))
    return Place(holder, prefix.name, prefix.path, tops, generations, prefix.current_number)


def _beside(link: Path) -> str:
    """Return a link's own path, of which all but the last part is without links."""
    return os.path.join(_real(link.parent), link.name)  # noqa: PTH118


def _caches(layout: Layout) -> Iterator[Place]:
    for name in _names(layout.metadata):
        path = layout.metadata / name
        if path.is_dir():
            yield Place(Holder.CACHE, name, path, (_real(path),))


def _discovered(layout: Layout) -> dict[str, Discovered]:
    """Return the environments of other programs, by prefix; the system's own are no matter."""
    from kaa.environments.discovery import discover, this_machine
    from kaa.kernels.options import configured_options

    found = discover(layout, this_machine(configured_options().roots)).environments
    without = (Maker.KAA, Maker.SYSTEM)
    return {each.prefix: each for each in found if each.maker not in without}


def _foreign(discovered: Mapping[str, Discovered], prefixes: Iterable[Path]) -> Iterator[Place]:
    for path in prefixes:
        if os.path.isdir(path):  # noqa: PTH112 - a line may be no path at all
            yield _foreign_place(path, path.name, discovered.get(str(path)))
    for prefix, environment in discovered.items():
        yield _foreign_place(Path(prefix), environment.label, environment)


def _foreign_place(path: Path, name: str, environment: Discovered | None) -> Place:
    maker = environment.maker.value if environment is not None else None
    return Place(Holder.FOREIGN_ENVIRONMENT, name, path, (_real(path),), maker=maker)


def _foreign_packages(prefixes: Iterable[Path]) -> Iterator[Place]:
    """Find conda's package caches: in its own prefix, beside ``envs``, and the user's."""
    found: dict[Path, None] = {}
    for prefix in prefixes:
        found[prefix / "pkgs"] = None
        if prefix.parent.name == _ENVIRONMENTS:
            found[prefix.parent.parent / "pkgs"] = None
    found[Path(os.path.expanduser("~"), ".conda", "pkgs")] = None  # noqa: PTH111 - never raises
    for path in found:
        if os.path.isfile(path / _CONDA_CACHE):  # noqa: PTH113 - may be closed to this user
            yield Place(Holder.FOREIGN_PACKAGES, str(path), path, (_real(path),))


def _without_repetition(places: list[Place]) -> list[Place]:
    """Leave every directory to the first place that has it."""
    seen: set[str] = set()
    kept = []
    for place in places:
        tops = tuple(top for top in place.tops if top not in seen)
        if tops:
            seen.update(tops)
            generations = tuple(each for each in place.generations if each[1] in tops)
            kept.append(replace(place, tops=tops, generations=generations))
    return kept


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names, not paths
    except OSError:
        return []
