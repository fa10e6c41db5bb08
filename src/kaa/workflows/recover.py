"""What a killed process left is finished or cleared by the next command that changes something."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kaa.environments.elsewhere import forget_directories
from kaa.environments.prefix import GENERATIONS, Prefix
from kaa.environments.registry import conda_environments_file, unregister_missing
from kaa.environments.writer import writer_if_free
from kaa.kernels.specs import prune_kernelspecs
from kaa.model.errors import StoreError
from kaa.transaction.commit import (
    LEAVING,
    REMOVED,
    RENAMED,
    STANDS_IN,
    UNANNOUNCED,
    renamed_to,
    stands_alone,
    stood_in_for,
)
from kaa.transaction.leftovers import clear_leftovers, directories_in_reach
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.store.layout import Layout


def recover(layout: Layout, prefix: Prefix) -> None:
    """Finish or take back what was begun, for ``prefix`` and for all environments in reach.

    The caller is the only writer of ``prefix``; what others are at work on is left alone. Raises
    :class:`~kaa.model.errors.StoreError` when lock files cannot be written.
    """
    directories = dict.fromkeys((prefix.path.parent, *directories_in_reach(layout)))
    removed = any(map(_has_removals, directories))
    clear_leftovers(layout, prefix)
    for directory in directories:
        for found in _unfinished(directory):
            if found == prefix:
                _finish(found, layout)
                continue
            # In a directory that is read-only, others may finish it.
            with suppress(StoreError), writer_if_free(found, "finish what was begun") as free:
                if free:
                    _finish(found, layout)
    if removed:
        with tolerated("kernels of environments that are gone may be listed", layout.locks):
            prune_kernelspecs()
        with tolerated("conda's list has environments that are gone", conda_environments_file()):
            unregister_missing(layout, tuple(directories))
    forget_directories(layout)


def _has_removals(directory: Path) -> bool:
    generations = directory / GENERATIONS
    return any(generations.glob(f"{REMOVED}*")) or any(generations.glob(f"*/{LEAVING}"))


def _unfinished(directory: Path) -> list[Prefix]:
    marks = [
        mark
        for pattern in (RENAMED, UNANNOUNCED, f"{STANDS_IN}*")
        for mark in (directory / GENERATIONS).glob(f"*/{pattern}")
    ]
    return list(dict.fromkeys(Prefix(directory / mark.parent.name) for mark in marks))


def _finish(found: Prefix, layout: Layout) -> None:
    """Finish what was begun with an environment; the caller is its only writer."""
    from kaa.workflows.announce import announce
    from kaa.workflows.remove import take_away

    if renamed_to(found) is not None:
        take_away(found, layout)
    else:
        (found.generations / RENAMED).unlink(missing_ok=True)
    for source in stood_in_for(found):  # which may be where nobody looks
        with suppress(StoreError), writer_if_free(source, "finish what was begun") as free:
            if free:
                take_away(source, layout)
    if not stood_in_for(found):
        stands_alone(found)
    if found.path.is_symlink():
        announce(found, layout)
