"""What is going to be done about damage, before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.verification import EntryReport, EnvironmentReport, Finding


@dataclass(frozen=True, slots=True)
class Unmended:
    """What kaa does not mend, because another program has installed it, and what mends it."""

    name: str
    findings: tuple[Finding, ...]
    command: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "findings": [each.as_dict() for each in self.findings],
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What is wrong with an environment, and what is going to be done about it.

    ``fetched`` are entries of the package cache that are damaged and fetched again; ``records``
    the packages whose records are written anew; ``instead`` the number of the generation that is
    rebuilt, where it is not the current one; ``others`` are environments that have files of
    ``fetched``, too. ``rebuild`` says that there is going to be a new generation.
    """

    name: str
    prefix: Path
    generation: int | None
    report: EnvironmentReport
    fetched: tuple[EntryReport, ...] = ()
    records: tuple[str, ...] = ()
    instead: int | None = None
    others: tuple[str, ...] = ()
    unmended: tuple[Unmended, ...] = ()
    rebuild: bool = False

    @property
    def nothing_to_do(self) -> bool:
        """Whether there is nothing that can be mended."""
        return not self.rebuild and not self.fetched

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "generation": self.generation,
            "damage": [each.as_dict() for each in self.report.damage],
            "fetch": [each.as_dict() for each in self.fetched],
            "records": list(self.records),
            "instead": self.instead,
            "others": list(self.others),
            "unmended": [each.as_dict() for each in self.unmended],
            "rebuild": self.rebuild,
        }
