"""What a wheel says of itself, for as few bytes as possible.

In this order: the cache; the package cache; the metadata file beside the wheel (PEP 658, PEP 714);
METADATA out of the remote wheel by range requests; the whole wheel, which is kept for the
installation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kaa.model.distribution import CoreMetadata
from kaa.model.errors import MetadataError, SourceAnswerError, UnsupportedError
from kaa.network.locations import origin, redact
from kaa.sources.identity import identity, promised_sha256
from kaa.sources.index import normalise
from kaa.sources.metadata_entries import MetadataEntries
from kaa.sources.page_cache import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.distribution import IndexFile
    from kaa.network.client import Client
    from kaa.sources.unpacked_wheels import UnpackedWheels

_TAIL = 32_768
"""Bytes of a wheel's end that hold its directory and, usually, its METADATA."""
_SMALL = 200_000
"""Up to this many bytes one request for the whole wheel is better than two for parts of it."""
_PARTS = 6
_HEADER_END = re.compile(rb"\r?\n\r?\n")


class MetadataReader:
    """Reads core metadata of wheels through a permanent cache below ``cache_dir``.

    Whole wheels that come along on the way are kept in ``wheel_dir`` (see :meth:`kept_wheel`);
    ``unpacked`` are those of the package cache.
    """

    def __init__(
        self,
        client: Client,
        cache_dir: Path,
        wheel_dir: Path | None = None,
        unpacked: UnpackedWheels | None = None,
    ) -> None:
        self._client = client
        self._entries = MetadataEntries(cache_dir / "metadata")
        self._wheels = wheel_dir
        self._unpacked = unpacked
        self._read: dict[str, CoreMetadata] = {}
        self._without_ranges: set[tuple[str, str, int | None]] = set()

    def cached(self, file: IndexFile) -> CoreMetadata | None:
        """Return the metadata if the cache has it; no network and no event loop needed."""
        return self._entries.get(identity(file))

    def kept_wheel(self, file: IndexFile) -> Path | None:
        """Return the path of the whole, checked wheel if it came along with its metadata."""
        path = self._wheel_path(file)
        return path if path and path.is_file() else None

    async def core_metadata(self, file: IndexFile, *, likely: bool = True) -> CoreMetadata:
        """Return the metadata of the wheel ``file``.

        ``likely`` says that the wheel itself is probably going to be wanted, too: then a small
        one is fetched whole.

        Raises :class:`~kaa.model.errors.MetadataError` when the metadata cannot be read or
        contradicts the file name, :class:`~kaa.model.errors.HashMismatchError`,
        :class:`~kaa.model.errors.SourceError` when the file cannot be fetched, and
        :class:`~kaa.model.errors.UnsupportedError` for an sdist.
        """
        found = self._read.get(file.url) or self.cached(file)
        if found is not None:
            self._read[file.url] = found
            return found
        if not file.filename.endswith(".whl"):
            raise UnsupportedError(
                f"{file.filename} is no wheel, so its metadata cannot be read without building it",
                hint="choose a version that has wheels",
            )
        text = await self._fetch(file, likely=likely)
        metadata = parse_metadata(text, file.filename)
        self._entries.put(identity(file), metadata)
        self._read[file.url] = metadata
        return metadata

    async def _fetch(self, file: IndexFile, *, likely: bool) -> bytes:
        unpacked = self._unpacked.metadata(file) if self._unpacked else None
        if unpacked is not None:
            return unpacked
        if file.metadata_hashes is not None:
            text = await self._beside(file, file.metadata_hashes)
            if text is not None:
                return text
        kept = self.kept_wheel(file)
        if kept is not None:
            return _of_wheel(kept, file.filename)
        limit = _SMALL if likely and self._wheel_path(file) else _TAIL
        if file.size is not None and file.size <= limit:
            return await self._whole_in_memory(file)
        if origin(file.url) not in self._without_ranges:
            text = await self._by_ranges(file)
            if text is not None:
                return text
        return await self._whole_on_disk(file)

    async def _beside(self, file: IndexFile, hashes: dict[str, str]) -> bytes | None:
        from kaa.network.downloads import check_content

        answer = await self._client.get(f"{file.url}.metadata")
        # Some mirrors pass the announcement on but not the file.
        if not 200 <= answer.status < 300:
            return None
        check_content(answer.content, f"{file.filename}.metadata", hashes)
        return answer.content

    async def _by_ranges(self, file: IndexFile) -> bytes | None:
        """Return METADATA, or None when the server has no (working) ranges."""
        from kaa.sources.remote_zip import MissingPartError, RemoteZip

        first = await self._client.get_range(file.url, -_TAIL)
        if first.status in {404, 410}:
            raise _gone(file, first.status)
        remote = RemoteZip.from_tail(first)
        for _ in range(_PARTS):
            if remote is None:
                break
            try:
                return remote.read_metadata(file.filename)
            except MissingPartError as missing:
                part = await self._client.get_range(file.url, missing.start, missing.stop)
                if not remote.add(part):
                    break
        self._without_ranges.add(origin(file.url))
        return None

    async def _whole_in_memory(self, file: IndexFile) -> bytes:
        import io

        from kaa.network.downloads import check_content

        answer = await self._client.get(file.url, {"accept-encoding": "identity"})
        if not 200 <= answer.status < 300:
            raise _gone(file, answer.status)
        check_content(answer.content, file.filename, file.hashes)
        path = self._wheel_path(file)
        if path:
            write_atomically(path, answer.content)
        return _of_wheel(io.BytesIO(answer.content), file.filename)

    async def _whole_on_disk(self, file: IndexFile) -> bytes:
        import tempfile
        from pathlib import Path

        path = self._wheel_path(file)
        if path:
            await self._client.download(file.url, path, hashes=file.hashes, size=file.size)
            return _of_wheel(path, file.filename)
        with tempfile.TemporaryDirectory(prefix="kaa-") as folder:
            path = Path(folder, "whole.whl")
            await self._client.download(file.url, path, hashes=file.hashes, size=file.size)
            return _of_wheel(path, file.filename)

    def _wheel_path(self, file: IndexFile) -> Path | None:
        sha256 = promised_sha256(file)
        return self._wheels / f"{sha256}.whl" if self._wheels and sha256 else None


