"""What is measured, as rows of a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from contest import Samples, median, median_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workplace import Workplace


class Unit(Enum):
    """What of two contestants is held against a limit."""

    RATIO = "ratio"
    EXCESS = "seconds over"
    MEMORY = "bytes"
    TIME = "seconds"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: two contestants of a group, and what to reach, None for nothing."""

    name: str
    work: str
    against: str
    limit: float | None
    unit: Unit = Unit.RATIO
    ours: str = "kaa"
    theirs: str = "other"

    def value(self, contest: Mapping[str, Samples]) -> float:
        """Return what is held against the limit."""
        ours, theirs = contest[self.ours], contest[self.theirs]
        if self.unit is Unit.MEMORY:
            return max(sample.memory for sample in ours)
        if self.unit is Unit.EXCESS:
            return median(ours) - median(theirs)
        if self.unit is Unit.TIME:
            return median(ours)
        return median(ours) / median(theirs)

    def is_met(self, contest: Mapping[str, Samples]) -> bool:
        """Say whether the limit is kept; what has none is."""
        return self.limit is None or self.value(contest) <= self.limit

    def shown(self, value: float) -> str:
        """Return a value or the limit as the table shows it."""
        if self.unit is Unit.MEMORY:
            return _megabytes(value)
        if self.unit is Unit.TIME:
            return f"{value * 1000:.0f} ms"
        return f"{value:.2f}" if self.unit is Unit.RATIO else f"{value * 1000:+.0f} ms"


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are measured together.

    ``measure`` returns the samples of each contestant by its name; ``family`` is what several
    groups are called together.
    """

    name: str
    family: str
    rows: tuple[Row, ...]
    measure: Callable[[Workplace, int], dict[str, Samples]]


Results = list[tuple[Row, dict[str, Samples]]]


def table(results: Results) -> str:
    """Return the rows and what was measured as a table in Markdown."""
    head = (
        "work",
        "kaa",
        "against",
        "its time",
        "CPU time",
        "ratio, excess or time",
        "to reach",
        "result",
    )
    lines = [head, *(_cells(row, contest) for row, contest in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def as_dict(row: Row, contest: Mapping[str, Samples]) -> dict[str, Any]:
    """Return a row with all samples."""
    return {
        "name": row.name,
        "work": row.work,
        "against": row.against,
        "value": row.value(contest),
        "unit": row.unit.value,
        "limit": row.limit,
        "met": row.is_met(contest),
        "kaa": [sample.as_dict() for sample in contest[row.ours]],
        "other": [sample.as_dict() for sample in contest[row.theirs]],
    }


def _cells(row: Row, contest: Mapping[str, Samples]) -> tuple[str, ...]:
    ours, theirs = contest[row.ours], contest[row.theirs]
    memory = row.unit is Unit.MEMORY
    result = "met" if row.is_met(contest) else "missed"
    return (
        row.work,
        _megabytes(max(s.memory for s in ours)) if memory else _spread(ours),
        row.against,
        _megabytes(max(s.memory for s in theirs)) if memory else _spread(theirs),
        "" if memory else f"{_seconds(median_cpu(ours))}, {_seconds(median_cpu(theirs))}",
        row.shown(row.value(contest)),
        "" if row.limit is None else f"<= {row.shown(row.limit)}",
        "" if row.limit is None else result,
    )


def _spread(samples: Samples) -> str:
    """Return the median with the smallest and the largest time."""
    times = [sample.seconds for sample in samples]
    figures = (median(samples), min(times), max(times))
    if figures[0] < 0.2:
        middle, low, high = (f"{figure * 1000:.1f}" for figure in figures)
        return f"{middle} ms ({low} to {high})"
    middle, low, high = (f"{figure:.2f}" for figure in figures)
    return f"{middle} s ({low} to {high})"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.2 else f"{seconds:.2f} s"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def rows_of(groups: Sequence[Group]) -> list[Row]:
    """Return the rows of several groups."""
    return [row for group in groups for row in group.rows]
