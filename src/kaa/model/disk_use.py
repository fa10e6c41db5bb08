"""What takes space on the disk, and who else has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Holder(Enum):
    """What it is that takes space."""

    ENVIRONMENT = "environment"
    OVERLAY = "overlay"
    ORPHAN = "orphan"
    """Generations whose environment's link is gone."""
    PACKAGES = "packages"
    CACHE = "cache"
    OTHER = "other"
    FOREIGN_ENVIRONMENT = "foreign environment"
    FOREIGN_PACKAGES = "foreign packages"

    @property
    def is_environment(self) -> bool:
        """Whether it is something that packages are linked into."""
        return self in {
            Holder.ENVIRONMENT,
            Holder.OVERLAY,
            Holder.ORPHAN,
            Holder.FOREIGN_ENVIRONMENT,
        }


@dataclass(frozen=True, slots=True)
class Shared:
    """Bytes of files that have names elsewhere, too; what is in several places counts as the first.

    ``packages`` is shared with a package cache, ``environments`` with other environments (for a
    package cache: with those that were linked from it), ``generations`` with others of the same
    environment, ``elsewhere`` with what kaa does not know.
    """

    packages: int = 0
    environments: int = 0
    generations: int = 0
    elsewhere: int = 0

    @property
    def all(self) -> int:
        """The sum."""
        return self.packages + self.environments + self.generations + self.elsewhere


@dataclass(frozen=True, slots=True)
class Space:
    """Names of files, their length, their blocks, and what would be freed. In bytes.

    ``size`` is always ``freed`` and what is shared.
    """

    files: int
    apparent: int
    size: int
    freed: int
    shared: Shared

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GenerationUse:
    """What one generation takes; ``freed`` is what would be if it alone went."""

    number: int
    current: bool
    space: Space

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {"number": self.number, "current": self.current, **self.space.as_dict()}


@dataclass(frozen=True, slots=True)
class Use:
    """What an environment with all its generations, or another directory, takes.

    ``old`` is what would be freed if all generations but the current one went. ``maker`` is the
    program that made it, where that is another one and known.
    """

    holder: Holder
    name: str
    path: Path
    space: Space
    old: int = 0
    generations: tuple[GenerationUse, ...] = field(default=())
    maker: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "kind": self.holder.value,
            "name": self.name,
            "path": str(self.path),
            "made_by": self.maker,
            **self.space.as_dict(),
            "old_generations": self.old,
            "generations": [each.as_dict() for each in self.generations],
        }


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Everything that takes space, that which would free most first.

    ``total`` is what all of it takes together. ``unreadable`` directories could not be looked
    into.
    """

    uses: tuple[Use, ...]
    total: int
    unreadable: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "uses": [use.as_dict() for use in self.uses],
            "total": self.total,
            "unreadable": self.unreadable,
        }
