"""What a transaction is going to do, before it does anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.package import Package


@dataclass(frozen=True, slots=True)
class Addition:
    """A package that is going to be linked. ``download`` is in bytes, 0 when it is in the cache."""

    package: Package
    download: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The packages that a new environment is going to have, and what fetching them costs."""

    name: str
    prefix: Path
    additions: tuple[Addition, ...]
    overlay: str | None = None
    """The Python version (``3.12``) whose kernel overlay is going to be built, if one is."""

    @property
    def download_size(self) -> int:
        """Bytes that are going to be downloaded, all in all."""
        return sum(addition.download for addition in self.additions)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "download_size": self.download_size,
            "add": [
                {**addition.package.as_dict(), "download": addition.download}
                for addition in self.additions
            ],
            "kernel_overlay": self.overlay,
        }
