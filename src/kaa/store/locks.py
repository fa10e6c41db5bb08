"""Who is at work, and what only one may do at a time. Nothing here outlives its process.

Each process that has unfinished files holds a lock file with its token (:mod:`kaa.store.run_token`)
below the root and, where the package cache is a directory of its own, in there: processes with
other roots use it, too.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import StoreError
from kaa.store.disk import make_directory, writing
from kaa.store.exclusive import held, held_if_free
from kaa.store.run_token import run_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.store.layout import Layout

_RUN = "run-"
_END = ".lock"
_mine: dict[Path, tuple[int, ExitStack]] = {}
"""How often this process is at work in a directory of locks, and its lock there."""
_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Runs:
    """The processes that were found at work, and those that were killed at it, by token."""

    directories: tuple[Path, ...]
    alive: frozenset[str]
    dead: frozenset[str]

    def is_dead(self, token: str | None) -> bool:
        """Say whether what has ``token`` in its name (or none) belongs to nobody any more.

        To be asked after the name was seen: a process has its lock before it makes anything.
        """
        if token is None or token in self.dead:
            return True
        if token in self.alive:
            return False
        return not any(_lock_of(directory, token).exists() for directory in self.directories)


@contextmanager
def locked(layout: Layout, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of all that use this root for the block, waiting as long as it takes.

    That of the package cache, ``packages``, is one for all roots that use this cache. Raises
    :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    directory = layout.package_locks if name == "packages" else layout.locks
    with held(directory / f"{name}{_END}"):
        yield


@contextmanager
def at_work(layout: Layout) -> Iterator[None]:
    """Let other processes see, for the block, that what has this one's token is being made.

    Raises :class:`~kaa.model.errors.StoreError` when a lock file cannot be written.
    """
    if layout.package_locks != layout.locks:
        with writing(layout.packages):
            make_directory(layout.packages)
            make_directory(layout.package_locks)
    with ExitStack() as stack:
        for directory in _directories(layout):
            stack.enter_context(_present(directory))
        yield


@contextmanager
def alone(layout: Layout) -> Iterator[bool]:
    """Say whether no process is :func:`at_work`; none begins to be during the block.

    Raises :class:`~kaa.model.errors.StoreError` when a lock file cannot be written.
    """
    with ExitStack() as stack:
        for directory in _directories(layout):
            stack.enter_context(_nobody_begins(directory))
        with runs(layout) as found:
            yield not found.alive


@contextmanager
def runs(layout: Layout) -> Iterator[Runs]:
    """Find out who is at work; the locks of the dead are held for the block and gone afterwards.

    So only one process clears up after each of them. This process itself is alive if it is
    :func:`at_work`. What cannot be looked at counts as alive.
    """
    directories = _directories(layout)
    alive: set[str] = set()
    dead: set[str] = set()
    with ExitStack() as stack:
        for directory in directories:
            for path in directory.glob(f"{_RUN}*{_END}"):
                token = path.name[len(_RUN) : -len(_END)]
                try:
                    free = path not in _mine and stack.enter_context(held_if_free(path))
                except StoreError:
                    free = False
                (dead if free else alive).add(token)
        yield Runs(directories, frozenset(alive), frozenset(dead - alive))


@contextmanager
def _present(directory: Path) -> Iterator[None]:
    path = _lock_of(directory, run_token())
    with _guard:
        count, lock = _mine.get(path) or (0, ExitStack())
        if not count:
            with _nobody_begins(directory):
                lock.enter_context(held(path))
        _mine[path] = (count + 1, lock)
    try:
        yield
    finally:
        with _guard:
            count, lock = _mine.pop(path)
            if count > 1:
                _mine[path] = (count - 1, lock)
            else:
                lock.close()


@contextmanager
def _nobody_begins(directory: Path) -> Iterator[None]:
    with held(directory / f"runs{_END}"):
        yield


def _lock_of(directory: Path, token: str) -> Path:
    return directory / f"{_RUN}{token}{_END}"


def _directories(layout: Layout) -> tuple[Path, ...]:
    return tuple(dict.fromkeys((layout.locks, layout.package_locks)))
