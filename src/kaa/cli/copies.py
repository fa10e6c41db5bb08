"""``kaa clone`` and ``kaa rename``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import RENAMING, conda_flags
from kaa.cli.options import (
    complete_names,
    dry_run_option,
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    quiet_option,
    verbose_option,
    yes_option,
)
from kaa.model.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kaa.cli.invocation import Invocation
    from kaa.workflows.copies import CopyRequest

Chosen = tuple[str | None, Path | None]


def _copy_options(command: Callable[..., None]) -> Callable[..., None]:
    names = click.argument(
        "names", metavar="[SOURCE] TARGET", nargs=-1, shell_complete=complete_names
    )
    offline = click.option(
        "--offline", is_flag=True, help="Use what the caches have, and no network."
    )
    options = (
        environment_options,
        names,
        offline,
        yes_option,
        dry_run_option,
        json_option,
        quiet_option,
        verbose_option,
        pass_invocation,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    short_help="Make a copy of an environment.",
    epilog="\b\nExamples:\n  kaa clone demo demo2\n  kaa clone ./old ./new\n"
    "  kaa clone -p /opt/conda/envs/science science",
)
@_copy_options
def clone(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    names: tuple[str, ...],
    offline: bool,
) -> None:
    """Make TARGET, which has the same packages as SOURCE, and your own files in it.

    Both are names, or paths (with a / in them); -n and -p name the source, too. Environments that
    conda, mamba or pixi made can be cloned. Files are shared with the package cache, not copied.
    """
    _copy(invocation, name, prefix, names, offline=offline, rename=False)


@click.command(
    short_help="Give an environment another name or place.",
    epilog="\b\nExamples:\n  kaa rename demo trial\n  kaa rename demo ./here/demo",
)
@conda_flags(RENAMING)
@_copy_options
def rename(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    names: tuple[str, ...],
    offline: bool,
) -> None:
    """Make SOURCE be TARGET from now on: its packages, your files, its history and its kernel.

    Both are names, or paths (with a / in them); -n and -p name the source, too. The environment is
    made anew for the new place, since its files carry the path; then the old one goes.
    """
    _copy(invocation, name, prefix, names, offline=offline, rename=True)


def _copy(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    names: tuple[str, ...],
    *,
    offline: bool,
    rename: bool,
) -> None:
    what = "rename" if rename else "clone"
    if not names or len(names) > 2 or (len(names) == 2 and (name or prefix)):
        raise RequestError(
            "two environments are to be named: which one, and what it is to be called",
            hint=f"kaa {what} SOURCE TARGET",
        )
    chosen = _chosen(names[0]) if len(names) == 2 else (name, prefix)
    _start(
        invocation, one_of_or_active(*chosen), _chosen(names[-1]), offline=offline, rename=rename
    )


def copy_environment(invocation: Invocation, source: str, target: Chosen, *, offline: bool) -> None:
    """Make a copy of an environment, which ``source`` names or which is at this path."""
    _start(invocation, _chosen(source), target, offline=offline, rename=False)


def _start(
    invocation: Invocation, source: Chosen, target: Chosen, *, offline: bool, rename: bool
) -> None:
    from kaa.cli.question import require_answer

    require_answer(invocation)

    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.copies import CopyRequest

    request = CopyRequest(
        source,
        target,
        invocation.command,
        rename=rename,
        offline=offline,
        dry_run=invocation.dry_run,
    )
    run_cancellable(_copied(request, invocation))


def _chosen(text: str) -> Chosen:
    if os.sep in text or (os.altsep and os.altsep in text):
        return None, Path(text).expanduser().absolute()
    return text, None


async def _copied(request: CopyRequest, invocation: Invocation) -> None:
    import asyncio
    from contextlib import AsyncExitStack

    from kaa.cli.create import interrupted
    from kaa.cli.plan import show_plan, write_plan_answer
    from kaa.cli.progress import display
    from kaa.cli.question import confirm
    from kaa.cli.text import printable, write_line
    from kaa.settings.directories import this_layout
    from kaa.workflows.copies import carry_out_copy, prepare_copy

    layout = this_layout()
    what = "Rename" if request.rename else "Clone"
    async with AsyncExitStack() as stack:
        with display(invocation) as progress:
            copying = await stack.enter_async_context(prepare_copy(request, layout, progress))
        plan, source = copying.plan, copying.source
        if invocation.speaks:
            write_line(printable(f"{what} {source.name} ({source.path}):"))
            show_plan(plan, verbose=invocation.verbosity > 0)
        environment = None
        if not invocation.dry_run:
            confirm(invocation, f"{what} {source.name} to {plan.name}")
            with display(invocation) as progress:
                try:
                    environment = await carry_out_copy(copying, layout, progress)
                except asyncio.CancelledError:
                    raise interrupted(plan, f"-p {shlex.quote(str(plan.prefix))}") from None
    if invocation.json:
        write_plan_answer(plan, environment, invocation)
    elif invocation.speaks:
        done = f"{source.name} is {plan.name} now." if request.rename else f"Made {plan.name}."
        write_line("Dry run: nothing was changed." if environment is None else printable(done))
