"""Plain output: aligned columns, JSON, lines on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def write_line(line: str = "") -> None:
    """Write one line to standard output, without colours unless it is a terminal."""
    click.echo(line, color=_colour())


def write_note(line: str) -> None:
    """Write one line to standard error, where what is not the answer itself goes."""
    click.echo(line, err=True, color=_colour())


def write_json(answer: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write the one JSON value that ``--json`` promises: an object, a list where conda has one."""
    import json

    sys.stdout.write(json.dumps(answer, indent=2) + "\n")


def write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write aligned columns; nothing is ever cut, so that what is piped stays whole."""
    head, *body = aligned([header, *rows])
    write_line("\n".join((click.style(head, bold=True), *body)))


def aligned(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return one line per row, columns two blanks apart; columns in ``right`` end flush."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Return the text without what could steer a terminal: an index may have written it."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\x{ord(character):02x}"
        for character in text
    )


def _colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None
