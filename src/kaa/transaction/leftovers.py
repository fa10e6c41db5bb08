"""What a killed process left unfinished is cleared by the next one, also while others are at work.

Whose an unfinished thing is says the token in its name (:mod:`kaa.store.run_token`), or the place
where it is: beside the generations of an environment, only the environment's writer makes any.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from kaa.environments.elsewhere import noted_directories
from kaa.environments.prefix import ADOPTING, GENERATIONS, Prefix
from kaa.environments.registry import conda_environments_file, find_prefixes
from kaa.environments.writer import LOCK, writer_if_free
from kaa.kernels.specs import kernelspec_directory
from kaa.model.errors import StoreError
from kaa.store.layout import WORK
from kaa.store.locks import Runs, runs
from kaa.store.package_cache import STAGING as UNPACKING
from kaa.store.package_cache import remove_halves
from kaa.store.run_token import token_of
from kaa.transaction.commit import BESIDE, LEAVING, PENDING, REMOVED, STANDS_IN, settle
from kaa.transaction.stage import STAGING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.store.layout import Layout

_HERE = (STAGING, BESIDE, REMOVED)
"""How the names of unfinished things begin in a directory of generations."""
_SIGNS = (*_HERE, PENDING, LEAVING, ADOPTING, STANDS_IN)
_DOING = "clear up after a process that was killed"


def clear_leftovers(layout: Layout, prefix: Prefix) -> None:
    """Remove what dead processes left: packages, downloads, generations of any environment.

    The caller is the only writer of ``prefix``. Environments that somebody else changes are left
    alone, without waiting, and what cannot be removed stays. Raises
    :class:`~kaa.model.errors.StoreError` when lock files cannot be written.
    """
    with runs(layout) as found:
        for path in _of_runs(layout, found):
            _remove(path)
        if found.dead and layout.package_directory is None:
            remove_halves(layout)
    _clear(prefix)
    for other in _unsettled(layout, prefix):
        with contextlib.suppress(StoreError), writer_if_free(other, _DOING) as free:
            if free:
                _clear(other)


def find_leftovers(layout: Layout, *prefixes: Prefix) -> Iterator[Path]:
    """Give what is unfinished below the root and beside ``prefixes``, whoever made it.

    Whether somebody is at work on it is not looked at; see :func:`~kaa.store.locks.alone`.
    """
    own = () if layout.environment_directories else (layout.environments,)
    for parent in (*own, layout.overlays):  # others may share what is configured
        for entry in _entries(parent):
            if entry.startswith(REMOVED):
                yield parent / GENERATIONS / entry
            elif not entry.startswith("."):
                yield from _unfinished(Prefix(parent / entry))
    for prefix in prefixes:
        yield from _unfinished(prefix)
    yield from layout.metadata.glob(f"{REMOVED}*")
    yield from _downloads(layout)
    yield from (layout.metadata / "wheels").glob("*.whl")


def _of_runs(layout: Layout, found: Runs) -> Iterator[Path]:
    for path in _downloads(layout):
        if found.is_dead(token_of(path.name)):
            yield path
    yield from layout.metadata.glob(f"{REMOVED}*")
    if not found.alive:
        # They came along with their metadata, and whoever wanted to install them did not.
        yield from (layout.metadata / "wheels").glob("*.whl")
    if found.dead:
        # To look through everything takes its time, which only a kill is worth.
        for path in _everywhere(layout):
            if token_of(path.name) in found.dead:
                yield path


def _downloads(layout: Layout) -> Iterator[Path]:
    """Give what lies where packages are unpacked, built, and downloaded to until then."""
    yield from layout.packages.glob(f"{UNPACKING}*")
    for path in (layout.metadata / "wheels").glob("*"):
        if path.suffix != ".whl":
            yield path
    yield from (layout.metadata / "archives").glob("*")
    yield from (layout.metadata / "builds").glob(f"{WORK}*")


def _everywhere(layout: Layout) -> Iterator[Path]:
    """Give all files that are exchanged by being written beside."""
    yield from layout.metadata.rglob(".*")
    yield from layout.root.glob(".*")
    yield from layout.locks.glob(".*")
    yield from kernelspec_directory().glob("*/.*")
    yield from conda_environments_file().parent.glob(".*")
    for parent in _parents(layout):
        yield from (parent / GENERATIONS).glob(".*")


def _parents(layout: Layout) -> tuple[Path, ...]:
    return (*directories_in_reach(layout), layout.overlays)


def directories_in_reach(layout: Layout) -> tuple[Path, ...]:
    """Return the directories of environments: configured, of those on conda's list, or noted."""
    listed = (prefix.path.parent for prefix in find_prefixes(layout))
    noted = noted_directories(layout)
    return tuple(dict.fromkeys((*layout.all_environments, *listed, *noted)))


def _unsettled(layout: Layout, own: Prefix) -> Iterator[Prefix]:
    """Give the environments beside which something is unfinished, or may be."""
    for parent in dict.fromkeys((own.path.parent, *_parents(layout))):
        if (parent / GENERATIONS).is_symlink():
            continue  # it is somebody else's
        entries = _entries(parent)
        certain = {_whose(entry) for entry in entries if entry.startswith((REMOVED, LOCK))}
        for name in dict.fromkeys(filter(None, map(_whose, entries))):
            other = Prefix(parent / name)
            if other.path != own.path and (name in certain or _has_signs(other)):
                yield other


def _whose(entry: str) -> str | None:
    """Return the name of the environment that a name beside all generations belongs to."""
    if entry.startswith(REMOVED):
        return entry[len(REMOVED) :].rpartition("-")[0]
    if entry.startswith(LOCK):
        return entry[len(LOCK) :].removesuffix(".lease").removesuffix(".holder")
    return None if entry.startswith(".") else entry


def _has_signs(prefix: Prefix) -> bool:
    try:
        names = os.listdir(prefix.generations)  # noqa: PTH208 - names, not paths
    except OSError:
        return False
    return not names or any(name.startswith(_SIGNS) for name in names)


def _clear(prefix: Prefix) -> None:
    """Clear up beside an environment whose only writer this is."""
    if _elsewhere(prefix):
        return
    for path in (*_unfinished(prefix), *_removed(prefix)):
        _remove(path)
    with contextlib.suppress(OSError):
        settle(prefix)
    for directory in (prefix.generations, prefix.generations.parent):
        with contextlib.suppress(OSError):  # something is in it still, or it never was
            directory.rmdir()


def _elsewhere(prefix: Prefix) -> bool:
    """Say whether a link leads to what others may keep there."""
    return prefix.generations.is_symlink() or prefix.generations.parent.is_symlink()


def _unfinished(prefix: Prefix) -> Iterator[Path]:
    if _elsewhere(prefix):
        return
    for mark in _HERE:
        yield from prefix.generations.glob(f"{mark}*")


def _removed(prefix: Prefix) -> Iterator[Path]:
    for entry in _entries(prefix.path.parent):
        if entry.startswith(REMOVED) and _whose(entry) == prefix.name:
            yield prefix.generations.with_name(entry)


def _entries(parent: Path) -> list[str]:
    try:
        return sorted(os.listdir(parent / GENERATIONS))  # noqa: PTH208 - names, not paths
    except OSError:
        return []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
