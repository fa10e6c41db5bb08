"""``kaa notices``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import ASKING, conda_flags
from kaa.cli.options import json_option, pass_invocation, source_option, verbose_option

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation

_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


@click.command(short_help="Show what the channels want you to know.")
@source_option
@conda_flags(ASKING)
@json_option
@verbose_option
@pass_invocation
def notices(invocation: Invocation, sources: tuple[str, ...]) -> None:
    """Show the notices that the channels of -c, or of the settings, have published."""
    from kaa.cli.interrupts import run_cancellable
    from kaa.cli.progress import display
    from kaa.cli.text import printable, write_json, write_line, write_note
    from kaa.model.options import SolveOptions
    from kaa.settings.directories import this_layout
    from kaa.workflows.notices import notices as ask

    with display(invocation) as progress:
        work = ask(SolveOptions(sources=sources), this_layout(), progress)
        found, failed = run_cancellable(work)
    if invocation.json:
        told = [notice.as_dict() for notice in found]
        write_json({"success": not failed, "notices": told, "failed": list(failed)})
    else:
        for notice in found:
            level = click.style(notice.level.upper(), fg=_COLOURS[notice.level], bold=True)
            date = f" ({notice.created_at[:10]})" if notice.created_at else ""
            write_line(f"{level}  {printable(notice.channel + date)}")
            for line in notice.message.splitlines():
                write_line(f"  {printable(line)}")
        if not found:
            write_line("No notices.")
        for failure in failed:
            write_note(printable(f"warning: {failure}"))
    if failed:
        raise click.exceptions.Exit(1)
