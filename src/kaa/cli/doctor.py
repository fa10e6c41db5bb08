"""``kaa doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    quiet_option,
    verbose_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.health import Check

_SHOWN = 10
_COLOURS = {"sound": "green", "note": "yellow", "ill": "red"}


@click.command(
    short_help="Examine the health of one environment.",
    epilog="\b\nExamples:\n  kaa doctor -n demo\n  kaa doctor -p ./env -v",
)
@environment_options
@json_option
@quiet_option
@verbose_option
@pass_invocation
def doctor(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """Ask of an environment whether its files are whole, its packages have what they need of each
    other, its pins can be read, its kernel can start, and whether conda knows of it.

    Nothing is changed, and nothing in it is run. The exit code is 1 when something is to be mended;
    each such thing comes with what to type.
    """
    name, prefix = one_of_or_active(name, prefix)

    from kaa.cli.progress import display
    from kaa.cli.text import printable, write_json, write_line
    from kaa.settings.directories import this_layout
    from kaa.workflows.health import examine

    with display(invocation) as progress:
        health = examine(this_layout(), name, prefix, progress)
    if invocation.json:
        write_json({"success": True, **health.as_dict()})
    elif invocation.speaks:
        write_line(printable(f"{health.name} at {health.prefix}"))
        for check in health.checks:
            for line in _lines(check, verbose=invocation.verbosity > 0):
                write_line(line)
    if not health.sound:
        raise click.exceptions.Exit(1)


def _lines(check: Check, *, verbose: bool) -> Iterator[str]:
    from kaa.cli.text import printable

    mark = click.style(f"{check.state.value:<5}", fg=_COLOURS[check.state.value])
    yield f"  {mark}  {check.question:<13}  {printable(check.finding)}"
    ill = check.state.value == "ill"
    details = check.details if verbose else check.details[:_SHOWN] if ill else ()
    for line in details:
        yield f"           {printable(line)}"
    if ill and len(details) < len(check.details):
        yield f"           and {len(check.details) - len(details)} more (-v lists them)"
    if check.hint and (ill or verbose):
        yield f"           to mend it: {printable(check.hint)}"
