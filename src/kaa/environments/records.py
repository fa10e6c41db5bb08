"""The package records in an environment's ``conda-meta``, as the solver and the linker want them.

:mod:`kaa.environments.prefix` reads them for listings, where a damaged one must not hide the
others. Whoever changes an environment has to know all of them, and gets an error instead.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kaa.environments.prefix import GENERATIONS, read_manifest
from kaa.model.errors import EnvironmentStateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rattler import PrefixRecord, RepoDataRecord

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """What a record says of a package's files.

    ``content`` identifies the archive (its sha256, else its URL); ``site_packages`` is where the
    environment's Python looks for packages, in the record of ``python`` only; ``files`` are paths
    below the prefix, with forward slashes; ``hashes`` their sha256 (hexadecimal) as they were
    linked, where the record has them.
    """

    name: str
    version: str
    build: str
    content: str
    site_packages: str | None
    files: tuple[str, ...]
    hashes: dict[str, str | None]


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


def repodata_records(records: Sequence[PrefixRecord]) -> tuple[RepoDataRecord, ...]:
    """Return the records without what only an environment knows, as channels have them."""
    from rattler import RepoDataRecord

    return tuple(
        RepoDataRecord(record, record.file_name, record.url, record.channel) for record in records
    )


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


def read_files(generation: Path) -> tuple[PackageFiles, ...]:
    """Return which files each package in ``generation`` has, in order of name.

    Read without rattler, which takes ten times as long for the paths of a large environment.
    Raises :class:`~kaa.model.errors.EnvironmentStateError` when a record cannot be read.
    """
    found: list[PackageFiles] = []
    damaged: list[tuple[str, str]] = []
    for path in _record_files(generation):
        try:
            found.append(_package_files(path.read_bytes()))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            damaged.append((path.name, f"{type(error).__name__}: {error}"))
    if damaged:
        raise _damaged(generation, damaged)
    return tuple(sorted(found, key=lambda package: package.name))


def known_files(generation: Path, others: Sequence[PackageFiles]) -> tuple[PackageFiles, ...]:
    """Return what :func:`read_files` does, those of ``others`` for records that cannot be read."""
    found = []
    for path in _record_files(generation):
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            found.append(_package_files(path.read_bytes()))
    names = {package.name for package in found}
    return (*found, *(package for package in others if package.name not in names))


@lru_cache(maxsize=512)
def _package_files(content: bytes) -> PackageFiles:
    """Parse a record; once where several generations have it, byte for byte, as most changes do."""
    import orjson

    record: dict[str, Any] = orjson.loads(content)
    files = record.get("files")
    entries = (record.get("paths_data") or {}).get("paths") or []
    return PackageFiles(
        name=record["name"],
        version=record["version"],
        build=record.get("build") or "",
        content=record.get("sha256") or record.get("url") or "",
        site_packages=record.get("python_site_packages_path"),
        files=tuple(files if files is not None else [entry["_path"] for entry in entries]),
        hashes={
            entry["_path"]: entry.get("sha256_in_prefix") or entry.get("sha256")
            for entry in entries
        },
    )


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
    kept = generation.parent  # of kaa's environments the stable path is what can be typed
    stable = kept.parent.parent / kept.name if kept.parent.name == GENERATIONS else generation
    return EnvironmentStateError(
        f"what is installed cannot be read in {generation / 'conda-meta'}",
        cause="\n".join(reasons),
        hint=f"`kaa repair -p {shlex.quote(str(stable))}` mends them, or --fix added to this",
    )
