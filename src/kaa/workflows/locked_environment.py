"""An environment as a lock: the URL and the hash of every package that it has."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import BytesParser
from typing import TYPE_CHECKING

from kaa.environments.history import lock_of
from kaa.formats.lock_file import LockedDistribution, LockedEnvironment, LockedPlatform
from kaa.formats.recognition import FileFormat
from kaa.model.errors import RequestError, UnsupportedError
from kaa.model.package import HOST, PYPI, source_of_channel
from kaa.network.locations import redact
from kaa.sources.index import distribution_of, normalise
from kaa.sources.installed import installed_file
from kaa.sources.target import host_subdir
from kaa.workflows.inspect import foreign_packages
from kaa.workflows.installed import records_of_lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import Message
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.environments.prefix import Prefix


@dataclass(frozen=True, slots=True)
class LockedCopy:
    """What is locked of an environment, and what of it cannot be."""

    environment: LockedEnvironment
    lost: tuple[str, ...] = ()


def locked_environment(found: Prefix, format_: FileFormat) -> LockedCopy:
    """Return all packages of an environment as a lock has them.

    :raises UnsupportedError: a package is none that could be fetched again.
    :raises EnvironmentStateError: the records cannot be read.
    """
    generation = found.current
    records = records_of_lock(lock_of(generation))
    metadata = _metadata(generation)
    conda, distributions = [], []
    for record in records:
        source = source_of_channel(record.channel or "")
        if source == HOST:
            if format_ is not FileFormat.PYLOCK:
                raise _host_python(record, format_)
            conda.append(record)
        elif source == PYPI:
            distributions.append(_distribution(record, metadata))
        else:
            _check(record)
            conda.append(record)
    foreign = [each.name for each in foreign_packages(generation)]
    lost = (
        (f"{', '.join(foreign)}: pip has installed it by hand (`kaa adopt` takes it over)",)
        if foreign
        else ()
    )
    channels = dict.fromkeys(
        redact(each.channel) for each in conda if each.channel and not _is_host(each)
    )
    platform = LockedPlatform(
        _subdir(conda),
        tuple(conda),
        tuple(sorted(distributions, key=lambda one: one.name)),
    )
    return LockedCopy(LockedEnvironment(tuple(channels), (platform,)), lost)


def _is_host(record: RepoDataRecord) -> bool:
    return source_of_channel(record.channel or "") == HOST


def _subdir(records: Sequence[RepoDataRecord]) -> str:
    subdirs = {str(record.subdir) for record in records if not _is_host(record)} - {"noarch"}
    return subdirs.pop() if len(subdirs) == 1 else host_subdir()


def _check(record: RepoDataRecord) -> None:
    if not record.sha256 and not record.md5:
        raise RequestError(
            f"{record.name.normalized} has no hash, so a lock of it could not be checked",
            cause="the record of the package does not say it",
            hint="install it anew, from a channel that says hashes",
        )


def _host_python(record: RepoDataRecord, format_: FileFormat) -> UnsupportedError:
    return UnsupportedError(
        f"Python {record.version} is this machine's own, which no {format_.value} can hold",
        hint="--format pylock locks the packages of PyPI, which is all there is beside it; or take "
        "Python from a conda channel (`kaa install -c conda-forge conda-forge::python`)",
    )


def _distribution(record: RepoDataRecord, metadata: Mapping[str, Message]) -> LockedDistribution:
    file = installed_file(record)
    known = distribution_of(file.filename)
    sha256 = file.hashes.get("sha256")
    if known is None or sha256 is None:
        raise UnsupportedError(
            f"{record.name.normalized} was built from {redact(record.url)}, and nobody knows the "
            "hash of what that would be again",
            cause="a directory, a repository or a source distribution has no hash of its own here",
            hint="export it as environment-yml, which names where it came from",
        )
    said = metadata.get(normalise(known[0]))
    return LockedDistribution(
        normalise(known[0]),
        known[1] if said is None else str(said["Version"] or known[1]),
        redact(file.url),
        sha256,
        tuple(said.get_all("Requires-Dist") or ()) if said is not None else (),
        said["Requires-Python"] if said is not None else None,
    )


def _metadata(generation: Path) -> dict[str, Message]:
    """Return the core metadata of what is installed, by the projects' names (PEP 503)."""
    found = {}
    for pattern in ("lib/python3.*/site-packages", "Lib/site-packages"):
        for path in generation.glob(f"{pattern}/*.dist-info/METADATA"):
            said = BytesParser().parsebytes(path.read_bytes(), headersonly=True)
            if said["Name"]:
                found[normalise(str(said["Name"]))] = said
    return found
