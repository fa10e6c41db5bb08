"""Locks between processes. The system lets go of them when a process ends, however it ends."""

from __future__ import annotations

import contextlib
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kaa.store.disk import writing
from kaa.store.exclusive import held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.store.layout import Layout

_RUN = "run-"


@contextmanager
def locked(layout: Layout, name: str) -> Iterator[None]:
    """Hold the machine-wide lock ``name`` for the block, waiting for it as long as it takes.

    Raises :class:`~kaa.model.errors.StoreError` when the lock file cannot be written.
    """
    with held(layout.locks / f"{name}.lock"):
        yield


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
