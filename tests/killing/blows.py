"""How a command is stopped."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from killing.events import Watch

if TYPE_CHECKING:
    import random

    from killing.place import Place
    from killing.scenes import Stage
    from killing.starting import Answer

FILLER = "filler"
"""The name of the file that takes up the space of a file system."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended that somebody wanted to stop; ``moment`` is told to the user."""

    answer: Answer
    moment: str


class Blow(Protocol):
    """Stops a command at a moment that it chooses by itself, or by chance."""

    def strike(self, place: Place, stage: Stage, chance: random.Random) -> Ending:
        """Start the command of a scene whose usual end is known, and stop it."""
        ...


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal to the command and its children, between its start and its usual end.

    ``twice`` is how often, of a hundred times, it comes a second time, at once.
    """

    number: signal.Signals
    twice: int = 0

    def strike(self, place: Place, stage: Stage, chance: random.Random) -> Ending:
        moment = chance.uniform(0, stage.seconds * 1.05)
        twice = chance.uniform(0, 100) < self.twice
        pause = chance.uniform(0, 0.1)
        running = place.start(*stage.command)
        time.sleep(moment)
        running.signal(self.number)
        if twice:
            time.sleep(pause)
            running.signal(self.number)
        told = f"{moment / stage.seconds:.0%}{' twice' if twice else ''}"
        return Ending(running.wait(), told)


@dataclass(frozen=True, slots=True)
class AtEvent:
    """A signal at the n-th time that the command touches the file system."""

    instant: int
    number: signal.Signals = signal.SIGKILL

    def strike(self, place: Place, stage: Stage, chance: random.Random) -> Ending:
        watch = Watch(str(place.directory), self.instant, int(self.number))
        running = place.start(*stage.command, watch=watch)
        return Ending(running.wait(), f"event {self.instant}")


@dataclass(frozen=True, slots=True)
class Full:
    """The disk is full before the command has all that it needs.

    The machine has to be on a file system of its own.
    """

    def strike(self, place: Place, stage: Stage, chance: random.Random) -> Ending:
        needed = max(stage.space, 2**16)
        left = int(chance.uniform(0, 1.1) * needed)
        filler = place.directory / FILLER
        with filler.open("wb") as stream:
            status = os.statvfs(place.directory)
            free = status.f_bavail * status.f_frsize
            os.posix_fallocate(stream.fileno(), 0, max(free - left, 1))
        try:
            answer = place.kaa(*stage.command)
        finally:
            filler.unlink()
        return Ending(answer, f"{left / needed:.0%} of the space")


def events_of(place: Place, stage: Stage) -> list[str]:
    """Run a scene to its end and return the events that :class:`AtEvent` can stop it at."""
    place.restore(stage.kept)
    log = place.directory / "tmp" / "events"
    running = place.start(*stage.command, watch=Watch(str(place.directory), log=str(log)))
    answer = running.wait()
    if answer.code:
        raise RuntimeError(f"{stage.scene.name} ended with {answer.code}: {answer.err}")
    return log.read_text(encoding="utf-8").splitlines()
