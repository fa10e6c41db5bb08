"""A staged generation becomes the environment, in one rename."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.prefix import MANIFEST, Prefix, write_manifest
from kaa.model.errors import EnvironmentExistsError
from kaa.store.disk import writing

if TYPE_CHECKING:
    from kaa.model.environment import Manifest

REMOVED = ".old-"
"""How the names of removed environments' generations begin, until they are deleted."""
BESIDE = ".link-"
"""How the names of links begin that are not in place yet."""


def check_absent(prefix: Prefix) -> None:
    """Raise :class:`EnvironmentExistsError` unless an environment can be created at ``prefix``."""
    path = prefix.path
    for directory in (prefix.generations.parent, prefix.generations):
        if directory.is_symlink():  # what is removed in there would be somebody else's
            raise EnvironmentExistsError(
                f"the directory for generations is a link: {directory}",
                hint="choose another place for the environment, or remove the link",
            )
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return  # an empty directory, as made by hand or by a mount point
    if prefix.current_number is not None:
        remove = f"kaa env remove -p {shlex.quote(str(path))}"
        raise EnvironmentExistsError(
            f"the environment {prefix.name} exists already: {path}",
            hint=f"choose another name, or remove it first: `{remove}`",
        )
    if os.path.lexists(path):
        raise EnvironmentExistsError(
            f"there is already something at {path}",
            cause="it is no environment of kaa's, which would be a link",
            hint="choose another place, or move away what is there",
        )


def commit_first_generation(prefix: Prefix, staging: Path, manifest: Manifest) -> int:
    """Make ``staging`` the first generation of the new environment and return its number.

    Everything is in place before the link appears. Raises :class:`EnvironmentExistsError` when
    another process was faster.
    """
    with writing(prefix.path):
        write_manifest(staging, manifest)
        check_absent(prefix)
        _remove_unlinked(prefix)
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
    beside = prefix.generations / f"{BESIDE}{secrets.token_hex(4)}"
    # Relative, so that a directory of environments can be moved or mounted elsewhere as a whole.
    beside.symlink_to(
        Path(os.path.relpath(generation, prefix.path.parent)), target_is_directory=True
    )
    try:
        beside.replace(prefix.path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _remove_unlinked(prefix: Prefix) -> None:
    """Remove the generation of a process that was killed between its last two renames."""
    for generation in prefix.generations.iterdir():
        if generation.name.isdigit() and (generation / MANIFEST).is_file():
            shutil.rmtree(generation)


def detach(prefix: Prefix) -> Path:
    """Take an environment away, in two renames, and return where its generations are now.

    The link goes first, so that a kill in between leaves nothing that looks like an environment.
    The path that is returned is for :func:`delete` and need not exist.
    """
    doomed = prefix.generations.with_name(f"{REMOVED}{prefix.name}-{secrets.token_hex(4)}")
    with writing(prefix.path):
        prefix.path.unlink(missing_ok=True)
        if prefix.generations.is_dir():
            prefix.generations.replace(doomed)
    return doomed


def delete(doomed: Path) -> None:
    """Delete the generations that :func:`detach` took away; it may take long."""
    with writing(doomed):
        if doomed.is_dir():
            shutil.rmtree(doomed)
