"""``kaa update``, which is ``kaa upgrade`` too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import UPDATING, conda_flags
from kaa.cli.installed import installed_argument
from kaa.cli.options import (
    changing_options,
    environment_options,
    fix_option,
    one_of_or_active,
    solve_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.options import SolveOptions

_EXAMPLES = """\b
Examples:
  kaa update -n demo pandas
  kaa update -n demo --all
  kaa update -n demo "numpy<2"
"""


@click.command(short_help="Update packages of an environment.", epilog=_EXAMPLES)
@environment_options
@solve_options()
@installed_argument("[PACKAGE...]", nargs=-1)
@click.option("--all", "--update-all", "everything", is_flag=True, help="Update all packages.")
@conda_flags(UPDATING)
@fix_option
@changing_options
def update(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    packages: tuple[str, ...],
    everything: bool,
    options: SolveOptions,
) -> None:
    """Bring each PACKAGE of an environment, or of the active one, to a newer version.

    Only what has to move with it does. What was asked for when a package was installed still
    holds; a PACKAGE with a version ("numpy<2") takes its place. Python keeps its minor version
    unless it is named itself.
    """
    from kaa.cli.question import require_answer

    name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    # Only now, so that a mistake on the command line is told without a wait for imports.
    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.change import ChangeRequest, prepare_update

    request = ChangeRequest(
        name, prefix, packages, invocation.command, options, everything, invocation.dry_run
    )
    run_cancellable(change_environment(prepare_update, request, invocation))


upgrade = click.Command(
    "upgrade",
    callback=update.callback,
    params=update.params,
    help=update.help,
    epilog=_EXAMPLES.replace("kaa update", "kaa upgrade"),
    short_help="The same as update.",
)
