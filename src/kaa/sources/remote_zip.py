"""METADATA out of a wheel of which only some parts are here."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from kaa.model.errors import MetadataError
from kaa.sources.index import normalise

if TYPE_CHECKING:
    from kaa.network.client import Answer

_SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+)\Z")
_LOCAL_HEADER = 30
_SLACK = 512
"""Bytes for a local header's extra field, which the central directory does not tell."""


class MissingPartError(Exception):
    """Bytes ``start`` to ``stop`` of the file are needed and are not here."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__(f"{start}-{stop}")
        self.start = start
        self.stop = stop


class RemoteZip:
    """The parts of a remote zip file that are here already."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: list[tuple[int, bytes]] = []
        self._directory: tuple[zipfile.ZipFile, zipfile.ZipInfo] | None = None

    @classmethod
    def from_tail(cls, answer: Answer) -> RemoteZip | None:
        """Return the file whose end ``answer`` is, or None if it is no answer to a range."""
        span = _SPAN.match(answer.headers.get("content-range", ""))
        if answer.status != 206 or not span:
            return None
        remote = cls(int(span[3]))
        return remote if remote.add(answer) else None

    def add(self, answer: Answer) -> bool:
        """Add the part that ``answer`` is; return whether it is one of this file."""
        span = _SPAN.match(answer.headers.get("content-range", ""))
        if answer.status != 206 or not span or int(span[3]) != self._size:
            return False
        start, last = int(span[1]), int(span[2])
        if len(answer.content) != last - start + 1:
            return False
        self._parts.append((start, answer.content))
        return True

    def read_metadata(self, filename: str) -> bytes:
        """Return METADATA; raises :class:`MissingPartError` for the part that is to be added."""
        if self._directory is None:  # reading it takes milliseconds, once is enough
            archive = _open_zip(_Sparse(self._size, self._parts), filename)
            self._directory = archive, _find(archive, filename)
        archive, entry = self._directory
        start = entry.header_offset
        length = _LOCAL_HEADER + len(entry.orig_filename.encode()) + entry.compress_size
        stop = min(start + length + _SLACK, self._size)
        if not any(at <= start and stop <= at + len(part) for at, part in self._parts):
            raise MissingPartError(start, stop)
        return _read(archive, entry, filename)


class _Sparse(io.RawIOBase):
    """A file object over some parts of a file."""

    def __init__(self, size: int, parts: list[tuple[int, bytes]]) -> None:
        self._size = size
        self._parts = parts
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        target = (0, self._at, self._size)[whence] + offset
        if target < 0:
            raise OSError("seek before the start")
        self._at = target
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        stop = self._size if size is None or size < 0 else min(self._at + size, self._size)
        if stop <= self._at:
            return b""
        for start, part in self._parts:
            if start <= self._at and stop <= start + len(part):
                content = part[self._at - start : stop - start]
                self._at = stop
                return content
        raise MissingPartError(self._at, stop)


def read_metadata(wheel: Any, filename: str) -> bytes:
    """Return METADATA of a wheel, a path or a file object; raises ``MetadataError``."""
    with _open_zip(wheel, filename) as archive:
        return _read(archive, _find(archive, filename), filename)


def _open_zip(file: str | IO[bytes] | Any, filename: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _unreadable(filename, str(error)) from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, filename: str) -> bytes:
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        raise _unreadable(filename, str(error)) from error


def _find(archive: zipfile.ZipFile, filename: str) -> zipfile.ZipInfo:
    """Return METADATA of the one ``.dist-info`` directory that is the wheel's own."""
    found = [
        entry
        for entry in archive.infolist()
        if entry.filename.count("/") == 1 and entry.filename.endswith(".dist-info/METADATA")
    ]
    project = normalise(filename.partition("-")[0])
    own = [entry for entry in found if normalise(entry.filename.partition("-")[0]) == project]
    if len(own) != 1:
        raise _unreadable(filename, f"the wheel has {len(own)} .dist-info directories of its name")
    return own[0]


def _unreadable(filename: str, cause: str) -> MetadataError:
    return MetadataError(
        f"the metadata of {filename} cannot be read",
        cause=cause,
        hint="choose another version, and tell the project's authors",
    )
