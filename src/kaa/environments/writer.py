"""One writer per environment: who changes an environment holds its lock, from reading to renaming.

Readers take none: whatever they read is a whole generation.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.store.exclusive import held, held_if_free, held_in_loop, never

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

LOCK = ".lock-"
"""How the names of lock files begin; those of environments never begin with a dot."""


def writer_lock(prefix: Prefix) -> Path:
    """Return the path of the lock file of who changes an environment."""
    return prefix.path.parent / GENERATIONS / f"{LOCK}{prefix.name}"


@contextmanager
def sole_writer(
    prefix: Prefix, doing: str, *, halted: Callable[[], bool] = never
) -> Iterator[None]:
    """Be the only one to change the environment for the block, which may have to wait for others.

    ``doing`` is what they are told meanwhile: a command line. Directories that had to be made for
    the lock file go with it when nothing else is in them by then.

    Raises :class:`~kaa.model.errors.AbortedError` when ``halted`` says so while waiting, and
    :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    path = writer_lock(prefix)
    with _removed_if_empty(path.parent), held(path, doing, halted=halted):
        yield


@contextmanager
def writer_if_free(prefix: Prefix, doing: str) -> Iterator[bool]:
    """Be the only one to change the environment if nobody else is; say so, and never wait.

    Raises :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    path = writer_lock(prefix)
    with _removed_if_empty(path.parent), held_if_free(path, doing) as free:
        yield free


@asynccontextmanager
async def sole_writer_meanwhile(prefix: Prefix, doing: str) -> AsyncIterator[None]:
    """Do what :func:`sole_writer` does while the event loop goes on; waiting can be cancelled."""
    path = writer_lock(prefix)
    with _removed_if_empty(path.parent):
        async with held_in_loop(path, doing):
            yield


@contextmanager
def _removed_if_empty(directory: Path) -> Iterator[None]:
    """Remove the directory after the block, and those above it that are not there yet."""
    made = [path for path in directory.parents if not os.path.lexists(path)]
    try:
        yield
    finally:
        for path in (directory, *made):
            try:
                path.rmdir()
            except OSError:
                break  # something is in it, or it never was
