"""A plan as text: what is going to change, before it does.

Nothing in it is ever cut or broken in two: where a terminal is too narrow for a column, the
column is left out, and in the last resort each package takes several lines.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from kaa.cli.processes import process_lines
from kaa.cli.text import aligned, printable, write_json, write_line
from kaa.model.package import HOST
from kaa.model.plan import Addition, Change, Move

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo
    from kaa.model.package import Package
    from kaa.model.plan import Plan, Removal

_REQUESTED = "* "
_OTHER = "  "
_SYMBOLS = {
    Move.UPGRADE: "up",
    Move.DOWNGRADE: "down",
    Move.REBUILD: "build",
    Move.SOURCE: "source",
}
_COLOURS = {"-": "red", "down": "yellow"}


@dataclass(frozen=True, slots=True)
class Row:
    """A package's line of the plan: cells by the name of their column, and what it is marked as."""

    cells: dict[str, str]
    requested: bool
    symbol: str = "+"


def show_plan(plan: Plan, *, verbose: bool = False) -> None:
    """Write the plan to standard output, as wide as a terminal is, or as wide as it takes."""
    write_line(f"Environment {printable(plan.name)} at {printable(str(plan.prefix))}")
    rows = plan_rows(plan)
    if rows:
        width = None if verbose or not sys.stdout.isatty() else shutil.get_terminal_size().columns
        for line in _table(rows, _columns(plan, verbose=verbose), width):
            write_line(line)
    if plan.asked:
        write_line(f"Asked for from now on: {printable(', '.join(plan.asked))}")
    if plan.forgotten:
        write_line(f"No longer asked for: {printable(', '.join(plan.forgotten))}")
    for name, value in plan.variables:
        said = f"Not set any more: {name}" if value is None else f"Set: {name}={value}"
        write_line(printable(said))
    if plan.built:
        names = printable(", ".join(plan.built))
        write_line(f"Built from source, by code of their own (--no-build forbids it): {names}")
    for note in plan.notes:
        write_line(f"Note: {printable(note)}")
    for line in process_lines(plan.processes, verbose=verbose):
        write_line(line)
    write_line(plan_total(plan))
    if plan.overlay is not None:
        write_line(
            f"Also, once for every environment with Python {plan.overlay}: "
            "ipykernel, shared by all of them"
        )


def write_plan_answer(
    plan: Plan, environment: EnvironmentInfo | None, invocation: Invocation
) -> None:
    """Write the JSON object that says what was planned, and what the environment is by now.

    What conda has of it is called as conda calls it (``actions``, ``prefix``, ``dry_run``).
    """
    write_json(
        {
            "success": True,
            "dry_run": invocation.dry_run,
            "prefix": str(plan.prefix),
            "actions": plan.as_conda_dict(),
            "plan": plan.as_dict(),
            "environment": environment.as_dict() if environment else None,
        }
    )


def plan_rows(plan: Plan) -> list[Row]:
    """Return the lines of the plan: what was asked for first, each part in order of name."""
    rows = [
        *map(_addition, plan.additions),
        *map(_change, plan.changes),
        *map(_removal, plan.removals),
    ]
    # Of a new environment everything is wanted because of what was asked for.
    first = plan.generation is not None
    return sorted(rows, key=lambda row: (first and not row.requested, row.cells["Package"][2:]))


def plan_total(plan: Plan) -> str:
    """Return one line: how many packages, how much to download, how many stay or are at hand."""
    from rich.filesize import decimal

    if plan.nothing_to_do and plan.generation is not None:
        return "Nothing to do."
    download = f"{decimal(plan.download_size)} to download"
    if plan.generation is None:
        count = len(plan.additions)
        packages = "1 package" if count == 1 else f"{count} packages"
        return f"{packages}, {download}, {_cached(plan.additions)} from the cache"
    counts = {
        "to add": len(plan.additions),
        **{_MOVES[move]: sum(each.move is move for each in plan.changes) for move in Move},
        "to remove": len(plan.removals),
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join([*parts, f"{plan.unchanged} unchanged", download])


_MOVES = {
    Move.UPGRADE: "up",
    Move.DOWNGRADE: "down",
    Move.REBUILD: "to another build",
    Move.SOURCE: "to another source",
}


def _cached(additions: Iterable[Addition]) -> int:
    return sum(each.download == 0 and each.package.source != HOST for each in additions)


def _row(symbol: str, package: Package, requested: bool, **cells: str | None) -> Row:
    shown = {
        "": symbol,
        "Package": (_REQUESTED if requested else _OTHER) + package.name,
        "Version": package.version,
        "Source": package.source,
        "URL": package.url,
        **{name.capitalize(): cell or "" for name, cell in cells.items()},
    }
    return Row({name: printable(cell) for name, cell in shown.items()}, requested, symbol)


def _addition(addition: Addition) -> Row:
    package, size = addition.package, _download(addition.package, addition.download)
    return _row("+", package, package.requested, download=size, why=addition.why)


def _removal(removal: Removal) -> Row:
    package = removal.package
    return _row("-", package, package.requested, download="", why=removal.why)


def _change(change: Change) -> Row:
    before, after = change.before, change.after
    version = after.version
    if before.version != after.version:
        version = f"{before.version} -> {after.version}"
    elif before.build != after.build and not change.source_changed:
        version = f"{version} ({before.build} -> {after.build})"
    source = f"{before.source} -> {after.source}" if change.source_changed else after.source
    return _row(
        _SYMBOLS[change.move],
        after,
        after.requested,
        version=version,
        source=source,
        download=_download(after, change.download),
        why=change.why,
    )


def _download(package: Package, size: int) -> str:
    if package.source == HOST:
        return "installed"
    if size == 0:
        return "cached"
    from rich.filesize import decimal

    return decimal(size)


def _columns(plan: Plan, *, verbose: bool) -> list[str]:
    columns = ["Package", "Version", "Source", "Download"]
    if plan.generation is not None:
        columns = ["", *columns, "Why"]
    return [*columns, "URL"] if verbose else columns


def _table(rows: Sequence[Row], columns: list[str], width: int | None) -> list[str]:
    """Return the lines of a table that is at most ``width`` wide, where that is possible.

    A column that nothing hangs on is left out first.
    """
    moved = any("->" in row.cells["Source"] for row in rows)
    for left_out in (None, "Why", "Download", None if moved else "Source"):
        columns = [column for column in columns if column != left_out]
        lines = _lines(rows, columns)
        if width is None or max(map(len, lines)) <= width:
            break
    else:
        return [line for row in rows for line in _stacked(row, columns)]
    head, *body = lines
    return [click.style(head, bold=True), *map(_styled, body, rows)]


def _lines(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    header = [_OTHER + column if column == "Package" else column for column in columns]
    cells = [[row.cells[column] for column in columns] for row in rows]
    right = {columns.index("Download")} if "Download" in columns else set()
    return aligned([header, *cells], right=frozenset(right))


def _stacked(row: Row, columns: Sequence[str]) -> list[str]:
    first = " ".join(row.cells[column] for column in columns if column in ("", "Package"))
    rest = [row.cells[column] for column in columns if column not in ("", "Package")]
    return [_styled(first, row), *(f"    {cell}" for cell in rest if cell)]


def _styled(line: str, row: Row) -> str:
    colour = _COLOURS.get(row.symbol, "green" if row.requested else None)
    return click.style(line, fg=colour, bold=row.requested) if colour or row.requested else line
