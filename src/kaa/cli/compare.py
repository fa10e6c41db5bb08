"""``kaa compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.file_options import file_choice_options
from kaa.cli.options import (
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    quiet_option,
    verbose_option,
)

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation
    from kaa.model.options import FileChoice

_EXAMPLES = """\b
Examples:
  kaa compare -n demo environment.yml
  kaa compare -n demo conda-lock.yml --json
"""


@click.command(short_help="Compare an environment with a file.", epilog=_EXAMPLES)
@environment_options
@file_choice_options
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@quiet_option
@verbose_option
@pass_invocation
def compare(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    choice: FileChoice,
    file: Path,
) -> None:
    """Say what FILE asks for and an environment, or the active one, has not.

    What else is there does not matter, unless FILE is a lock. The exit code is 0 where all is
    there, and 1 where it is not.
    """
    from kaa.cli.text import printable, write_json, write_line
    from kaa.model.options import SolveOptions
    from kaa.settings.directories import this_layout
    from kaa.workflows import compare as workflow

    name, prefix = one_of_or_active(name, prefix)
    options = SolveOptions(choice=choice)
    found = workflow.compare(this_layout(), name, prefix, file, options)
    if invocation.json:
        write_json({"success": True, "equal": found.equal, "differences": list(found.differences)})
    elif not invocation.quiet:
        for line in found.differences:
            write_line(printable(line))
        if found.equal:
            write_line("Success: all that the file asks for is in the environment.")
    if not found.equal:
        raise click.exceptions.Exit(1)
