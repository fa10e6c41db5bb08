"""What it means for kaa to take over an environment that another program made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.package import Package
    from kaa.model.process import Process


@dataclass(frozen=True, slots=True)
class Adoption:
    """A directory that is going to be the first generation of an environment, as it is.

    ``program`` is who made it, as far as that can be told; ``specs`` are taken to be what was
    asked for, and ``sources`` where the packages are from; ``foreign`` are packages without a
    record, which stay so; ``notes`` are what else a user should know before agreeing; ``overlay``
    is Python's minor version where the kernel needs an overlay that is not there yet.
    """

    name: str
    prefix: Path
    program: str
    packages: int
    specs: tuple[str, ...]
    sources: tuple[str, ...]
    foreign: tuple[Package, ...] = ()
    processes: tuple[Process, ...] = ()
    notes: tuple[str, ...] = ()
    overlay: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "program": self.program,
            "packages": self.packages,
            "specs": list(self.specs),
            "sources": list(self.sources),
            "foreign": [each.as_dict() for each in self.foreign],
            "processes": [each.as_dict() for each in self.processes],
            "notes": list(self.notes),
            "overlay": self.overlay,
        }
