"""The package records in an environment's ``conda-meta``, as the solver and the linker want them.

:mod:`kaa.environments.prefix` reads them for listings, where a damaged one must not hide the
others. Whoever changes an environment has to know all of them, and gets an error instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaa.environments.prefix import read_manifest
from kaa.model.errors import EnvironmentStateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import PrefixRecord

_SHOWN = 3


def read_records(generation: Path) -> tuple[PrefixRecord, ...]:
    """Return what is recorded of every package in ``generation``, in order of name.

    A directory without ``conda-meta`` has no packages. Raises
    :class:`~kaa.model.errors.EnvironmentStateError` when a record cannot be read, or when two
    are about the same package: what belongs to whom would be a guess.
    """
    from rattler import PrefixRecord
    from rattler.exceptions import IoError  # which it raises for what is no record, too

    records: dict[str, PrefixRecord] = {}
    damaged: list[tuple[str, str]] = []
    for path in _record_files(generation):
        try:
            record = PrefixRecord.from_path(path)
        except (IoError, ValueError) as error:
            damaged.append((path.name, str(error)))
            continue
        name = record.name.normalized
        if name in records:
            damaged.append((path.name, f"there is a second record of {name}"))
        records[name] = record
    if damaged:
        raise _damaged(generation, damaged)
    return tuple(records[name] for name in sorted(records))


def requested_specs(generation: Path, records: Sequence[PrefixRecord]) -> tuple[str, ...]:
    """Return the specs that were asked for, as typed.

    They are in the manifest; where that is damaged, ``records`` tell as much as their packages
    have kept.
    """
    manifest = read_manifest(generation)
    if manifest is not None:
        return manifest.specs
    return tuple(spec for record in records for spec in record.requested_specs or ())


def installed_names(generation: Path) -> list[str]:
    """Return the names of the installed packages, read off the names of their records."""
    names = {path.name.rsplit("-", 2)[0] for path in _record_files(generation)}
    return sorted(names)


def owned_paths(record: PrefixRecord) -> list[str]:
    """Return the paths of a package's files below the prefix, with forward slashes."""
    return [os.fspath(path).replace(os.sep, "/") for path in record.files]


def _record_files(generation: Path) -> list[Path]:
    directory = generation / "conda-meta"
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - Path.glob is silent where it fails
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _damaged(generation, [(directory.name, error.strerror or str(error))]) from error
    return [directory / name for name in names if name.endswith(".json")]


def _damaged(generation: Path, damaged: list[tuple[str, str]]) -> EnvironmentStateError:
    reasons = [f"{name}: {reason}" for name, reason in damaged[:_SHOWN]]
    if len(damaged) > _SHOWN:
        reasons.append(f"and {len(damaged) - _SHOWN} more")
    return EnvironmentStateError(
        f"what is installed cannot be read in {generation / 'conda-meta'}",
        cause="\n".join(reasons),
        hint="create the environment anew; `kaa info` shows what was asked for, and your own "
        "files are in that directory",
    )
