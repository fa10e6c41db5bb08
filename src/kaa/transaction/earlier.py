"""A generation of before makes way for what is newer in the current one, before it is gone back to.

It has files of nobody's itself, as they were when it was left. Of each there has to be the newest:
a distribution that pip has upgraded or taken away since must not be there twice, or again. Files of
the user's that were deleted since are there again, because a program that runs in the generation
may have written them only just now.
"""

# Paths are plain texts here, as in kaa.transaction.copying and for its reason.
# ruff: noqa: PTH106, PTH108, PTH112, PTH114, PTH208

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from kaa.environments.foreign import foreign_distributions, metadata_directories, site_packages
from kaa.environments.history import Generation
from kaa.model.errors import EnvironmentStateError
from kaa.model.package import project_name
from kaa.transaction.carried import BESIDE
from kaa.transaction.copying import sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kaa.environments.foreign import Foreign
    from kaa.environments.records import PackageFiles
    from kaa.transaction.comparison import Owners

_SHALLOW = 2
"""So many slashes are in the path of a directory that stays (``lib/python3.12/site-packages``)."""


def make_way(
    target: Path,
    after: Sequence[PackageFiles],
    before: Sequence[PackageFiles],
    coming: Iterable[Foreign],
) -> None:
    """Take distributions away of which another version is carried, or that pip has removed since.

    ``target`` is the generation that is gone back to, ``after`` are its packages, ``before`` those
    of the current one, and ``coming`` what is carried from there. One that the current generation
    could not have, because a package has its name or Python another version, stays. A kill in
    between loses nothing: the metadata, by which it is found, go last.
    """
    newer = {each.name: each for each in coming}
    replaced = set(metadata_directories(before).values())
    moved = site_packages(before) != site_packages(after)
    owned = {path for package in after for path in package.files}
    for each in foreign_distributions(target, after):
        if each.name in newer:
            if newer[each.name].metadata == each.metadata:
                continue
        elif moved or each.name in replaced:
            continue
        _remove(os.fspath(target), each, owned)


def _remove(target: str, each: Foreign, owned: set[str]) -> None:
    last = f"{each.metadata}/"
    files = sorted(each.files - owned, key=lambda path: path.startswith(last))
    for path in files:
        with contextlib.suppress(OSError):
            os.unlink(f"{target}/{path}")
    shutil.rmtree(f"{target}/{each.metadata}", ignore_errors=True)
    above = {path.rpartition("/")[0] for path in files}
    for directory in sorted(filter(None, above), key=len, reverse=True):
        _remove_empty(target, directory)


def _remove_empty(target: str, directory: str) -> None:
    """Remove a directory and those above it, as far as nothing but old bytecode is in them."""
    while directory.count("/") > _SHALLOW:
        path = f"{target}/{directory}"
        with contextlib.suppress(OSError):
            if os.listdir(path) == ["__pycache__"]:
                shutil.rmtree(f"{path}/__pycache__")
        try:
            os.rmdir(path)
        except OSError:
            return
        directory = directory.rpartition("/")[0]


def files_of_damaged(generation: Path, foreign: Iterable[Foreign]) -> set[str]:
    """Return the paths of distributions that are packages whose records are damaged.

    They look as if another program had installed them; the generation's lock knows better.
    """
    try:
        lock = Generation(0, generation).records()
    except EnvironmentStateError:
        return set()
    names = {project_name(str(record["name"])) for record in lock}
    own = [each for each in foreign if each.name in names]
    return {path for each in own for path in (each.metadata, *each.files)}


def gives_way(target: str, path: str, after: Owners) -> bool:
    """Remove what is at a path of the generation, if it is nobody's; say whether it was."""
    if path in after or after.has_below(path):
        return False
    there = f"{target}/{path}"
    if os.path.isdir(there) and not os.path.islink(there):
        shutil.rmtree(there)
    else:
        os.unlink(there)
    return True


def stays(path: str, before: Owners, after: Owners) -> bool:
    """Say whether a path is a package's own settings file that was put beside the user's.

    It belongs to the generation in which it was put there.
    """
    if not path.endswith(BESIDE) or path in before:
        return False
    own = path.removesuffix(BESIDE)
    return own in before or own in after


def is_users(target: str, path: str, after: Owners) -> bool:
    """Say whether a settings file of the generation has been edited, so that it is no package's."""
    owner = after.get(path)
    expected = owner.hashes.get(path) if owner is not None else None
    if not expected:
        return False
    with contextlib.suppress(OSError):
        return sha256(f"{target}/{path}") != expected
    return False
