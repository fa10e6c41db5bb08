"""Contestants do the same work in turns, each measured as whole processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


class BenchError(Exception):
    """The measurement cannot be made, or would mean nothing."""


class AbsentError(BenchError):
    """What is measured on is not there: the rows are left out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds from start to end, seconds of CPU time of all its processes, bytes of
    memory that the largest of them had at its most, and what the last one printed."""

    seconds: float
    cpu: float
    memory: int = 0
    printed: str = ""

    def as_dict(self) -> dict[str, float]:
        """Return the figures."""
        return {"seconds": self.seconds, "cpu": self.cpu, "memory": self.memory}


Samples = tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run, with its whole environment and what it reads from standard input."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    stdin: str = ""

    def run(self) -> str:
        """Run it and return what it printed. Raises :class:`BenchError` when it fails."""
        return self.measured().printed

    def measured(self) -> Sample:
        """Run it and return what that took. Raises :class:`BenchError` when it fails."""
        # Files and not pipes, so that nothing has to be read while it runs.
        with (
            tempfile.TemporaryFile("w+") as given,
            tempfile.TemporaryFile("w+", errors="replace") as out,
            tempfile.TemporaryFile("w+", errors="replace") as err,
        ):
            given.write(self.stdin)
            given.seek(0)
            started = time.perf_counter()
            process = subprocess.Popen(
                self.arguments, env=dict(self.environ), stdin=given, stdout=out, stderr=err
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            for stream in (out, err):
                stream.seek(0)
            printed = out.read()
            if process.returncode:
                why = err.read() or printed or f"exit code {process.returncode}"
                raise BenchError(f"{' '.join(self.arguments)} failed:\n{why}")
        memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Sample(seconds, usage.ru_utime + usage.ru_stime, memory, printed)


Work = Callable[[int], Sequence[Command]]
"""The commands that do the work, given the number of the repetition."""


def median(samples: Samples) -> float:
    """Return the median time in seconds."""
    return statistics.median(sample.seconds for sample in samples)


def median_cpu(samples: Samples) -> float:
    """Return the median CPU time in seconds."""
    return statistics.median(sample.cpu for sample in samples)


def compete(contestants: Mapping[str, Work], repetitions: int) -> dict[str, Samples]:
    """Let all do their work ``repetitions`` times, in turns, so that noise hits them alike."""
    rounds = [
        {name: _measure(work(number)) for name, work in contestants.items()}
        for number in range(repetitions)
    ]
    return {name: tuple(each[name] for each in rounds) for name in contestants}


def _measure(commands: Sequence[Command]) -> Sample:
    # What the run before left to be written would otherwise be written during this one.
    os.sync()
    samples = [command.measured() for command in commands]
    return Sample(
        sum(sample.seconds for sample in samples),
        sum(sample.cpu for sample in samples),
        max(sample.memory for sample in samples),
        samples[-1].printed,
    )
