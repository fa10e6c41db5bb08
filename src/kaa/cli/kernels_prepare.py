"""``kaa kernels prepare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import changing_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kaa.cli.invocation import Invocation
    from kaa.workflows.prepare_kernels import Prepared, SharedKernel

_EXAMPLES = """\b
Examples:
  kaa kernels prepare                for every Python that an environment needs one for
  kaa kernels prepare 3.12 3.13 -y
  kaa kernels prepare --update       the newest ipykernel
"""


def _complete_pythons(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    known = [f"3.{minor}" for minor in range(8, 15)]
    return [version for version in known if version.startswith(typed)]


@click.command("prepare", short_help="Build the shared kernels beforehand.", epilog=_EXAMPLES)
@click.argument("pythons", metavar="[PYTHON...]", nargs=-1, shell_complete=_complete_pythons)
@click.option("--update", is_flag=True, help="Build those anew that are there.")
@click.option("--offline", is_flag=True, help="Use what the caches have, and no network.")
@changing_options
def prepare(invocation: Invocation, pythons: tuple[str, ...], update: bool, offline: bool) -> None:
    """Build the kernels that kaa lends to environments without ipykernel, one for each PYTHON.

    Without this the first kernel that needs one has it built, and its first cell waits. Nothing
    brings them up to date but --update: kernels that run keep the ipykernel that they have.
    """
    from kaa.cli.question import confirm, require_answer

    require_answer(invocation)

    from kaa.cli.interrupts import run_cancellable
    from kaa.cli.text import printable, write_json, write_line, write_note
    from kaa.kernels.options import configured_options
    from kaa.settings.directories import this_layout
    from kaa.workflows.prepare_kernels import Prepared, plan_shared_kernels

    layout = this_layout()
    plan = plan_shared_kernels(layout, configured_options(), pythons, update=update)
    to_build = [each.minor for each in plan if each.build]
    if invocation.speaks:
        for line in _plan_text(plan):
            write_line(printable(line))
    done = Prepared(plan)
    if to_build and not invocation.dry_run:
        confirm(invocation, f"Prepare the shared kernel for Python {', '.join(to_build)}")
        done = run_cancellable(_carry_out(plan, invocation, offline=offline, update=update))
    if invocation.json:
        answer = {
            "plan": [each.as_dict() for each in plan],
            "kernels": [each.as_dict() for each in done.kernels],
            "failed": {minor: error.as_dict() for minor, error in done.failed.items()},
        }
        write_json({"success": not done.failed, "dry_run": invocation.dry_run, **answer})
    else:
        for line in _failures(done):
            write_note(printable(line))
        if invocation.speaks and to_build:
            for line in _outcome(plan, done, invocation):
                write_line(printable(line))
    if done.failed:
        raise click.exceptions.Exit(next(iter(done.failed.values())).exit_code)


async def _carry_out(
    plan: Sequence[SharedKernel], invocation: Invocation, *, offline: bool, update: bool
) -> Prepared:
    from kaa.cli.progress import display
    from kaa.settings.directories import this_layout
    from kaa.workflows.prepare_kernels import prepare_shared_kernels

    with display(invocation) as progress:
        return await prepare_shared_kernels(
            plan, this_layout(), progress, offline=offline, update=update
        )


def _plan_text(plan: Sequence[SharedKernel]) -> Iterator[str]:
    if not plan:
        yield "No environment needs a shared kernel."
    for each in plan:
        what = "is there" if each.version is None else f"is there, with ipykernel {each.version}"
        if each.build:
            what = "is to be built" if each.version is None else f"{what}, and is to be updated"
        yield f"The shared kernel for Python {each.minor} {what}{_whom(each.needed_by)}"


def _whom(environments: Sequence[str]) -> str:
    if not environments:
        return "."
    shown = ", ".join(environments[:3])
    more = f" and {len(environments) - 3} more" if len(environments) > 3 else ""
    return f" (for {shown}{more})."


def _failures(done: Prepared) -> Iterator[str]:
    for minor, error in done.failed.items():
        yield f"error: there is no new shared kernel for Python {minor}: {error.message}"
        yield from (f"  {part}" for part in (error.cause, error.hint) if part)


def _outcome(plan: Sequence[SharedKernel], done: Prepared, invocation: Invocation) -> Iterator[str]:
    if invocation.dry_run:
        yield "Dry run: nothing was changed."
        return
    for before, after in zip(plan, done.kernels, strict=True):
        if not before.build or after.version is None or before.minor in done.failed:
            continue
        same = before.version == after.version
        verb = "It was the newest already" if same else "Prepared"
        yield f"{verb}: ipykernel {after.version} for Python {after.minor}."
