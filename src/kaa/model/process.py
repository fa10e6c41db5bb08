"""A running process that uses an environment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class ProcessKind(Enum):
    """What a process is to an environment; the value is what ``--json`` calls it.

    ``SHELL`` is a command line in which the environment is active, or that is in one of its
    directories: it uses no file of it until something is typed.
    """

    PROGRAM = "program"
    KERNEL = "kernel"
    SHELL = "shell"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that runs in an environment, or has something of it open.

    ``command`` is short and without passwords. ``generation`` is the one that it was started
    through, and keeps; None for one started through the environment's stable path, which can come
    upon files of a newer generation at any moment, and for shells. ``holds`` are the generations
    that it has files of as far as was looked: they may not be deleted.
    """

    pid: int
    name: str
    command: str
    generation: int | None
    kind: ProcessKind
    holds: frozenset[int] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "pid": self.pid,
            "name": self.name,
            "command": self.command,
            "generation": self.generation,
            "kind": self.kind.value,
            "holds": sorted(self.holds),
        }
