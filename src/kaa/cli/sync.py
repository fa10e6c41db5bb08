"""``kaa sync``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from kaa.cli.file_options import file_options
from kaa.cli.options import (
    changing_options,
    environment_options,
    fix_option,
    one_of_or_active,
    solve_options,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.options import SolveOptions
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, EnvironmentChange

_EXAMPLES = """\b
Examples:
  kaa sync -n demo -f environment.yml
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
    """Make an environment, or the active one, what FILE says, and no more.

    What is installed stays where it can; packages that FILE does not lead to go. Your own files
    stay, and so does what pip installed by hand, unless FILE has it.
    """
    from kaa.cli.question import require_answer

    name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.change import ChangeRequest

    request = ChangeRequest(
        name, prefix, (), invocation.command, options, dry_run=invocation.dry_run
    )
    run_cancellable(change_environment(functools.partial(_prepare, file), request, invocation))


def _prepare(
    file: Path, request: ChangeRequest, layout: Layout, progress: Progress
) -> AbstractAsyncContextManager[EnvironmentChange]:
    from kaa.workflows.sync import prepare_sync

    return prepare_sync(request, file, layout, progress)
