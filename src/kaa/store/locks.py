"""Locks between processes. The system lets go of them when a process ends, however it ends."""

from __future__ import annotations

import contextlib
import logging
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.store.layout import Layout

_PATIENCE = 1.0
"""Seconds after which a user is told what is being waited for."""
_RUN = "run-"
_log = logging.getLogger(__name__)


@contextmanager
def locked(layout: Layout, name: str) -> Iterator[None]:
    """Hold the machine-wide lock ``name`` for the block, waiting for it as long as it takes.

    Raises :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    import filelock

    lock = filelock.FileLock(layout.locks / f"{name}.lock")
    with writing(layout.locks):
        layout.locks.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_PATIENCE)
        except filelock.Timeout:
            _log.warning("waiting for another kaa, which holds %s", lock.lock_file)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def at_work(layout: Layout) -> Iterator[None]:
    """Let other processes see, for the block, that this one has unfinished files below the root.

    Raises :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    import filelock

    path = layout.locks / f"{_RUN}{secrets.token_hex(8)}.lock"
    own = filelock.FileLock(path)
    with locked(layout, "runs"), writing(layout.locks):
        own.acquire()
    try:
        yield
    finally:
        own.release()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def alone(layout: Layout) -> Iterator[bool]:
    """Say whether no process is :func:`at_work`; none begins to be during the block.

    A process id would not tell: containers that share a disk have the same ones.
    Raises :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    import filelock

    with locked(layout, "runs"):
        for path in layout.locks.glob(f"{_RUN}*.lock"):
            try:
                with filelock.FileLock(path, timeout=0):
                    pass
            except filelock.Timeout:
                yield False
                return
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # of a process that was killed
        yield True