def parse_metadata(text: bytes, filename: str) -> CoreMetadata:
    """Return what a METADATA file says, checked against the wheel's file name.

    Raises :class:`~kaa.model.errors.MetadataError`.
    """
    from email.parser import HeaderParser

    # Only the header: descriptions are long, and the parser is slow.
    header = _HEADER_END.split(text, 1)[0].decode("utf-8", "replace")
    message = HeaderParser().parsestr(header)
    name, version = message.get("Name"), message.get("Version")
    known = str(message.get("Metadata-Version", "")).partition(".")[0]
    if not name or not version or known not in {"1", "2"}:
        raise _unreadable(filename, "it has no name, no version or an unknown Metadata-Version")
    expected_name, expected_version = filename.split("-")[:2]
    if normalise(name.strip()) != normalise(expected_name) or not _same_version(
        version.strip(), expected_version
    ):
        raise _unreadable(filename, f"it is that of {name} {version}")
    requires_python = message.get("Requires-Python")
    return CoreMetadata(
        name.strip(),
        version.strip(),
        requires_python.strip() if requires_python and requires_python.strip() else None,
        tuple(" ".join(line.split()) for line in message.get_all("Requires-Dist", ())),
        tuple(normalise(extra.strip()) for extra in message.get_all("Provides-Extra", ())),
    )


def _of_wheel(wheel: Path | object, filename: str) -> bytes:
    from kaa.sources.remote_zip import read_metadata

    return read_metadata(wheel, filename)


def _same_version(found: str, expected: str) -> bool:
    if found == expected:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return Version(found) == Version(expected)
    except InvalidVersion:
        return False


def _gone(file: IndexFile, status: int) -> SourceAnswerError:
    return SourceAnswerError(
        f"{file.filename} is on the index's page but not on its server",
        cause=f"{redact(file.url)} answered {status}",
        hint="try again; if it stays so, choose another version or another index",
    )


def _unreadable(filename: str, cause: str) -> MetadataError:
    return MetadataError(
        f"the metadata of {filename} cannot be used",
        cause=cause,
        hint="choose another version, and tell the project's authors",
    )
