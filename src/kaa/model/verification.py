"""What a look at environments and the package cache has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Kind(Enum):
    """What is wrong with a file, a record or an environment; the value is what ``--json`` has."""

    MISSING = "missing"
    """A file of a package is not there."""
    ALTERED = "altered"
    """A file has another content than its package brought."""
    TYPE = "type"
    """Something else is where the file was: a directory, a link."""
    LINK = "link"
    """A link leads elsewhere than its package has it."""
    BROKEN_LINK = "broken-link"
    """A link leads to nothing."""
    UNREADABLE = "unreadable"
    """The system refuses to read the file."""
    RECORD = "record"
    """The record of a package cannot be read, or is not the one that was written."""
    DUPLICATE = "duplicate"
    """There are two records of one package, or two versions of one distribution."""
    GONE = "gone"
    """There is a record, and not one of its files."""
    INTERPRETER = "interpreter"
    """A script names an interpreter that is not there."""
    BYTECODE = "bytecode"
    """Bytecode that Python would take for its source's, and cannot load."""
    GENERATION = "generation"
    """The generation that the environment leads to is missing."""
    MANIFEST = "manifest"
    """What was asked for cannot be read."""
    MOVED = "moved"
    """The files name another prefix than the one they are in."""
    ENTRY = "entry"
    """An entry of the package cache is not what its lock file says."""
    EDITED = "edited"
    """A file that is the user's to edit (``etc/``) is not as its package brought it."""
    REWRITTEN = "rewritten"
    """Bytecode of a package that Python has written anew from its source, as it may."""
    UNLISTED = "unlisted"
    """A distribution without a list of its files, so that nothing can be said of them."""

    @property
    def is_damage(self) -> bool:
        """Whether it is to be mended, and not merely worth knowing."""
        return self not in _NOTES


_NOTES = frozenset({Kind.EDITED, Kind.REWRITTEN, Kind.UNLISTED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    ``path`` is below the prefix (or the entry of the cache), with forward slashes; ``package`` is
    the name of whose file it is, where that is known; ``foreign`` says that it is a distribution
    that another program has installed; ``detail`` is a sentence without a full stop.
    """

    kind: Kind
    path: str
    package: str | None = None
    detail: str | None = None
    foreign: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "kind": self.kind.value,
            "damage": self.kind.is_damage,
            "path": self.path,
            "package": self.package,
            "foreign": self.foreign,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class EntryReport:
    """A damaged entry of the package cache, and what is wrong with it.

    ``layer`` is the directory below the cache where it is one of those with bytecode.
    """

    entry: str
    findings: tuple[Finding, ...]
    layer: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "entry": self.entry,
            "layer": self.layer,
            "findings": [each.as_dict() for each in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Unowned:
    """What is in an environment that no package owns, and no distribution lists.

    ``size`` is in bytes; ``places`` are the directories (two levels) that have most of it.
    Bytecode of sources that are there is not counted.
    """

    files: int = 0
    size: int = 0
    places: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {"files": self.files, "size": self.size, "places": list(self.places)}


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """What was found in an environment.

    ``generation`` is the number of kaa's; ``packages`` and ``files`` are how many were looked at;
    ``distributions`` are those that another program has installed (``name version``);
    ``moved_from`` is the prefix that the files name, where it is not the environment's.
    """

    name: str
    prefix: Path
    generation: int | None
    packages: int
    files: int
    findings: tuple[Finding, ...]
    unowned: Unowned = Unowned()
    distributions: tuple[str, ...] = ()
    moved_from: str | None = None

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that are damage."""
        return tuple(each for each in self.findings if each.kind.is_damage)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are merely worth knowing."""
        return tuple(each for each in self.findings if not each.kind.is_damage)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "generation": self.generation,
            "sound": not self.damage,
            "packages": self.packages,
            "files": self.files,
            "findings": [each.as_dict() for each in self.findings],
            "unowned": self.unowned.as_dict(),
            "distributions": list(self.distributions),
            "moved_from": self.moved_from,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found in one or more environments and in the package cache.

    ``entries`` is how many entries of the cache were looked at; ``damaged`` are those that are not
    as they were written.
    """

    environments: tuple[EnvironmentReport, ...]
    entries: int
    damaged: tuple[EntryReport, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged and not any(each.damage for each in self.environments)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "sound": self.sound,
            "environments": [each.as_dict() for each in self.environments],
            "cache": {
                "entries": self.entries,
                "damaged": [each.as_dict() for each in self.damaged],
            },
        }
