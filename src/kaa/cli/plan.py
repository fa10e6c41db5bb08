"""A plan as text: what is going to change, before it does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kaa.cli.text import aligned, printable, write_line
from kaa.model.package import HOST

if TYPE_CHECKING:
    from kaa.model.plan import Addition, Plan

_HEADER = ("Package", "Version", "Source", "Download")
_REQUESTED = "* "
_OTHER = "  "


def show_plan(plan: Plan, *, verbose: bool = False) -> None:
    """Write the plan to standard output: a table on a terminal, plain columns elsewhere."""
    where = f"Environment {printable(plan.name)} at {printable(str(plan.prefix))}"
    write_line(where)
    header = (*_HEADER, "URL") if verbose else _HEADER
    rows = plan_rows(plan, verbose=verbose)
    # URLs are too long for a table's column: the terminal wraps them best, and they can be copied.
    if sys.stdout.isatty() and not verbose:
        _draw(rows)
    else:
        for line in aligned([(_OTHER + header[0], *header[1:]), *rows], right=frozenset({3})):
            write_line(line)
    write_line(plan_total(plan))
    if plan.overlay is not None:
        write_line(
            f"Also, once for every environment with Python {plan.overlay}: "
            "ipykernel, shared by all of them"
        )


def plan_rows(plan: Plan, *, verbose: bool = False) -> list[tuple[str, ...]]:
    """Return the cells of the plan's table in order of name, ``*`` before what was asked for."""
    rows = []
    for addition in sorted(plan.additions, key=lambda addition: addition.package.name):
        package = addition.package
        mark = _REQUESTED if package.requested else _OTHER
        cells = [mark + package.name, package.version, package.source, _download(addition)]
        if verbose:
            cells.append(package.url)
        rows.append(tuple(printable(cell) for cell in cells))
    return rows


def plan_total(plan: Plan) -> str:
    """Return one line: how many packages, how much to download, how many are in the cache."""
    from rich.filesize import decimal

    count = len(plan.additions)
    cached = sum(
        addition.download == 0 and addition.package.source != HOST for addition in plan.additions
    )
    packages = "1 package" if count == 1 else f"{count} packages"
    return f"{packages}, {decimal(plan.download_size)} to download, {cached} from the cache"


def _download(addition: Addition) -> str:
    if addition.package.source == HOST:
        return "installed"
    if addition.download == 0:
        return "cached"
    from rich.filesize import decimal

    return decimal(addition.download)


def _draw(rows: list[tuple[str, ...]]) -> None:
    # Rich costs 70 ms to import, which only somebody who looks at a terminal should pay.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column, title in enumerate(_HEADER):
        is_size = column == 3
        # On a narrow terminal a long cell goes on below, so that it can still be read in full.
        table.add_column(
            _OTHER + title if column == 0 else title,
            justify="right" if is_size else "left",
            no_wrap=is_size,
            overflow="fold",
        )
    for row in rows:
        style = "bold green" if row[0].startswith(_REQUESTED) else ""
        table.add_row(Text(row[0], style=style), *(Text(cell) for cell in row[1:]))
    Console(file=sys.stdout, highlight=False).print(table)
