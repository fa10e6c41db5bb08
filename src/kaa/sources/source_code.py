"""What a wheel can be built from: an sdist, a directory, a commit of a repository."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kaa.model.errors import MetadataError, SourceUnreachableError
from kaa.sources import sdists
from kaa.sources.fingerprint import tree_fingerprint
from kaa.sources.git import check_out
from kaa.sources.identity import identity
from kaa.sources.index import distribution_of, normalise

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.distribution import IndexFile
    from kaa.sources.git import Repository
    from kaa.sources.programs import Programs


@dataclass(frozen=True, slots=True)
class Sdist:
    """An archive of source. ``key`` is its sha256, or stands for it where nobody gives one.

    ``name`` and ``version`` are those of the file name, None where that need not say them.
    """

    file: IndexFile
    key: str
    name: str | None = None
    version: str | None = None
    subdirectory: str | None = None
    editable = False

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{normalise(self.name)} {self.version}" if self.name else self.file.filename

    def unpack(self, work: Path, archive: Path | None, programs: Programs) -> Path:
        """Unpack the archive below ``work`` and return the project's directory."""
        assert archive is not None  # whoever wants it unpacked has fetched it
        tree = sdists.unpack(archive, self.file.filename, work / "source")
        return _below(tree, self.subdirectory, self.label)


@dataclass(frozen=True, slots=True)
class Directory:
    """A project's directory on this machine, built where it is, as pip and uv do it."""

    path: Path
    key: str
    editable: bool = False
    name: None = None
    version: None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"the project in {self.path}"

    def unpack(self, work: Path, archive: Path | None, programs: Programs) -> Path:
        """Return the directory itself."""
        return self.path


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit of a git repository."""

    repository: Repository
    commit: str
    key: str
    subdirectory: str | None = None
    editable = False
    name: None = None
    version: None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.repository.url} at {self.commit[:10]}"

    def unpack(self, work: Path, archive: Path | None, programs: Programs) -> Path:
        """Check the commit out below ``work`` and return the project's directory."""
        tree = work / "source"
        check_out(self.repository, self.commit, tree, programs)
        return _below(tree, self.subdirectory, self.label)


Source: TypeAlias = Sdist | Directory | Checkout


def archive_source(file: IndexFile, subdirectory: str | None) -> Sdist:
    """Return the source that an archive is whose name need not say what is in it."""
    key = identity(file)
    return Sdist(
        file, _digest(key, subdirectory) if subdirectory else key, subdirectory=subdirectory
    )


def sdist_source(file: IndexFile) -> Sdist:
    """Return the source that a file of an index is.

    Raises :class:`~kaa.model.errors.MetadataError` when its name is not that of an sdist.
    """
    found = distribution_of(file.filename)
    if found is None:
        raise MetadataError(
            f"{file.filename} has no name and version in its file name",
            hint="choose another version, and tell the project's authors",
        )
    return Sdist(file, identity(file), *found)


def directory_source(path: Path, *, editable: bool) -> Directory:
    """Return the project in the directory ``path``, as its files are now.

    Raises :class:`~kaa.model.errors.SourceUnreachableError` when it cannot be read.
    """
    # The path, too: an editable wheel points to it, and others may have it in their metadata.
    key = _digest("editable" if editable else "directory", str(path), tree_fingerprint(path))
    return Directory(path, key, editable)


def checkout_source(repository: Repository, commit: str, subdirectory: str | None) -> Checkout:
    """Return the project at a commit."""
    return Checkout(
        repository, commit, _digest(repository.url, commit, subdirectory or ""), subdirectory
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _below(tree: Path, subdirectory: str | None, label: str) -> Path:
    if not subdirectory:
        return tree
    place = (tree / subdirectory).resolve()
    if not place.is_relative_to(tree.resolve()) or not place.is_dir():
        raise SourceUnreachableError(
            f"{label} has no directory {subdirectory!r}",
            hint="correct `#subdirectory=` at the end of the URL",
        )
    return place
