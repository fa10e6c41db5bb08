"""What a direct reference leads to: fetched, checked, and read; the only candidate for its name.

The installed distribution tells where it is from in ``direct_url.json`` (PEP 610), so that pip
agrees.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.distribution import IndexFile
from kaa.model.errors import MetadataError
from kaa.network.locations import Credentials
from kaa.sources.direct import Kind
from kaa.sources.git import Repository, find_commit
from kaa.sources.index import distribution_of, normalise
from kaa.sources.metadata import parse_metadata
from kaa.sources.programs import run_stoppable
from kaa.sources.remote_zip import read_metadata
from kaa.sources.source_code import (
    Source,
    archive_source,
    checkout_source,
    directory_source,
)
from kaa.sources.static_metadata import stem
from kaa.store.disk import writing
from kaa.store.run_token import temporary_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kaa.model.distribution import CoreMetadata
    from kaa.sources.builds import Builder
    from kaa.sources.direct import DirectReference

DIRECT_URL = "direct_url.json"
"""The file in ``*.dist-info`` that says where a distribution is from (PEP 610)."""


@dataclass(frozen=True, slots=True)
class DirectDistribution:
    """A distribution that was asked for by where it is.

    ``name`` is normalised (PEP 503), ``version`` in PEP 440's normal form. ``file`` stands for it
    among the files of an index: a wheel, or what a wheel is built from, which is ``source`` then.
    ``identity`` is a sha256 that stands for content *and* origin, because ``direct_url``, the
    content of ``direct_url.json``, is part of what is installed.
    """

    reference: DirectReference
    name: str
    version: str
    metadata: CoreMetadata
    file: IndexFile
    identity: str
    direct_url: bytes
    source: Source | None


async def resolve_direct(
    reference: DirectReference, builder: Builder, python: str
) -> DirectDistribution:
    """Fetch what ``reference`` names and read its metadata, building only where nothing else says
    them; ``python`` is the version (full or minor) whose interpreter a backend is asked with.

    A wheel is then in the directory of downloaded wheels, by its sha256, as those that come along
    with their metadata are. Raises :class:`~kaa.model.errors.MetadataError` when it is of another
    name than asked for, and whatever downloading, git and building raise.
    """
    if reference.kind is Kind.WHEEL:
        return await _wheel(reference, builder)
    source, direct_url = await _source(reference, builder)
    metadata = await builder.metadata(source, await builder.python_for(python))
    return _distribution(reference, metadata, None, source.key, direct_url, source)


def wheel_as_installed(
    reference: DirectReference, metadata: CoreMetadata, sha256: str, size: int | None
) -> DirectDistribution:
    """Return what :func:`resolve_direct` would make of a wheel, of which all of this is known.

    ``sha256`` is the wheel's, ``size`` is in bytes. Raises
    :class:`~kaa.model.errors.MetadataError` as it does.
    """
    file = IndexFile(reference.filename, reference.url, {"sha256": sha256}, size)
    direct_url = {"url": reference.url, "archive_info": _archive_info(file)}
    return _distribution(reference, metadata, file, sha256, direct_url, None)


def project_as_installed(reference: DirectReference, metadata: CoreMetadata) -> DirectDistribution:
    """Return what :func:`resolve_direct` would make of an editable project, without its backend.

    Raises :class:`~kaa.model.errors.MetadataError` as it does, and
    :class:`~kaa.model.errors.SourceUnreachableError` where the directory cannot be read.
    """
    source = directory_source(reference.path, editable=reference.editable)
    direct_url = {"url": reference.url, "dir_info": {"editable": reference.editable}}
    return _distribution(reference, metadata, None, source.key, direct_url, source)


async def _source(reference: DirectReference, builder: Builder) -> tuple[Source, dict[str, object]]:
    """Return the source, and what direct_url.json says of it."""
    subdirectory = {"subdirectory": reference.subdirectory} if reference.subdirectory else {}
    if reference.kind is Kind.DIRECTORY:
        found = await asyncio.to_thread(
            directory_source, reference.path, editable=reference.editable
        )
        info = {"editable": True} if reference.editable else {}
        return found, {"url": reference.url, "dir_info": info}
    if reference.kind is Kind.VCS:
        clones = builder.layout.metadata / "git"
        offline = builder.client.settings.offline
        repository = Repository(reference.url, clones, reference.credentials, offline)
        async with builder.alone(repository.key):
            commit = await run_stoppable(
                lambda programs: find_commit(repository, reference.ref, programs)
            )
        asked = {"requested_revision": reference.ref} if reference.ref else {}
        vcs = {"vcs": "git", **asked, "commit_id": commit}
        checkout = checkout_source(repository, commit, reference.subdirectory)
        return checkout, {"url": reference.url, "vcs_info": vcs, **subdirectory}
    file, archive = await _fetched(reference, builder)
    sdist = archive_source(file, reference.subdirectory)
    place = builder.archive_path(sdist)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        archive.replace(place)
    shutil.rmtree(archive.parent, ignore_errors=True)
    return sdist, {"url": reference.url, "archive_info": _archive_info(file), **subdirectory}


async def _wheel(reference: DirectReference, builder: Builder) -> DirectDistribution:
    if distribution_of(reference.filename) is None:
        raise MetadataError(
            f"{reference.filename} is not what wheels are called",
            hint="give it its own name again: NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
        )
    file, archive = await _fetched(reference, builder)
    text = await asyncio.to_thread(read_metadata, archive, file.filename)
    metadata = parse_metadata(text, file.filename)
    sha256 = file.hashes["sha256"]
    with writing(archive):
        archive.replace(builder.layout.metadata / "wheels" / f"{sha256}.whl")
    shutil.rmtree(archive.parent, ignore_errors=True)
    direct_url = {"url": reference.url, "archive_info": _archive_info(file)}
    return _distribution(reference, metadata, file, sha256, direct_url, None)


async def _fetched(reference: DirectReference, builder: Builder) -> tuple[IndexFile, Path]:
    """Download the archive into a directory of its own; the file says its sha256."""
    filename = reference.filename
    # Where unfinished wheels lie, too: what a killed process leaves there is cleared.
    folder = builder.layout.metadata / "wheels" / temporary_name()
    path = folder / filename
    try:
        url = _with_credentials(reference)
        sha256 = await builder.client.download(url, path, hashes=reference.hashes)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    size = path.stat().st_size
    return IndexFile(filename, reference.url, {**reference.hashes, "sha256": sha256}, size), path


def _with_credentials(reference: DirectReference) -> str:
    """Return the URL as the client, which never shows them, takes credentials."""
    from urllib.parse import quote

    credentials = reference.credentials
    if not isinstance(credentials, Credentials):
        return reference.url
    user = quote(credentials.username, safe="")
    password = "" if credentials.password is None else f":{quote(credentials.password, safe='')}"
    scheme, _, rest = reference.url.partition("://")
    return f"{scheme}://{user}{password}@{rest}"


def _distribution(
    reference: DirectReference,
    metadata: CoreMetadata,
    file: IndexFile | None,
    key: str,
    direct_url: Mapping[str, object],
    source: Source | None,
) -> DirectDistribution:
    from packaging.version import InvalidVersion, Version

    name = normalise(metadata.name)
    if reference.name is not None and reference.name != name:
        raise MetadataError(
            f"{reference.text} is not what it is called",
            cause=f"it is {metadata.name} {metadata.version}",
            hint=f"ask for it by its name: {metadata.name} @ {reference.url}",
        )
    try:
        version = str(Version(metadata.version))
    except InvalidVersion:
        raise MetadataError(
            f"{reference.text} has the version {metadata.version!r}, which is none",
            cause="versions are as PEP 440 has them",
            hint="correct the project's version, or tell its authors",
        ) from None
    if file is None:
        # Whatever it is called: this is what its sdist would be.
        file = IndexFile(f"{stem(name, version)}.tar.gz", _location(reference, direct_url), {})
    file = IndexFile(
        file.filename, file.url, file.hashes, file.size, requires_python=metadata.requires_python
    )
    said = json.dumps(direct_url, sort_keys=True).encode()
    identity = hashlib.sha256(key.encode() + b"\0" + said).hexdigest()
    return DirectDistribution(reference, name, version, metadata, file, identity, said, source)


def _location(reference: DirectReference, direct_url: Mapping[str, object]) -> str:
    info = direct_url.get("vcs_info")
    if not isinstance(info, dict):
        return reference.url
    fragment = f"#subdirectory={reference.subdirectory}" if reference.subdirectory else ""
    return f"git+{reference.url}@{info['commit_id']}{fragment}"


def _archive_info(file: IndexFile) -> dict[str, object]:
    sha256 = file.hashes["sha256"]
    # "hash" is the older form of "hashes" (PEP 610); readers of both are about.
    return {"hash": f"sha256={sha256}", "hashes": {"sha256": sha256}}
