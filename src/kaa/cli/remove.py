"""``kaa remove``, which is ``kaa uninstall`` too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import REMOVING, SOLVING, conda_flags
from kaa.cli.installed import installed_argument
from kaa.cli.options import (
    changing_options,
    download_only_option,
    environment_options,
    fix_option,
    one_of_or_active,
)
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation

_EXAMPLES = """\b
Examples:
  kaa remove -n demo pandas
  kaa remove -n demo --all        the environment itself, as `kaa env remove -n demo`
"""


@click.command(short_help="Remove packages from an environment.", epilog=_EXAMPLES)
@environment_options
@installed_argument("[PACKAGE...]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove the environment itself.")
@click.option(
    "--force",
    "--force-remove",
    "--no-prune-deps",
    "force",
    is_flag=True,
    help="Remove just these, although others need them and stay broken.",
)
@click.option("--offline", is_flag=True, help="Use what the caches have, and no network.")
@click.option(
    "--allow-link-scripts",
    "link_scripts",
    is_flag=True,
    help="Run the programs that packages bring for when they go.",
)
@download_only_option
@conda_flags(SOLVING)
@conda_flags(REMOVING)
@fix_option
@changing_options
def remove(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    packages: tuple[str, ...],
    everything: bool,
    force: bool,
    offline: bool,
    link_scripts: bool,
) -> None:
    """Remove each PACKAGE from an environment, or from the active one.

    Packages that need a PACKAGE go along, and so does what was there for the sake of one of them
    and was never asked for. Nothing else changes, and `kaa undo` brings all of it back.
    """
    if everything:
        if packages:
            raise RequestError(
                "--all removes the environment, packages and all", hint="leave out --all"
            )
        from kaa.cli.env_remove import remove_whole

        remove_whole(invocation, *one_of_or_active(name, prefix))
        return
    from kaa.cli.question import require_answer

    name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    from kaa.cli.change import change_environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.model.options import SolveOptions
    from kaa.workflows.change import ChangeRequest
    from kaa.workflows.removal import prepare_remove

    request = ChangeRequest(
        name,
        prefix,
        packages,
        invocation.command,
        SolveOptions(offline=offline, link_scripts=link_scripts),
        dry_run=invocation.dry_run,
        force=force,
    )
    run_cancellable(change_environment(prepare_remove, request, invocation))


uninstall = click.Command(
    "uninstall",
    callback=remove.callback,
    params=remove.params,
    help=remove.help,
    epilog=_EXAMPLES.replace("kaa remove", "kaa uninstall"),
    short_help="The same as remove.",
)
