"""Measure kaa against uv and against the plain interpreter: ``python bench/run.py --help``."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contest import BenchError, Result, Sample, Work, compete, median
from link import limited_link
from machine import describe_machine
from workplace import PACKAGES, Workplace, find_workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SMALL = "small"
"""The root directory of kaa for what takes milliseconds; it has the environment ``demo``."""
DEMO = "demo"
SHORT = 4
"""How many times more often what takes milliseconds is repeated."""
NEEDED = 1_300_000_000
"""Bytes of disk for one repetition of a cold row, both contestants together."""
MEGABITS = 100.0
"""The speed of the link in the row of that name, a second."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``limit`` is a ratio, or seconds over the other contestant."""

    name: str
    work: str
    against: str
    limit: float
    is_ratio: bool
    measure: Callable[[Workplace, int], Result]

    def value(self, result: Result) -> float:
        """Return what is held against the limit."""
        return result.ratio if self.is_ratio else result.excess

    def shown(self, value: float) -> str:
        """Return a value or the limit as the table shows it."""
        return f"{value:.2f}" if self.is_ratio else f"{value * 1000:+.0f} ms"


def _warm(place: Workplace, repetitions: int) -> Result:
    for command in (place.kaa_create("warm", "first"), *place.uv_create("uv-cache", "uv-first")):
        command.run()  # fills the caches
    result = compete(
        lambda n: [place.kaa_create("warm", f"warm{n}")],
        lambda n: place.uv_create("uv-cache", f"uv-warm{n}"),
        repetitions,
    )
    for n in range(repetitions):
        place.check_same("warm", f"warm{n}", f"uv-warm{n}")
    place.check_works("warm", "warm0")
    return result


def _cold(place: Workplace, repetitions: int) -> Result:
    return _from_nothing(place, repetitions, "cold")


def _link(place: Workplace, repetitions: int) -> Result:
    with limited_link(MEGABITS) as proxy:
        return _from_nothing(place.behind(proxy), repetitions, "link")


def _from_nothing(place: Workplace, repetitions: int, name: str) -> Result:
    # A new cache each time; the old ones are deleted at the very end (see README.md).
    if shutil.disk_usage(place.root).free < repetitions * NEEDED:
        raise BenchError(f"{repetitions * NEEDED / 1e9:.0f} GB of free disk are needed")
    result = compete(
        lambda n: [place.kaa_create(f"{name}{n}", "demo")],
        lambda n: place.uv_create(f"uv-{name}-cache{n}", f"uv-{name}{n}"),
        repetitions,
    )
    for n in range(repetitions):
        place.check_same(f"{name}{n}", "demo", f"uv-{name}{n}")
    place.check_works(f"{name}0", "demo")
    return result


def _against(*other: str) -> Callable[[Workplace, Sequence[str], int], Result]:
    def measure(place: Workplace, arguments: Sequence[str], repetitions: int) -> Result:
        ours: Work = lambda _: [place.kaa_command(SMALL, *arguments)]  # noqa: E731
        return compete(ours, lambda _: [place.plain(*other)], repetitions * SHORT)

    return measure


_TRUE = _against(shutil.which("true") or "true")
_PYTHON = _against(sys.executable, "-c", "pass")

CREATION = "create " + " + ".join(PACKAGES)
UV = "uv venv + uv pip install"
ROWS = (
    Row("warm", f"{CREATION}, warm caches", UV, 1.2, True, _warm),
    Row("cold", "the same, cold caches", UV, 1.2, True, _cold),
    Row("link", f"the same, over a link of {MEGABITS:.0f} Mbit/s", UV, 1.2, True, _link),
    Row(
        "run",
        "kaa run -n demo true",
        "true",
        0.070,
        False,
        lambda place, n: _TRUE(place, ("run", "-n", DEMO, "true"), n),
    ),
    Row(
        "help",
        "kaa --help",
        "python -c pass",
        0.100,
        False,
        lambda place, n: _PYTHON(place, ("--help",), n),
    ),
    Row(
        "list",
        "kaa env list",
        "python -c pass",
        0.100,
        False,
        lambda place, n: _PYTHON(place, ("env", "list"), n),
    ),
)


def main() -> int:
    """Measure, print the table, and return 0 when every limit is kept, else 1."""
    options = _options()
    rows = [row for row in ROWS if not options.only or row.name in options.only]
    options.directory.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="kaa-bench-", dir=options.directory))
    try:
        place = find_workplace(root)
        machine = describe_machine(root) | _versions(place)
        place.kaa_create(SMALL, DEMO).run()
        results = {}
        for row in rows:
            print(f"{row.name} ...", file=sys.stderr, flush=True)
            results[row.name] = row.measure(place, options.repeat)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        print("removing the environments ...", file=sys.stderr, flush=True)
        shutil.rmtree(root, ignore_errors=True)
    print(_table(rows, results))
    print()
    print("\n".join(f"{what}: {value}" for what, value in machine.items()))
    if options.json:
        report = {"machine": machine, "rows": [_as_dict(row, results[row.name]) for row in rows]}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row.value(results[row.name]) <= row.limit for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where to work; everything is on this file system and removed afterwards",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[row.name for row in ROWS],
        help="measure this row only (may be repeated)",
    )
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


def _versions(place: Workplace) -> dict[str, str]:
    version = place.plain(str(place.interpreter), "-c", "import sys; print(sys.version.split()[0])")
    return {
        "Python that runs kaa": platform.python_version(),
        "Python in the environments": version.run().strip(),
        "kaa": importlib.metadata.version("kaa"),
        "py-rattler": importlib.metadata.version("py-rattler"),
        "uv": place.plain(place.uv, "--version").run().split()[1],
    }


def _table(rows: Sequence[Row], results: dict[str, Result]) -> str:
    head = ("work", "kaa", "against", "its time", "ratio or excess", "to reach", "result")
    lines = [head, *([*_cells(row, results[row.name])] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def _cells(row: Row, result: Result) -> tuple[str, ...]:
    value = row.value(result)
    return (
        row.work,
        _spread(result.ours),
        row.against,
        _spread(result.theirs),
        row.shown(value),
        f"<= {row.shown(row.limit)}",
        "met" if value <= row.limit else "missed",
    )


def _spread(samples: Sequence[Sample]) -> str:
    """Return the median with the smallest and the largest time."""
    times = [sample.seconds for sample in samples]
    figures = (median(samples), min(times), max(times))
    if figures[0] < 0.2:
        middle, low, high = (f"{figure * 1000:.1f}" for figure in figures)
        return f"{middle} ms ({low} to {high})"
    middle, low, high = (f"{figure:.2f}" for figure in figures)
    return f"{middle} s ({low} to {high})"


def _as_dict(row: Row, result: Result) -> dict[str, Any]:
    value = row.value(result)
    return {
        "name": row.name,
        "work": row.work,
        "against": row.against,
        "value": value,
        "unit": "ratio" if row.is_ratio else "seconds over",
        "limit": row.limit,
        "met": value <= row.limit,
        "kaa": [asdict(sample) for sample in result.ours],
        "other": [asdict(sample) for sample in result.theirs],
    }


if __name__ == "__main__":
    sys.exit(main())
