"""Two contestants do the same work in turns, each measured as whole processes."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class BenchError(Exception):
    """The measurement cannot be made, or would mean nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run, with its whole environment."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]

    def run(self) -> str:
        """Run it and return what it printed. Raises :class:`BenchError` when it fails."""
        done = subprocess.run(
            self.arguments, env=dict(self.environ), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{' '.join(self.arguments)} failed:\n{done.stderr or done.stdout}")
        return done.stdout


Work = Callable[[int], Sequence[Command]]
"""The commands that do the work, given the number of the repetition."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds from start to end, and seconds of CPU time of all its processes."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Result:
    """The samples of both contestants for one piece of work."""

    ours: tuple[Sample, ...]
    theirs: tuple[Sample, ...]

    @property
    def ratio(self) -> float:
        """Our median time divided by theirs."""
        return median(self.ours) / median(self.theirs)

    @property
    def excess(self) -> float:
        """Our median time minus theirs, in seconds."""
        return median(self.ours) - median(self.theirs)


def median(samples: Sequence[Sample]) -> float:
    """Return the median time in seconds."""
    return statistics.median(sample.seconds for sample in samples)


def compete(ours: Work, theirs: Work, repetitions: int) -> Result:
    """Let both do their work ``repetitions`` times, in turns, so that noise hits both alike."""
    pairs = [(_measure(ours(n)), _measure(theirs(n))) for n in range(repetitions)]
    return Result(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def _measure(commands: Sequence[Command]) -> Sample:
    # What the run before left to be written would otherwise be written during this one.
    os.sync()
    cpu, started = _cpu_of_children(), time.perf_counter()
    for command in commands:
        command.run()
    return Sample(time.perf_counter() - started, _cpu_of_children() - cpu)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
