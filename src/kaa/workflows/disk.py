"""Say what takes space on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.doctor.usage import disk_use
from kaa.workflows.inspect import find_environment

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.disk_use import DiskUse, Use
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout


def all_disk_use(layout: Layout, progress: Progress) -> DiskUse:
    """Return what kaa's environments and caches take, and those of the tools that it knows."""
    return disk_use(layout, progress)


def environment_disk_use(
    layout: Layout, name: str | None, prefix: Path | None, progress: Progress
) -> Use:
    """Return what one environment takes. Everything else is looked at, too: it may share files.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`.
    """
    found = find_environment(layout, name, prefix).path
    everything = disk_use(layout, progress, found)
    same = [use for use in everything.uses if use.path == found]
    if not same:  # the same directory by another name
        real = found.resolve()
        same = [use for use in everything.uses if use.path.resolve() == real]
    return same[0]
