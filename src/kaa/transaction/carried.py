"""What was carried over into a generation, and why the rest was not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BESIDE = ".kaa-new"
"""How the name of a package's own file ends where the user's has kept its place."""
_SHOWN = 5


class Kept(Enum):
    """Why something was not carried as it was; the value is what the user is told."""

    EDITED = "edited by hand, and not carried over because their package is another one now"
    COVERED = "yours, and not carried over because a package has them now"
    SETTINGS = f"changed both by you and by their package (whose own end in {BESIDE})"
    DAMAGED = "not as their package has them, which was damaged in the package cache, too"
    SPECIAL = "neither files nor directories, and not carried over"
    REPLACED = "installed by another program, and replaced by the environment's own package"
    OTHER_PYTHON = "installed by another program for the Python before, and not carried over"


@dataclass(frozen=True, slots=True)
class Carried:
    """What went along: how many files, and what did not, by reason."""

    files: int
    kept: dict[Kept, tuple[str, ...]]

    def notes(self) -> list[str]:
        """Return one sentence for each reason, without a full stop."""
        return [f"{reason.value}: {_some(names)}" for reason, names in self.kept.items()]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
