"""What an index (PEP 503, PEP 691) says of a project's files, and what a file says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file of a project page.

    ``url`` is absolute and free of credentials; ``hashes`` maps algorithm to hexadecimal digest;
    ``size`` is in bytes; ``yanked`` is the reason, an empty string when none was given, or None
    when the file is not yanked; ``metadata_hashes`` is None when the index serves no core
    metadata beside the file (PEP 658/714) and empty when it does but gives no hash;
    ``upload_time`` is ISO 8601.
    """

    filename: str
    url: str
    hashes: dict[str, str]
    size: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata_hashes: dict[str, str] | None = None
    upload_time: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """All files of one version on a project page. ``version`` is in PEP 440's normal form."""

    version: str
    files: tuple[IndexFile, ...]


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The part of a distribution's core metadata (PEP 566 and later) that a solve needs.

    ``requires_dist`` are PEP 508 strings as written; ``extras`` are normalised names.
    """

    name: str
    version: str
    requires_python: str | None
    requires_dist: tuple[str, ...]
    extras: tuple[str, ...] = ()
