"""``kaa env update``: ``kaa install -f`` or, with ``--prune``, ``kaa sync -f``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from kaa.cli.file_options import file_options, one_of_or_named
from kaa.cli.options import changing_options, environment_options, solve_options

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.change import Prepare
    from kaa.cli.invocation import Invocation
    from kaa.model.options import SolveOptions


@click.command(short_help="Change an environment to have what a file says.")
@environment_options
@solve_options()
@file_options()
@click.option("--prune", is_flag=True, help="Remove what FILE does not lead to, as kaa sync does.")
@changing_options
def update(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    options: SolveOptions,
    file: Path | None,
    prune: bool,
) -> None:
    """Change an environment to have what FILE says; what else is there stays, without --prune.

    Without -n and -p it is the environment that FILE names, or the active one. Without FILE it is
    the environment.yml of the working directory.
    """
    from pathlib import Path

    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.cli.question import require_answer
    from kaa.workflows.change import ChangeRequest
    from kaa.workflows.install_file import prepare_install_file
    from kaa.workflows.sync import prepare_sync

    file = file or Path("environment.yml")
    name, prefix = one_of_or_named(name, prefix, file)
    require_answer(invocation)
    request = ChangeRequest(
        name, prefix, (), invocation.command, options, dry_run=invocation.dry_run
    )
    prepare: Prepare = functools.partial(prepare_install_file, file)
    if prune:
        prepare = functools.partial(prepare_sync, file)
    run_cancellable(change_environment(prepare, request, invocation))
