"""What looking at one environment from all sides has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class State(Enum):
    """How serious a finding is; the value is what ``--json`` calls it."""

    SOUND = "sound"
    NOTE = "note"
    """Worth knowing, and no reason to do anything."""
    ILL = "ill"


@dataclass(frozen=True, slots=True)
class Check:
    """One question that was asked of an environment, and the answer.

    ``question`` is what was looked at (two or three words), ``finding`` a sentence without a full
    stop, ``details`` are lines to read with ``-v`` or when something is wrong, ``hint`` is what to
    type.
    """

    question: str
    state: State
    finding: str
    details: tuple[str, ...] = ()
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {**asdict(self), "state": self.state.value, "details": list(self.details)}


@dataclass(frozen=True, slots=True)
class Health:
    """All that was asked of an environment."""

    name: str
    prefix: Path
    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing has to be mended."""
        return all(check.state is not State.ILL for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "healthy": self.sound,
            "checks": [check.as_dict() for check in self.checks],
        }
