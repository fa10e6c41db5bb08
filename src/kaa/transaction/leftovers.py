"""What a killed process left unfinished is cleared by the next one, once nobody is at work."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.store.layout import WORK
from kaa.store.locks import alone
from kaa.store.package_cache import STAGING as UNPACKING
from kaa.transaction.commit import BESIDE, REMOVED, settle
from kaa.transaction.stage import STAGING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.store.layout import Layout


def clear_leftovers(layout: Layout, prefix: Prefix) -> None:
    """Remove unfinished generations, packages and downloads, those beside ``prefix`` too.

    Nothing happens while another process is at work below the same root, and what cannot be
    removed stays. Raises :class:`~kaa.model.errors.StoreError` when lock files cannot be written.
    """
    with alone(layout) as undisturbed:
        if not undisturbed:
            return
        for path in find_leftovers(layout, prefix):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
        for parent in _own(layout):
            generations = parent / GENERATIONS
            for directory in generations.glob("*"):
                _settle(Prefix(parent / directory.name))
            _remove_empty(*generations.glob("*"), generations)
        _settle(prefix)
        if not _elsewhere(prefix.generations):
            _remove_empty(prefix.generations, prefix.generations.parent)


def _settle(prefix: Prefix) -> None:
    if not _elsewhere(prefix.generations):
        with contextlib.suppress(OSError):
            settle(prefix)


def find_leftovers(layout: Layout, *prefixes: Prefix) -> Iterator[Path]:
    """Give what is unfinished below the root and beside ``prefixes``, whoever made it.

    Whether somebody is at work on it is not looked at; see :func:`~kaa.store.locks.alone`.
    """
    for parent in _own(layout):
        for generations in (parent / GENERATIONS).glob("*"):
            if generations.name.startswith(REMOVED):
                yield generations
            else:
                yield from _unfinished(generations)
    for prefix in prefixes:
        yield from _unfinished(prefix.generations)
    if layout.package_directory is None:
        yield from layout.packages.glob(f"{UNPACKING}*")
    yield from layout.metadata.glob(f"{REMOVED}*")
    # Downloads lie here until they are converted or unpacked only.
    yield from (layout.metadata / "wheels").glob("*")
    yield from (layout.metadata / "archives").glob("*")
    yield from (layout.metadata / "builds").glob(f"{WORK}*")


def _own(layout: Layout) -> tuple[Path, ...]:
    """Return the directories of environments that nobody with another root works in.

    Who is at work is known by root, and a configured directory may be shared by several.
    """
    if layout.environment_directories:
        return (layout.overlays,)
    return layout.environments, layout.overlays


def _elsewhere(generations: Path) -> bool:
    """Say whether a link leads to what others may keep there."""
    return generations.is_symlink() or generations.parent.is_symlink()


def _unfinished(generations: Path) -> Iterator[Path]:
    if _elsewhere(generations):
        return
    for mark in (STAGING, BESIDE, REMOVED):
        yield from generations.glob(f"{mark}*")


def _remove_empty(*directories: Path) -> None:
    for path in directories:
        try:
            path.rmdir()
        except OSError:
            continue  # something is in it
