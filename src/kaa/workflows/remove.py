"""Remove an environment: its link, its generations, its kernelspec, its place in conda's list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.environments.prefix import read_info
from kaa.environments.registry import unregister
from kaa.kernels.specs import remove_kernelspec
from kaa.model.errors import UnsupportedError
from kaa.store.disk import writing
from kaa.store.locks import locked
from kaa.transaction.commit import remove_prefix
from kaa.workflows.inspect import find_environment

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.environment import EnvironmentInfo
    from kaa.store.layout import Layout


def remove_environment(layout: Layout, name: str | None, prefix: Path | None) -> EnvironmentInfo:
    """Remove an environment that kaa made and return what it was.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`,
    :class:`~kaa.model.errors.UnsupportedError` for an environment of another program, and the
    errors of the disk.
    """
    found = find_environment(layout, name, prefix)
    info = read_info(found)
    if not found.path.is_symlink():
        raise UnsupportedError(
            f"{found.path} was not made by kaa",
            cause="it is a directory of its own, not a link to a generation",
            hint="remove it with the program that made it",
        )
    with writing(found.path), locked(layout, "environments"):
        remove_prefix(found)
        unregister(layout, found.path)
        remove_kernelspec(found.path)
    return info
