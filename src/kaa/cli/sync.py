"""``kaa sync``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from kaa.cli.file_options import file_options, one_of_or_named
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
  kaa sync -f environment.yml
  kaa sync -n demo -f kaa.lock --dry-run
"""


@click.command(short_help="Make an environment what a file says.", epilog=_EXAMPLES)
@environment_options
@solve_options()
@file_options(required=True)
@fix_option
@changing_options
def sync(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    file: Path,
    options: SolveOptions,
) -> None:
    """Make an environment what FILE says, and no more.

    Without -n and -p it is the environment that FILE names, or the active one. What is installed
    stays where it can; packages that FILE does not lead to go. Your own files stay, and so does
    what pip installed by hand, unless FILE has it.
    """
    if not (name is None and prefix is None):
        name, prefix = one_of_or_active(name, prefix)
    if not invocation.fix and _said_at_once(name, prefix, file, options, invocation):
        return
    if name is None and prefix is None:
        name, prefix = one_of_or_named(name, prefix, file)
        if not invocation.fix and _said_at_once(name, prefix, file, options, invocation):
            return

    from kaa.cli.question import require_answer

    require_answer(invocation)

    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.change import ChangeRequest
    from kaa.workflows.sync import prepare_sync

    request = ChangeRequest(
        name, prefix, (), invocation.command, options, dry_run=invocation.dry_run
    )
    run_cancellable(change_environment(functools.partial(prepare_sync, file), request, invocation))


def _said_at_once(
    name: str | None,
    prefix: Path | None,
    file: Path,
    options: SolveOptions,
    invocation: Invocation,
) -> bool:
    """Say that nothing is to be done, where that is known without a solve; return whether it is."""
    from kaa.settings.directories import this_layout
    from kaa.workflows.synced import still_synced

    found = still_synced(name, prefix, file, options, this_layout())
    if found is None:
        return False
    if invocation.json:
        from kaa.cli.plan import write_plan_answer
        from kaa.environments.prefix import read_info
        from kaa.model.plan import Plan

        info = read_info(found)
        plan = Plan(found.name, found.path, (), unchanged=info.packages, generation=info.generation)
        write_plan_answer(plan, info, invocation)
    elif invocation.speaks:
        from kaa.cli.text import printable, write_line

        write_line(printable(f"Environment {found.name} at {found.path}"))
        write_line("Nothing to do.")
    return True
