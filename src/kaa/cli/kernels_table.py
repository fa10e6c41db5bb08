"""How ``kaa kernels list`` looks: whole where it is piped, within the width on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from kaa.cli.text import aligned, printable, write_line, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.kernels.offers import Offer
    from kaa.workflows.kernels import KernelListing

_LEAST = 12
"""Columns that a path keeps, however narrow the terminal is."""


def write_kernels(offered: Sequence[Offer], listing: KernelListing, *, verbose: bool) -> None:
    """Write the table. Reasons why a kernel cannot run are lines of their own on a terminal."""
    marked = any(offer.pinned or offer.left_out for offer in offered)
    header = ["Environment", "Made by", "Language", "Kernel", *(["Marked"] if marked else [])]
    header += ["Last used", "Shown as", "Id"] if verbose else []
    header.append("Prefix")
    rows = [_row(offer, listing, marked=marked, verbose=verbose) for offer in offered]
    if not sys.stdout.isatty():
        write_table(header, rows)
        return
    width = shutil.get_terminal_size().columns
    for line in on_terminal(header, rows, width, os.path.expanduser("~")):  # noqa: PTH111
        write_line(line)


def on_terminal(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int, home: str
) -> list[str]:
    """Return lines of at most ``width`` columns, as far as paths can be shortened to that.

    ``home`` is written as ``~``; what is too long loses its middle. Reasons (``none: ...``) follow
    on lines of their own.
    """
    reasons = [row[3].removeprefix("none: ") if row[3].startswith("none: ") else "" for row in rows]
    short = [
        [*row[:3], "none" if reason else row[3], *row[4:]]
        for row, reason in zip(rows, reasons, strict=True)
    ]
    short = [[*row[:-1], _below_home(row[-1], home)] for row in short]
    # Labels may be paths as well, and are shortened after the prefixes.
    for column in (-1, 0):
        excess = max(map(len, aligned([header, *short]))) - width
        if excess > 0:
            longest = max(len(row[column]) for row in short)
            room = max(longest - excess, _LEAST)
            for row in short:
                row[column] = _shortened(row[column], room)
    head, *body = aligned([header, *short])
    lines = [click.style(head, bold=True)]
    for line, reason in zip(body, reasons, strict=True):
        lines.append(line)
        if reason:
            import textwrap

            lines += textwrap.wrap(
                reason, max(width, 40), initial_indent="    ", subsequent_indent="    "
            )
    return lines


def _row(offer: Offer, listing: KernelListing, *, marked: bool, verbose: bool) -> list[str]:
    from kaa.workflows.kernels import ago

    environment = offer.environment
    facts = environment.facts
    of_python = offer.language.lower() == "python" and facts.python is not None
    language = f"Python {facts.python}" if of_python else offer.language
    if offer.kernel is None and facts.python is None:
        language = "-"  # nothing in it speaks any
    shared = "shared" if listing.lent.get(offer.id) else "shared, on first use"
    kernel = {"overlay": shared, "environment": "its own", None: f"none: {offer.reason}"}
    cells = [environment.label, environment.maker.value, language]
    cells.append(kernel[listing.brought_by(offer)])
    if marked:
        marks = {"hidden": "hidden", "env-filter": "filtered"}
        words = ["pinned"] if offer.pinned else []
        cells.append(" ".join([*words, *([marks[offer.left_out]] if offer.left_out else [])]))
    if verbose:
        cells += [ago(facts.last_used), offer.display_name, offer.id]
    return [printable(cell) for cell in (*cells, environment.prefix)]


def _below_home(path: str, home: str) -> str:
    return "~" + path[len(home) :] if path.startswith(home.rstrip(os.sep) + os.sep) else path


def _shortened(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    end = (room - 1) * 2 // 3
    return f"{text[: room - 1 - end]}…{text[len(text) - end :]}"
