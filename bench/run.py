"""Measure kaa against its peers and against plain processes: ``python bench/run.py --help``."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import change_rows
import command_rows
import creation_rows
import explanation_rows
import index_rows
import kernel_rows
import solve_rows
from contest import AbsentError, BenchError
from machine import describe_machine
from table import Results, as_dict, table
from workplace import Workplace, find_workplace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from table import Group

GROUPS = (
    *creation_rows.GROUPS,
    *change_rows.GROUPS,
    *command_rows.GROUPS,
    *solve_rows.GROUPS,
    *index_rows.GROUPS,
    *explanation_rows.GROUPS,
    *kernel_rows.GROUPS,
)


def main() -> int:
    """Measure, print the table, and return 0 when every limit is kept, else 1."""
    options = _options()
    groups = _chosen(options.rows)
    options.directory.mkdir(parents=True, exist_ok=True)
    channels = options.channels or options.directory / "kaa-bench-channels"
    root = Path(tempfile.mkdtemp(prefix="kaa-bench-", dir=options.directory))
    results: Results = []
    failed = False
    try:
        place = find_workplace(root, channels.resolve())
        machine = describe_machine(root) | _versions(place)
        for group in groups:
            print(f"{group.name} ...", file=sys.stderr, flush=True)
            try:
                contest = group.measure(place, options.repeat)
            except AbsentError as error:
                print(f"{group.name} is left out: {error}", file=sys.stderr)
                continue
            except BenchError as error:  # the other rows have taken minutes
                print(f"error: {error}", file=sys.stderr)
                failed = True
                continue
            results += [(row, contest) for row in group.rows]
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        print("removing what was made ...", file=sys.stderr, flush=True)
        shutil.rmtree(root, ignore_errors=True)
    print(table(results))
    print()
    print("\n".join(f"{what}: {value}" for what, value in machine.items()))
    if options.json:
        report = {"machine": machine, "rows": [as_dict(*result) for result in results]}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if failed:
        return 2
    return 0 if all(row.is_met(contest) for row, contest in results) else 1


def _options() -> argparse.Namespace:
    names = list(dict.fromkeys(name for group in GROUPS for name in (group.family, group.name)))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROWS",
        help=f"what to measure, everything by default: {', '.join(names)}",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where to work; everything is on this file system and removed afterwards",
    )
    parser.add_argument(
        "--channels",
        type=Path,
        help="where channels are made and kept (default: kaa-bench-channels in --directory)",
    )
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    unknown = [name for name in options.rows if name not in names]
    if unknown:
        parser.error(f"no rows are called {', '.join(unknown)}; there are {', '.join(names)}")
    return options


def _chosen(names: Sequence[str]) -> list[Group]:
    return [group for group in GROUPS if not names or {group.name, group.family} & set(names)]


def _versions(place: Workplace) -> dict[str, str]:
    version = place.plain(str(place.interpreter), "-c", "import sys; print(sys.version.split()[0])")
    return {
        "Python that runs kaa": platform.python_version(),
        "Python in the environments": version.run().strip(),
        "kaa": importlib.metadata.version("kaa"),
        "py-rattler": importlib.metadata.version("py-rattler"),
        "uv": place.plain(place.uv, "--version").run().split()[1],
    }


if __name__ == "__main__":
    sys.exit(main())
