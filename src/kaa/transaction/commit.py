"""A staged generation becomes the environment, in one rename."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import Prefix, write_manifest
from kaa.model.errors import EnvironmentExistsError
from kaa.store.disk import writing

if TYPE_CHECKING:
    from kaa.model.environment import Manifest

REMOVED = ".old-"


def check_absent(prefix: Prefix) -> None:
    """Raise :class:`EnvironmentExistsError` unless an environment can be created at ``prefix``."""
    path = prefix.path
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return  # an empty directory, as made by hand or by a mount point
    if os.path.lexists(path):
        raise EnvironmentExistsError(
            f"there is already something at {path}",
            hint=f"choose another name, or remove it first: `kaa env remove -p {path}`",
        )


def commit_first_generation(prefix: Prefix, staging: Path, manifest: Manifest) -> int:
    """Make ``staging`` the first generation of the new environment and return its number.

    Everything is on disk before the link appears. Raises :class:`EnvironmentExistsError` when
    another process was faster.
    """
    with writing(prefix.path):
        write_manifest(staging, manifest)
        check_absent(prefix)
        number = prefix.next_number()
        generation = prefix.generations / str(number)
        staging.replace(generation)
        try:
            _link(prefix, generation)
        except BaseException:
            shutil.rmtree(generation, ignore_errors=True)
            raise
    return number


def _link(prefix: Prefix, generation: Path) -> None:
    if prefix.path.is_dir() and not prefix.path.is_symlink():
        prefix.path.rmdir()
    beside = prefix.generations / f".link-{secrets.token_hex(4)}"
    # Relative, so that a directory of environments can be moved or mounted elsewhere as a whole.
    beside.symlink_to(
        Path(os.path.relpath(generation, prefix.path.parent)), target_is_directory=True
    )
    beside.replace(prefix.path)


def remove_prefix(prefix: Prefix) -> None:
    """Remove an environment: the link first, then its generations.

    The generations are renamed before they are deleted, so that a kill in between leaves nothing
    that looks like an environment.
    """
    with writing(prefix.path):
        if prefix.path.is_symlink():
            prefix.path.unlink()
        if prefix.generations.is_dir():
            doomed = prefix.generations.with_name(f"{REMOVED}{prefix.name}-{secrets.token_hex(4)}")
            prefix.generations.replace(doomed)
            shutil.rmtree(doomed)
        generations = prefix.generations.parent
        if generations.is_dir() and not any(generations.iterdir()):
            generations.rmdir()
