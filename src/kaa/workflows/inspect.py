"""Look at environments. Nothing here imports more than it must: listing has to be instant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.environments.names import resolve_prefix
from kaa.environments.prefix import ADOPTING, Prefix, moved_by_hand, read_info
from kaa.environments.registry import find_prefixes
from kaa.model.errors import (
    EnvironmentNotFoundError,
    EnvironmentStateError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.environment import EnvironmentInfo
    from kaa.model.errors import KaaError
    from kaa.model.package import Package
    from kaa.store.layout import Layout


def list_environments(layout: Layout) -> list[EnvironmentInfo]:
    """Return kaa's environments, the named ones first, in order of name."""
    return [read_info(prefix) for prefix in find_prefixes(layout)]


def environment_prefixes(layout: Layout) -> list[Path]:
    """Return where kaa's environments are, in the same order, without looking into them."""
    return [prefix.path for prefix in find_prefixes(layout)]


def environment_info(layout: Layout, name: str | None, prefix: Path | None) -> EnvironmentInfo:
    """Return one environment. Raises :class:`EnvironmentNotFoundError`."""
    return read_info(find_environment(layout, name, prefix))


def list_packages(layout: Layout, name: str | None, prefix: Path | None) -> list[Package]:
    """Return an environment's packages in order of name, with what pip installed by hand.

    Raises :class:`EnvironmentNotFoundError`.
    """
    from kaa.environments.packages import read_packages

    found = find_environment(layout, name, prefix)
    check_there(found)
    generation = found.current
    packages = [*read_packages(generation), *foreign_packages(generation)]
    return sorted(packages, key=lambda package: package.name)


def foreign_packages(generation: Path) -> list[Package]:
    """Return the packages that pip, or another such program, has installed into a generation."""
    from kaa.environments.foreign import foreign_package, read_foreign

    return [foreign_package(generation, each) for each in read_foreign(generation)]


def find_environment(layout: Layout, name: str | None, prefix: Path | None) -> Prefix:
    """Return the environment of this name or at this path.

    A link whose generation is missing counts: it can be looked at and removed. Raises
    :class:`EnvironmentNotFoundError`, and :class:`~kaa.model.errors.InvalidNameError`.
    """
    found = Prefix(resolve_prefix(layout, name, prefix))
    leads_nowhere = found.path.is_symlink() and not os.path.isdir(found.path)  # noqa: PTH112
    if found.current_number is not None or leads_nowhere or (found.path / "conda-meta").is_dir():
        return found
    if (found.path / "pyvenv.cfg").is_file():
        raise EnvironmentNotFoundError(
            f"{found.path} is a virtual environment that kaa has not made",
            cause="it has no conda-meta directory, in which kaa keeps what it has done",
            hint=f"`kaa adopt -p {_quoted(found.path)}` makes it one of kaa's",
        )
    if os.path.lexists(found.path):
        raise EnvironmentNotFoundError(
            f"{found.path} is not an environment",
            cause="it has no conda-meta directory",
            hint="`kaa env list` shows the environments that there are",
        )
    if any(found.generations.glob(f"{ADOPTING}*")):
        raise EnvironmentNotFoundError(
            f"the adoption of {found.path} was interrupted",
            hint=f"finish it: `kaa adopt -p {_quoted(found.path)}`",
        )
    raise EnvironmentNotFoundError(
        f"there is no environment {name!r}" if name else f"there is nothing at {found.path}",
        hint=_near(layout, name or found.name),
    )


def check_there(found: Prefix) -> None:
    """Raise :class:`EnvironmentNotFoundError` when what an environment's link leads to is gone."""
    current = found.current
    if os.path.isdir(current) or not found.path.is_symlink():  # noqa: PTH112 - never raises
        return
    if os.path.lexists(current.parent) and not os.access(current.parent, os.X_OK):
        raise EnvironmentStateError(
            f"the environment {found.name!r} is closed to you: {current.parent}",
            hint="ask whoever it belongs to, or use another environment",
        )
    raise EnvironmentNotFoundError(
        f"the environment {found.name!r} is broken",
        cause=f"its generation {current} is missing",
        hint="if its link was moved, move it back; else "
        f"`kaa repair -p {_quoted(found.path)}` rebuilds it from the others",
    )


def not_ours(found: Prefix, *, cause: str, hint: str) -> KaaError:
    """Return the error for an environment that kaa cannot change, because it did not make it.

    Where somebody has moved its link, that is what is said, instead of ``cause`` and ``hint``.
    """
    before = moved_by_hand(found)
    if before is None:
        return UnsupportedError(f"{found.path} was not made by kaa", cause=cause, hint=hint)
    there, here = _quoted(before.path), _quoted(found.path)
    back = f"move it back (`mv {here} {there}`), and rename it with `kaa rename`"
    if os.path.lexists(before.path):
        back = f"remove this link (`rm {here}`), and use what is at {there} now"
    return EnvironmentStateError(
        f"the environment at {found.path} was moved by hand from {before.path}",
        cause="its generations are still there, and its programs name that path",
        hint=back,
    )


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _near(layout: Layout, name: str) -> str:
    import difflib

    there = [prefix.name for prefix in find_prefixes(layout)]
    near = difflib.get_close_matches(name, there, n=2, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(f'`{known}`' for known in near)}?"
    if there:
        return "`kaa env list` shows the environments that there are"
    return "there is no environment yet: `kaa create -n NAME python=3.12` makes one"
