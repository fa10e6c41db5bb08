"""``kaa run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import RUNNING, conda_flags
from kaa.cli.options import environment_options, one_of_or_active, pass_invocation, verbose_option

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation


@click.command(
    short_help="Run a program in an environment.",
    # What comes after the program is the program's, options included.
    context_settings={"allow_interspersed_args": False},
    epilog="Example: kaa run -n demo python -c 'import pandas'",
)
@environment_options
@click.option(
    "--cwd",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Start the program in this directory.",
)
@click.option(
    "-d",
    "--detach",
    is_flag=True,
    help="Start it in the background, without output, and print its process id.",
)
@conda_flags(RUNNING)
@verbose_option
@click.argument("program", metavar="PROGRAM")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
@pass_invocation
@click.pass_context
def run(
    context: click.Context,
    _invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    cwd: Path | None,
    detach: bool,
    program: str,
    arguments: tuple[str, ...],
) -> None:
    """Run PROGRAM in an environment, with its variables set as activation would set them.

    Everything after PROGRAM is passed on to it. The exit code is the program's. Nothing stands
    between the terminal and the program: it takes the place of kaa.
    """
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows.run import run_program

    command = [program, *arguments]
    if detach:
        from kaa.cli.text import write_line
        from kaa.workflows.run import start_program

        write_line(str(start_program(this_layout(), name, prefix, command, cwd=cwd)))
        return
    context.exit(run_program(this_layout(), name, prefix, command, cwd=cwd))
