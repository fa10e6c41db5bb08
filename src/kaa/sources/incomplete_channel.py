"""Channels that rattler does not read as they are.

rattler 0.28 insists on a channel's ``noarch``, which channels for one platform may lack, and
reads of channels on disk nothing but ``repodata.json``, not what is compressed. For those the
solver gets a ``RepoDataSource`` instead, which asks the gateway for what there is.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.model.errors import SourceAnswerError
from kaa.network.local_files import is_local, local_path
from kaa.store.disk import replace_file, writing
from kaa.store.run_token import temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rattler import Gateway, PackageName, RepoDataRecord, Subdir

_PLAIN = "repodata.json"


@dataclass(frozen=True, slots=True)
class Place:
    """One channel: ``url`` is its own, ``read`` the one to read, ``subdirs`` those it has."""

    url: str
    read: str
    subdirs: frozenset[str]


class IncompleteChannel:
    """The ``RepoDataSource`` of a channel, or of several that are one source."""

    def __init__(self, gateway: Gateway, places: Iterable[Place]) -> None:
        self._gateway = gateway
        self._places = tuple(places)

    async def fetch_package_records(
        self, platform: Subdir, name: PackageName
    ) -> list[RepoDataRecord]:
        """Return the records of a package in one subdir (rattler's protocol)."""
        from rattler import Channel

        found: list[RepoDataRecord] = []
        for place in self._places:
            if str(platform) in place.subdirs:
                answer = await self._gateway.query(
                    [Channel(place.read)], [platform], [name.normalized], recursive=False
                )
                found += (_restored(record, place) for records in answer for record in records)
        return found

    async def names(self, subdirs: Iterable[Subdir]) -> set[str]:
        """Return the names of all packages. Raises rattler's ``GatewayError``."""
        from rattler import Channel

        found: set[str] = set()
        for place in self._places:
            wanted = [subdir for subdir in subdirs if str(subdir) in place.subdirs]
            if wanted:
                names = await self._gateway.names([Channel(place.read)], wanted)
                found.update(name.normalized for name in names)
        return found

    def package_names(self, platform: Subdir) -> list[str]:
        """Return nothing: rattler asks this of names only, and :meth:`names` knows (protocol)."""
        return []


def _restored(record: RepoDataRecord, place: Place) -> RepoDataRecord:
    """Give a record that was read elsewhere its channel's own URLs."""
    if place.read != place.url:
        if record.url.startswith(place.read):
            record.url = place.url + record.url[len(place.read) :]
        record.channel = place.url
    return record


def unpacked_place(url: str, subdirs: Iterable[str], cache: Path) -> Place | None:
    """Return how a channel on disk is to be read, None when rattler reads it as it is.

    What is only there compressed (``repodata.json.zst``, ``.bz2``) is unpacked below ``cache``,
    once for each content. Raises :class:`SourceAnswerError` for what is not what its name says.
    """
    if not is_local(url):
        return None
    root = local_path(url)
    packed = {subdir: path for subdir in subdirs if (path := _packed(root / subdir)) is not None}
    if not packed:
        return None
    there = [subdir for subdir in subdirs if subdir in packed or (root / subdir / _PLAIN).is_file()]
    files = [packed.get(subdir, root / subdir / _PLAIN) for subdir in there]
    own = cache / "unpacked" / _digest([str(path) for path in files])
    target = own / _digest([_fingerprint(path) for path in files])
    if not target.is_dir():
        shutil.rmtree(own, ignore_errors=True)  # of what the channel was before
        beside = own / temporary_name(".")
        for subdir, path in zip(there, files, strict=True):
            _unpack(path, beside / subdir / _PLAIN)
        with writing(target):
            _put_in_place(beside, target)
    return Place(url, f"{target.as_uri()}/", frozenset(there))


def _digest(what: Iterable[object]) -> str:
    return hashlib.sha256(repr(list(what)).encode()).hexdigest()[:16]


def _put_in_place(beside: Path, target: Path) -> None:
    try:
        beside.replace(target)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if not target.is_dir():  # as it is when another process was faster
            raise


def _fingerprint(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _packed(directory: Path) -> Path | None:
    if (directory / _PLAIN).is_file():
        return None
    paths = (directory / f"{_PLAIN}{ending}" for ending in _DECOMPRESSORS)
    return next((path for path in paths if path.is_file()), None)


def _unpack(path: Path, target: Path) -> None:
    try:
        content = path.read_bytes()
        unpack = _DECOMPRESSORS.get(path.suffix)
        content = content if unpack is None else unpack(content)
    except Exception as error:  # each library has a class of its own for what is no such file
        raise SourceAnswerError(
            f"{path} cannot be unpacked",
            cause=str(error) or type(error).__name__,
            hint="index the channel anew, or work without it",
        ) from error
    with writing(target):
        replace_file(target, content)


def _unzst(content: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.decompress(content)
    import zstandard

    decompressor = zstandard.ZstdDecompressor().decompressobj()
    unpacked = decompressor.decompress(content)
    if not decompressor.eof:
        raise ValueError("it ends before its end")
    return unpacked


def _unbz2(content: bytes) -> bytes:
    import bz2

    return bz2.decompress(content)


_DECOMPRESSORS: dict[str, Callable[[bytes], bytes]] = {".zst": _unzst, ".bz2": _unbz2}
