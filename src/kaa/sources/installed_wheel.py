"""Which wheel of an index a distribution is that somebody else has installed.

It is told by what the distribution keeps of it: name, version, the tags in ``WHEEL`` (PEP 427) and
the core metadata, which an index gives the hash of (PEP 658) or else the text. What was built on
this machine, or changed before it was installed, is none of the index's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.distribution import Release
from kaa.model.errors import MetadataError, SourceError
from kaa.sources.identity import identity
from kaa.sources.metadata import parse_metadata
from kaa.sources.records import dependencies, wheel_record
from kaa.sources.versions import python_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.distribution import IndexFile
    from kaa.sources.index import ProjectIndex
    from kaa.sources.metadata import MetadataReader
    from kaa.sources.target import Target


@dataclass(frozen=True, slots=True)
class InstalledWheel:
    """What an installed distribution says of the wheel that it was made of.

    ``name`` is normalised (PEP 503); ``tags`` are those of its WHEEL file, one by one;
    ``metadata`` is the content of its METADATA.
    """

    name: str
    version: str
    tags: frozenset[str]
    metadata: bytes


def read_installed_wheel(name: str, version: str, folder: Path) -> InstalledWheel:
    """Return what ``folder`` (``*.dist-info``) says. Raises ``OSError`` where it is incomplete."""
    lines = (folder / "WHEEL").read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    tags = frozenset(value.strip().lower() for key, _, value in pairs if key.lower() == "tag")
    return InstalledWheel(name, version, tags, (folder / "METADATA").read_bytes())


async def find_record(
    wheel: InstalledWheel, index: ProjectIndex, reader: MetadataReader, target: Target
) -> RepoDataRecord | str:
    """Return the record of the wheel that is installed, as a solve would make it, or why not.

    ``target`` has one Python, the environment's own.
    """
    try:
        release = await _release(wheel, index)
        if release is None:
            return "no index has this version of it"
        files = _files(wheel, release, target)
        if not files:
            return "it was built on this machine, or for another one: no index has this wheel of it"
        for file in files:
            if await _is_same(wheel, file, reader):
                return _record(wheel, release.version, file, target)
    except MetadataError as error:
        return _told(error)
    except SourceError as error:
        return f"it could not be looked up ({_told(error)})"
    return "its metadata are not those that the index has"


def locked_record(
    wheel: InstalledWheel, files: Sequence[IndexFile], target: Target
) -> RepoDataRecord | None:
    """Return the record of the wheel that is installed where ``files``, which are known to be of
    its version, leave no doubt which of them it is; nobody is asked.
    """
    fitting = _files(wheel, Release(wheel.version, tuple(files)), target)
    exact = [file for file in fitting if frozenset(_tags(file.filename)) == wheel.tags]
    certain = exact or fitting
    try:
        return _record(wheel, wheel.version, certain[0], target) if len(certain) == 1 else None
    except MetadataError:
        return None  # whoever asks the index is told


async def _release(wheel: InstalledWheel, index: ProjectIndex) -> Release | None:
    from packaging.version import InvalidVersion, Version

    try:
        version = str(Version(wheel.version))
    except InvalidVersion:
        return None
    releases = await index.releases(wheel.name) or ()
    return next((each for each in releases if each.version == version), None)


def _files(wheel: InstalledWheel, release: Release, target: Target) -> list[IndexFile]:
    """Return the wheels that have a tag of what is installed, the one that has them all first."""
    found = []
    for file in release.files:
        if file.filename.endswith(".whl") and target.fit(file.filename):
            tags = frozenset(_tags(file.filename))
            if tags & wheel.tags:
                found.append((tags != wheel.tags, file.filename, file))
    return [file for _, _, file in sorted(found, key=lambda each: each[:2])]


def same_tags(wheel: InstalledWheel, filename: str) -> bool:
    """Say whether a wheel of this name has a tag of what is installed."""
    return filename.count("-") >= 4 and bool(frozenset(_tags(filename)) & wheel.tags)


def _tags(filename: str) -> Iterable[str]:
    interpreters, abis, platforms = filename[: -len(".whl")].lower().split("-")[-3:]
    for interpreter in interpreters.split("."):
        for abi in abis.split("."):
            yield from (f"{interpreter}-{abi}-{name}" for name in platforms.split("."))


async def _is_same(wheel: InstalledWheel, file: IndexFile, reader: MetadataReader) -> bool:
    expected = (file.metadata_hashes or {}).get("sha256")
    if expected:
        return hashlib.sha256(wheel.metadata).hexdigest() == expected.lower()
    metadata = await reader.core_metadata(file)
    return metadata == parse_metadata(wheel.metadata, file.filename)


def _record(wheel: InstalledWheel, version: str, file: IndexFile, target: Target) -> RepoDataRecord:
    metadata = parse_metadata(wheel.metadata, file.filename)
    requires = python_spec(metadata.requires_python)
    return wheel_record(
        wheel.name,
        version,
        file,
        identity(file),
        dependencies(metadata, target),
        [requires] if requires != "*" else [],
    )


def _told(error: SourceError) -> str:
    return f"{error}{': ' * bool(error.cause)}{error.cause or ''}"
