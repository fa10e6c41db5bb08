"""Locks between processes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.store.layout import Layout


@contextmanager
def locked(layout: Layout, name: str) -> Iterator[None]:
    """Hold the machine-wide lock ``name`` for the block, waiting for it as long as it takes."""
    import filelock

    layout.locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(layout.locks / f"{name}.lock"):
        yield
