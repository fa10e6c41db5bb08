"""``kaa install``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import INSTALLING, conda_flags
from kaa.cli.file_options import file_options
from kaa.cli.options import (
    changing_options,
    environment_options,
    fix_option,
    one_of_or_active,
    solve_options,
)
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.options import SolveOptions

_EXAMPLES = """\b
Examples:
  kaa install -n demo pandas "rich>=13"
  kaa install -n demo -c pypi "pypi::requests>=2.32"
  kaa install -n demo --freeze-installed scipy
  kaa install -n demo -f requirements.txt
"""


@click.command(short_help="Install packages into an environment.", epilog=_EXAMPLES)
@environment_options
@solve_options()
@file_options()
@click.argument("specs", metavar="[SPEC...]", nargs=-1)
@click.option(
    "--revision",
    type=click.IntRange(min=0),
    metavar="N",
    help="Go back to generation N, as `kaa rollback` does.",
)
@conda_flags(INSTALLING)
@fix_option
@changing_options
def install(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    specs: tuple[str, ...],
    options: SolveOptions,
    revision: int | None,
    file: Path | None,
) -> None:
    """Install every SPEC into an environment, or into the active one.

    What is installed stays as it is unless a SPEC makes it move; the plan shows what does, and
    why. A SPEC takes the place of an earlier one for the same package, but for a name alone,
    which leaves it as it is. Packages come from the sources that the environment was made from;
    those of -c go before them, now and from then on.
    """
    from kaa.cli.question import require_answer

    if revision is not None:
        if specs or file is not None:
            raise RequestError(
                f"generation {revision} has its own packages", hint="leave out the SPECs"
            )
        from kaa.cli.history import go_back

        go_back(invocation, name, prefix, revision, options.offline)
        return
    name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    # Only now, so that a mistake on the command line is told without a wait for imports.
    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.change import ChangeRequest, prepare_install

    request = ChangeRequest(
        name, prefix, specs, invocation.command, options, dry_run=invocation.dry_run
    )
    prepare = prepare_install
    if file is not None:
        from kaa.workflows.install_file import prepare_install_file

        prepare = functools.partial(prepare_install_file, file)
    run_cancellable(change_environment(prepare, request, invocation))
