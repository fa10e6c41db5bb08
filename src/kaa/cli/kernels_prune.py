"""``kaa kernels prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import changing_options
from kaa.cli.text import printable, write_json, write_line, write_note
from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation
    from kaa.workflows.kernel_prune import KernelPrune

_EXAMPLES = """\b
Examples:
  kaa kernels prune --dry-run
  kaa kernels prune -y
  kaa kernels prune --foreign
"""


@click.command(short_help="Remove kernels that cannot start any more.", epilog=_EXAMPLES)
@click.option("--foreign", is_flag=True, help="Those that kaa did not write as well.")
@changing_options
def prune(invocation: Invocation, /, foreign: bool) -> None:
    """Remove the kernelspecs whose environment is gone, in all directories that Jupyter looks in.

    Those that other programs wrote, and whose program or environment is gone, are listed, and
    removed with --foreign.
    """
    from kaa.cli.question import confirm, require_answer
    from kaa.settings.directories import this_layout
    from kaa.workflows.kernel_prune import carry_out_prune, plan_prune

    plan = plan_prune(foreign=foreign)
    if not plan.is_empty:
        require_answer(invocation)
    if invocation.speaks:
        _show(plan)
    if not plan.is_empty and not invocation.dry_run:
        count = len(plan.own) + (len(plan.others) if foreign else 0)
        confirm(invocation, f"Remove {count} kernelspec{'' if count == 1 else 's'}")
        plan = carry_out_prune(plan, this_layout())
    if invocation.json:
        answer = {"success": not plan.failed, "dry_run": invocation.dry_run, **plan.as_dict()}
        write_json(answer)
        raise click.exceptions.Exit(KernelError.exit_code if plan.failed else 0)
    if invocation.speaks and invocation.dry_run:
        write_line("Dry run: nothing was changed.")
    elif invocation.speaks and not plan.is_empty:
        write_line(f"Removed {len(plan.removed)} kernelspecs.")
    if plan.failed:
        raise KernelError(
            f"{len(plan.failed)} kernelspecs could not be removed",
            cause="; ".join(f"{path}: {reason}" for path, reason in plan.failed),
            hint="ask whoever those directories belong to, or run it as that user",
        )


def _show(plan: KernelPrune) -> None:
    if not plan.own and not plan.others:
        write_line("Every kernelspec leads to something that is there.")
        return
    for spec in plan.own:
        write_line(printable(f"- {spec.name}  ({spec.prefix} is gone)  {spec.directory}"))
    for other in plan.others if plan.foreign else ():
        write_line(printable(f"- {other.name}  ({other.missing} is gone)  {other.directory}"))
    for other in plan.others if not plan.foreign else ():
        line = f"note: {other.directory} leads to {other.missing}, which is gone; kaa did not write"
        write_note(printable(f"{line} it (--foreign removes it)"))
