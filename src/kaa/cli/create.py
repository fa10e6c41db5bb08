"""``kaa create``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from kaa.cli.conda_flags import CREATING, conda_flags
from kaa.cli.file_options import file_options
from kaa.cli.options import (
    changing_options,
    complete_names,
    environment_options,
    one_of,
    solve_options,
)
from kaa.model.errors import AbortedError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo
    from kaa.model.options import SolveOptions
    from kaa.model.plan import Plan
    from kaa.workflows.create import CreateRequest

_EXAMPLES = """\b
Examples:
  kaa create -n demo python=3.12 pandas
  kaa create -n web -c pypi "httpx[http2]>=0.28" rich
  kaa create -f environment.yml
  kaa create -n app -f pyproject.toml --group dev
"""


@click.command(short_help="Create an environment.", epilog=_EXAMPLES)
@environment_options
@solve_options(platform=True)
@file_options()
@click.option(
    "--clone",
    metavar="ENVIRONMENT",
    help="Make it a copy of this one (a name or a path), as `kaa clone` does.",
    shell_complete=complete_names,
)
@click.argument("specs", metavar="[SPEC...]", nargs=-1)
@click.option(
    "--no-default-packages",
    is_flag=True,
    help="Without the packages that the settings want in every new environment.",
)
@conda_flags(CREATING)
@changing_options
def create(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    options: SolveOptions,
    specs: tuple[str, ...],
    no_default_packages: bool,
    file: Path | None,
    clone: str | None,
) -> None:
    """Create an environment that has every SPEC, and make it a Jupyter kernel.

    A SPEC is a package's name, with a version if one is wanted: numpy, python=3.12, "rich>=13",
    "httpx[http2]". The plan is shown before anything is changed.
    """
    from kaa.cli.question import require_answer

    if clone is not None:
        if specs or file:
            raise RequestError(
                "a copy has the packages of the other one",
                hint="leave out SPECs and --file, and install into the copy afterwards",
            )
        from kaa.cli.copies import copy_environment

        target = one_of(name, prefix)
        copy_environment(invocation, clone, target, offline=options.offline)
        return
    if file is None or name is not None or prefix is not None:
        name, prefix = one_of(name, prefix)
    require_answer(invocation)

    # Only now, so that a mistake on the command line is told without a wait for imports.
    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.create import CreateRequest

    request = CreateRequest(
        name=name,
        prefix=prefix,
        specs=specs,
        command=invocation.command,
        options=options,
        dry_run=invocation.dry_run,
        default_packages=not no_default_packages,
        file=file,
    )
    run_cancellable(_create(request, invocation))


async def _create(request: CreateRequest, invocation: Invocation) -> None:
    import asyncio
    from contextlib import AsyncExitStack

    from kaa.cli.change import nothing_changed
    from kaa.cli.plan import plan_total, show_plan, write_plan_answer
    from kaa.cli.progress import display
    from kaa.cli.question import confirm
    from kaa.cli.text import write_line
    from kaa.settings.directories import this_layout
    from kaa.workflows.create import carry_out_create, prepare_create

    layout = this_layout()
    async with AsyncExitStack() as stack:
        with display(invocation) as progress:
            creation = await stack.enter_async_context(prepare_create(request, layout, progress))
        plan = creation.plan
        chosen = (
            f"-n {plan.name}" if request.prefix is None else f"-p {shlex.quote(str(plan.prefix))}"
        )
        if invocation.speaks:
            show_plan(plan, verbose=invocation.verbosity > 0)
        environment = None
        if not invocation.dry_run:
            verb = "Download for" if invocation.download_only else "Create"
            confirm(invocation, f"{verb} {plan.name}: {plan_total(plan)}")
            with display(invocation) as progress:
                try:
                    if invocation.download_only:
                        from kaa.workflows.bring import bring

                        await bring(
                            creation.solution, layout, creation.supply, progress, creation.sources
                        )
                    else:
                        environment = await carry_out_create(creation, layout, progress)
                except asyncio.CancelledError:
                    raise interrupted(plan, chosen) from None
    if invocation.json:
        write_plan_answer(plan, environment, invocation)
    elif invocation.speaks:
        if environment is None:
            write_line(nothing_changed(invocation))
        else:
            _say_what_next(environment, chosen)


def interrupted(plan: Plan, chosen: str) -> AbortedError:
    """Return the error that tells the truth: the rename may have been done already."""
    if not plan.prefix.is_symlink():
        return AbortedError("interrupted; nothing was changed")
    return AbortedError(
        f"interrupted; {plan.name} is complete, but its kernel may be missing",
        hint=f"to have the kernel too, remove it (kaa env remove {chosen}) and create it again",
    )


def _say_what_next(environment: EnvironmentInfo, chosen: str) -> None:
    from kaa.cli.text import printable, write_line
    from kaa.kernels.specs import find_kernelspecs

    lines = [f"kaa run {chosen} PROGRAM    run a program in it"]
    lines += [
        f'in Jupyter: "{spec.display_name}"    a notebook in it'
        for spec in find_kernelspecs()
        if spec.prefix == environment.prefix
    ]
    lines += [f"kaa env remove {chosen}    remove it again"]
    width = max(len(line.partition("    ")[0]) for line in lines)
    write_line(printable(f"Created {environment.name} at {environment.prefix}."))
    for line in lines:
        what, _, why = line.partition("    ")
        write_line(printable(f"  {what.ljust(width)}  {why}"))
