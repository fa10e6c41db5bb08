"""Index pages on disk: one line per version, newest first, so that readers can stop early.

The first line of an entry says how long it is fresh and how to ask whether it changed; then come
the versions, each a JSON array. A page of 3 MB that is wanted for its newest three versions costs
three short lines. An entry's modification time is when the index last confirmed it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from kaa.model.distribution import IndexFile, Release
from kaa.store.disk import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

RawFile: TypeAlias = tuple[str, str, Any, Any, Any, Any, Any, Any]
"""A file as its page has it: filename, URL, hashes, size, requires-python, yanked, core-metadata
and upload-time. Of 500 files a reader looks at five, so they are read closely when decoded."""
_FORMAT = 3
_FRESH_SECONDS = 600
"""How long a page is fresh when the index does not say: what the public index says of itself."""
_ABSENT_SECONDS = 60
"""How long to believe, when the index does not say, that it lacks a project."""


class Releases:
    """A project's versions, newest first; each is decoded when it is reached, and only once."""

    def __init__(self, count: int, lines: bytes) -> None:
        self._count = count
        self._lines = lines
        self._position = 0
        self._decoded: list[Release] = []

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Release]:
        number = 0
        while number < self._count:
            if number == len(self._decoded):
                end = self._lines.index(b"\n", self._position)
                self._decoded.append(_decode(self._lines[self._position : end]))
                self._position = end + 1
            yield self._decoded[number]
            number += 1


class MergedReleases:
    """The same project on several indexes, newest version first, decoded as far as needed.

    Of two files of one name the one on the earlier index counts, as pip has it.
    """

    def __init__(self, parts: Sequence[Releases]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Release]:
        from packaging.version import Version

        ordered = heapq.merge(*self._parts, key=lambda r: Version(r.version), reverse=True)
        for version, same in itertools.groupby(ordered, key=lambda r: r.version):
            files: dict[str, IndexFile] = {}
            for release in same:
                for file in release.files:
                    files.setdefault(file.filename, file)
            yield Release(version, tuple(files.values()))


@dataclass(frozen=True, slots=True)
class Page:
    """An entry of the cache. ``releases`` is None when the index does not have the project."""

    releases: Releases | None
    fresh: bool
    etag: str | None
    modified: str | None

    @property
    def conditions(self) -> dict[str, str]:
        """The request headers that ask for the page only if it changed (RFC 9110, 13)."""
        headers = {}
        if self.etag:
            headers["if-none-match"] = self.etag
        if self.modified:
            headers["if-modified-since"] = self.modified
        return headers


def encode(versions: Iterable[tuple[str, Sequence[RawFile]]]) -> Releases:
    """Return versions, newest first, with their files in the form that the cache keeps."""
    import orjson

    lines = [orjson.dumps(version, option=orjson.OPT_APPEND_NEWLINE) for version in versions]
    return Releases(len(lines), b"".join(lines))


def read_page(path: Path, now: float | None = None) -> Page | None:
    """Return the entry at ``path``; None when there is none, or none that can be trusted."""
    try:
        with path.open("rb") as file:
            confirmed = os.fstat(file.fileno()).st_mtime
            first, _, lines = file.read().partition(b"\n")
        header = json.loads(first)
        if header["format"] != _FORMAT or header["checksum"] != zlib.crc32(lines):
            return None
        age = (time.time() if now is None else now) - confirmed
        count = header["count"]
        return Page(
            None if count is None else Releases(count, lines),
            # A clock that was set back makes entries of the future, which prove nothing.
            age + 1 >= 0 and age < header["fresh"],
            header["etag"],
            header["modified"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_page(path: Path, releases: Releases | None, headers: Mapping[str, str]) -> None:
    """Keep a page as far as the index's answer ``headers`` allow (RFC 9111).

    A cache that cannot be written is no reason to fail: the page is fetched again next time.
    """
    directives = _directives(headers.get("cache-control", ""))
    if "no-store" in directives:
        _remove(path)
        return
    lines = b"" if releases is None else releases._lines
    header = {
        "format": _FORMAT,
        "checksum": zlib.crc32(lines),
        "count": None if releases is None else len(releases),
        "fresh": _lifetime(directives, headers, absent=releases is None),
        "etag": headers.get("etag"),
        "modified": headers.get("last-modified"),
    }
    write_atomically(path, json.dumps(header).encode() + b"\n" + lines)


def confirm_page(path: Path) -> None:
    """Note that the index has just said that the entry is still right (status 304)."""
    import contextlib

    with contextlib.suppress(OSError):
        os.utime(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a cache file so that other processes see all of it or nothing; failure is silent."""
    import contextlib

    with contextlib.suppress(OSError):
        replace_file(path, content)


def _remove(path: Path) -> None:
    import contextlib

    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _directives(cache_control: str) -> dict[str, str]:
    found = {}
    for part in cache_control.split(","):
        name, _, value = part.strip().partition("=")
        found[name.lower()] = value.strip('" ')
    return found


def _lifetime(directives: Mapping[str, str], headers: Mapping[str, str], *, absent: bool) -> int:
    if "no-cache" in directives:
        return 0
    try:
        return max(0, int(directives["max-age"]) - int(headers.get("age", 0)))
    except (KeyError, ValueError):
        return _ABSENT_SECONDS if absent else _FRESH_SECONDS


def _decode(line: bytes) -> Release:
    import orjson

    version, files = orjson.loads(line)
    return Release(version, tuple(_index_file(*raw) for raw in files))


def _index_file(
    filename: str,
    url: str,
    hashes: object,
    size: object,
    requires_python: object,
    yanked: object,
    metadata: object,
    upload_time: object,
) -> IndexFile:
    """Return a file of a page; fields that are not of the standard's type count as not given."""
    return IndexFile(
        filename,
        url,
        _hashes(hashes) or {},
        size if isinstance(size, int) and 0 <= size < 2**63 else None,
        requires_python if isinstance(requires_python, str) and requires_python else None,
        ("" if yanked is True else str(yanked)) if yanked else None,
        _hashes(metadata) if metadata is not True else {},
        upload_time if isinstance(upload_time, str) else None,
    )


def _hashes(value: object) -> dict[str, str] | None:
    return (
        {str(key): str(digest) for key, digest in value.items()}
        if isinstance(value, dict)
        else None
    )
