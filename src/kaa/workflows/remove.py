"""Remove an environment: its link, its generations, its kernelspec, its place in conda's list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.environments.prefix import read_info
from kaa.environments.registry import conda_environments_file, unregister
from kaa.environments.writer import sole_writer
from kaa.kernels.specs import kernelspec_directory, remove_kernelspec
from kaa.store.disk import check_writable
from kaa.store.locks import at_work, locked
from kaa.transaction.commit import delete, detach
from kaa.workflows.announce import bring_others_in_step
from kaa.workflows.inspect import find_environment, not_ours
from kaa.workflows.recover import recover
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.environments.prefix import Prefix
    from kaa.model.environment import EnvironmentInfo
    from kaa.store.layout import Layout


def remove_environment(
    layout: Layout, name: str | None, prefix: Path | None, command: str = "kaa env remove"
) -> EnvironmentInfo:
    """Remove an environment that kaa made and return what it was.

    Who else changes it is waited for, and told that this is ``command``.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`,
    :class:`~kaa.model.errors.UnsupportedError` for an environment of another program, and the
    errors of the disk.
    """
    found = find_environment(layout, name, prefix)
    info = read_info(found)
    if info.generation is None:
        raise not_ours(
            found,
            cause="it is no link to a generation",
            hint="remove it with the program that made it",
        )
    check_writable(found.generations)
    with sole_writer(found, command), at_work(layout):
        recover(layout, found)
        info = read_info(find_environment(layout, None, found.path))  # as whoever was there left it
        take_away(found, layout)
    bring_others_in_step(layout)
    return info


def take_away(found: Prefix, layout: Layout) -> None:
    """Remove an environment of kaa's; the caller is its only writer. Raises the disk's errors."""
    doomed = detach(found)
    with locked(layout, "environments"):
        with tolerated(f"{found.name} is still on conda's list", conda_environments_file()):
            unregister(layout, found.path)
        with tolerated(f"the kernel of {found.name} is still there", kernelspec_directory()):
            remove_kernelspec(found.path)
    delete(doomed)
