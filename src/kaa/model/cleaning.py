"""What can be cleaned away, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

KEEP_GENERATIONS = 5
KEEP_DAYS = 30


class Kind(Enum):
    """A kind of thing that nothing refers to; the value is its name in plans and ``--json``.

    In the order in which they are cleaned away: what goes first may be all that refers to what
    comes after it.
    """

    UNFINISHED = "unfinished"
    GENERATION = "generations"
    OVERLAY = "overlays"
    KERNEL = "kernels"
    LISTING = "environments.txt"
    PACKAGE = "packages"
    INDEX = "index cache"
    CACHE = "other caches"


@dataclass(frozen=True, slots=True)
class Keep:
    """Which old generations are kept: the newest ones, and those that were in use lately.

    The current one is among the ``generations``, and 0 keeps it as well. ``days`` is since when a
    generation is not the current one any more.
    """

    generations: int = KEEP_GENERATIONS
    days: float = KEEP_DAYS


@dataclass(frozen=True, slots=True)
class CleanRequest:
    """What is to be cleaned. ``force_packages`` means all packages of the cache, used or not."""

    kinds: frozenset[Kind]
    keep: Keep = Keep()
    force_packages: bool = False
    command: str = "kaa clean"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that nothing refers to.

    ``path`` is what goes, ``name`` what people call it, ``size`` the bytes that are freed (what
    several items share is the last one's), and ``why`` says why it may go. ``prefix`` and
    ``number`` are of a generation.
    """

    kind: Kind
    name: str
    path: Path
    why: str
    size: int = 0
    prefix: Path | None = None
    number: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        fields = {
            "kind": self.kind.value,
            "name": self.name,
            "path": str(self.path),
            "reason": self.why,
            "size": self.size,
        }
        if self.number is not None:
            fields |= {"prefix": str(self.prefix), "generation": self.number}
        return fields


@dataclass(frozen=True, slots=True)
class CleanPlan:
    """What is going to go, in order, and what people should know besides (``notes``)."""

    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The bytes that are freed, hard links counted right."""
        return sum(item.size for item in self.items)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went, the bytes that this has freed, as measured, and what did not go, and why."""

    items: tuple[Item, ...]
    freed: int
    notes: tuple[str, ...] = ()
