"""How long work tells how far it is. The command line draws it; programs may ignore it."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Phase(Enum):
    """A stretch of work; the value is what the display calls it."""

    METADATA = "metadata"
    BUILD = "build"
    DOWNLOAD = "download"
    LINK = "link"
    SCRIPTS = "scripts"
    KERNEL = "kernel"
    DISK = "disk"
    CHECK = "check"


class Progress(Protocol):
    """Receives how far each phase is. Totals may grow while a phase runs.

    Called from one thread only (the event loop's), except :meth:`advance`, which any thread may
    call. The unit is bytes for :attr:`Phase.DOWNLOAD` and a count of things for the others.
    """

    def expect(self, phase: Phase, amount: int) -> None:
        """Add ``amount`` to the phase's total (and show the phase, if it was not shown yet)."""

    def advance(self, phase: Phase, amount: int, item: str | None = None) -> None:
        """Say that ``amount`` more is done, and what is being worked on."""

    def finish(self, phase: Phase) -> None:
        """Say that the phase is over."""


class Silent:
    """A :class:`Progress` that shows nothing."""

    def expect(self, phase: Phase, amount: int) -> None:
        """Ignore it."""

    def advance(self, phase: Phase, amount: int, item: str | None = None) -> None:
        """Ignore it."""

    def finish(self, phase: Phase) -> None:
        """Ignore it."""
