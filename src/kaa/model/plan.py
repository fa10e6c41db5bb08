"""What a transaction is going to do, before it does anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from kaa.model.package import BUILT

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.package import Package
    from kaa.model.process import Process


class Move(Enum):
    """How a package changes; the value is what ``--json`` calls it.

    ``REBUILD`` is another build of the same version, ``SOURCE`` the same version from elsewhere.
    """

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    REBUILD = "rebuild"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Addition:
    """A package that is going to be linked.

    ``download`` is in bytes, 0 when it is in the cache; ``why`` says what it is for.
    """

    package: Package
    download: int
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {**self.package.as_dict(), "download": self.download, "why": self.why}


@dataclass(frozen=True, slots=True)
class Removal:
    """A package that is not going to be there any more, and why."""

    package: Package
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {**self.package.as_dict(), "why": self.why}


@dataclass(frozen=True, slots=True)
class Change:
    """A package that is going to be another one of its name.

    ``download`` is in bytes, 0 when it is in the cache; ``why`` says what makes it change.
    """

    before: Package
    after: Package
    move: Move
    download: int
    why: str | None = None

    @property
    def source_changed(self) -> bool:
        """Whether it comes from elsewhere than before, whatever else changes."""
        return self.before.source != self.after.source

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.after.name,
            "move": self.move.value,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "source_changed": self.source_changed,
            "download": self.download,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference between what an environment has and what it is going to have.

    ``overlay`` is the Python version (``3.12``) whose kernel overlay is going to be built, if one
    is; ``generation`` the one that the environment is at, None for one that is going to be
    created; ``unchanged`` counts the packages that stay; ``asked`` are specs that the environment
    is going to keep as asked for and that it has not got yet, ``forgotten`` those that it is not
    going to keep; ``notes`` what else a user should know before agreeing, one sentence each;
    ``processes`` are those that run in the environment; ``variables`` are those that are going to
    be set wherever it is active, with the value, or None for one that is to be set no more;
    ``again`` is in bytes: what has to be fetched of the packages that stay, because the package
    cache has it no more, or, after an adoption, has never had it.
    """

    name: str
    prefix: Path
    additions: tuple[Addition, ...]
    overlay: str | None = None
    removals: tuple[Removal, ...] = ()
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    generation: int | None = None
    asked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    forgotten: tuple[str, ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()
    again: int = 0

    @property
    def download_size(self) -> int:
        """Bytes that are going to be downloaded, all in all."""
        added = sum(addition.download for addition in self.additions)
        return added + sum(change.download for change in self.changes) + self.again

    @property
    def built(self) -> tuple[str, ...]:
        """Names of the packages that are to be had as source only: their own code builds them."""
        coming = [each.package for each in self.additions] + [each.after for each in self.changes]
        return tuple(sorted(each.name for each in coming if each.build.startswith(BUILT)))

    @property
    def nothing_to_do(self) -> bool:
        """Whether the environment is already what it is going to be."""
        packages = (self.additions, self.removals, self.changes)
        return not any((*packages, self.asked, self.forgotten, self.variables))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "generation": self.generation,
            "download_size": self.download_size,
            "add": [each.as_dict() for each in self.additions],
            "remove": [each.as_dict() for each in self.removals],
            "change": [each.as_dict() for each in self.changes],
            "unchanged": self.unchanged,
            "built": list(self.built),
            "asked": list(self.asked),
            "forgotten": list(self.forgotten),
            "variables": dict(self.variables),
            "notes": list(self.notes),
            "processes": [each.as_dict() for each in self.processes],
            "kernel_overlay": self.overlay,
        }

    def as_conda_dict(self) -> dict[str, Any]:
        """Return the fields that conda prints of what it is going to do (``actions``)."""
        linked = [each.package for each in self.additions] + [each.after for each in self.changes]
        gone = [each.package for each in self.removals] + [each.before for each in self.changes]
        fetched = [each.package for each in self.additions if each.download]
        fetched += [each.after for each in self.changes if each.download]
        return {
            "PREFIX": str(self.prefix),
            "FETCH": [package.as_conda_dict() for package in fetched],
            "LINK": [package.as_conda_dict() for package in linked],
            "UNLINK": [package.as_conda_dict() for package in gone],
        }
