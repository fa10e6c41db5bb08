"""What was asked of an environment, and what it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Step(NamedTuple):
    """What became of a variable: its values before and after, None where it was or is not set."""

    name: str
    before: str | None
    after: str | None

    def back(self) -> Step:
        """Return the step that takes this one back."""
        return Step(self.name, self.after, self.before)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the user asked for: kept in every generation of an environment.

    ``specs`` are the package specs as typed, ``sources`` the channels and indexes in order of
    priority, ``command`` the command line that made this generation and ``created`` its time in
    UTC (ISO 8601). ``parent`` is the number of the generation that it was made from, None for the
    first; ``prefix`` the stable path that its files carry; ``variables`` what the command did to
    the variables that are set wherever the environment is active.
    """

    name: str
    specs: tuple[str, ...]
    sources: tuple[str, ...]
    command: str
    created: str
    parent: int | None = None
    prefix: str | None = None
    variables: tuple[Step, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that the manifest file and ``--json`` have."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EnvironmentInfo:
    """An environment as ``kaa env list`` and ``kaa info`` show it.

    ``prefix`` is the stable path (a link), ``generation_prefix`` the directory behind it;
    ``problem`` says why the environment cannot be used, where it cannot.
    """

    name: str
    prefix: Path
    generation: int | None
    generation_prefix: Path
    python: str | None
    packages: int
    manifest: Manifest | None
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "prefix": str(self.prefix),
            "generation": self.generation,
            "generation_prefix": str(self.generation_prefix),
            "python": self.python,
            "packages": self.packages,
            "specs": list(self.manifest.specs) if self.manifest else [],
            "sources": list(self.manifest.sources) if self.manifest else [],
            "created": self.manifest.created if self.manifest else None,
            "problem": self.problem,
        }


def now() -> str:
    """Return the time, in UTC to the second (ISO 8601), as manifests keep it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
