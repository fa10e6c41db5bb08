"""Directories outside of kaa's own in which environments have a path of their own (``-p``).

conda's list has an environment only once it is complete. What a process leaves that is killed
before is found by the next one, whatever that works on, because the directory is noted here first.

A note is a symbolic link to the directory: the system makes it whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.store.disk import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.store.layout import Layout

_DIRECTORY = "elsewhere"


def note_directory(layout: Layout, prefix: Prefix) -> None:
    """Note where an environment is going to be, unless that is known anyway.

    To be called before anything is made there. Raises :class:`~kaa.model.errors.StoreError` when
    it cannot be written.
    """
    directory = prefix.path.parent
    if directory in layout.all_environments:
        return
    path = layout.root / _DIRECTORY / _name(directory)
    with writing(path), contextlib.suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(directory)


def noted_directories(layout: Layout) -> tuple[Path, ...]:
    """Return the directories that were noted, as long as there is something of kaa's in them."""
    return tuple(directory for _, directory in _notes(layout) if _in_use(directory))


def forget_directories(layout: Layout) -> None:
    """Take away the notes of directories in which nothing of kaa's is any more."""
    for path, directory in _notes(layout):
        if not _in_use(directory):
            with contextlib.suppress(OSError):
                path.unlink()
    with contextlib.suppress(OSError):
        (layout.root / _DIRECTORY).rmdir()


def _notes(layout: Layout) -> Iterator[tuple[Path, Path]]:
    """Give the notes and what they lead to; what else is among them is somebody's own."""
    for path in sorted((layout.root / _DIRECTORY).glob("*")):
        with contextlib.suppress(OSError):
            directory = path.readlink()
            if path.name == _name(directory):
                yield path, directory


def _name(directory: Path) -> str:
    return hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]


def _in_use(directory: Path) -> bool:
    try:
        return (directory / GENERATIONS).is_dir()
    except OSError:
        return False
