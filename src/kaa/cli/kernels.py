"""``kaa kernels``: the group, and ``kaa kernels list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.lazy import Entry, lazy_group
from kaa.cli.options import (
    dry_run_option,
    json_option,
    pass_invocation,
    quiet_option,
    verbose_option,
)
from kaa.cli.text import printable, write_json, write_line, write_note
from kaa.model.errors import KernelError

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation

kernels = lazy_group(
    "kernels",
    {
        "list": Entry("kaa.cli.kernels:list_kernels", "List the kernels of every environment."),
        "sync": Entry("kaa.cli.kernels:sync_kernels", "Write them where every program looks."),
        "change": Entry("kaa.cli.kernels_change:change", "Name, hide, pin or picture a kernel."),
        "match": Entry("kaa.cli.kernels_match:match", "Find kernels for notebooks from elsewhere."),
        "record": Entry("kaa.cli.kernels_record:record", "Write into notebooks what they need."),
        "prepare": Entry("kaa.cli.kernels_prepare:prepare", "Build the shared kernels beforehand."),
        "prune": Entry("kaa.cli.kernels_prune:prune", "Remove kernels that cannot start any more."),
    },
    "The kernels of this machine's environments, whoever made them.",
)

_LIST_EXAMPLES = """\b
Examples:
  kaa kernels list
  kaa kernels list --all -v
  kaa kernels list --json
"""


@click.command("list", short_help="List the kernels of every environment.", epilog=_LIST_EXAMPLES)
@click.option("-a", "--all", "everything", is_flag=True, help="Those that are hidden as well.")
@json_option
@verbose_option
@pass_invocation
def list_kernels(invocation: Invocation, everything: bool) -> None:
    """List the kernel of every environment of this machine: whose it is, and whether it can run.

    Environments of kaa, conda, mamba, pixi, uv, venv, virtualenv, poetry, pipenv, hatch, pdm, pipx,
    pyenv and of the system are found, by reading files only. "shared" kernels are lent by kaa to
    environments without ipykernel. Kernelspecs on disk that are out of date are brought up to date.
    """
    from kaa.settings.directories import this_layout
    from kaa.workflows import kernels as workflow

    listing = workflow.list_kernels(this_layout())
    offered = listing.everything if everything else listing.offers
    if invocation.json:
        # All of them, since each says whether it is left out.
        write_json({"success": True, **listing.as_dict(listing.everything)})
    elif not offered:
        write_line("No environments were found. To create one: kaa create -n demo -c pypi python")
    else:
        from kaa.cli.kernels_table import write_kernels

        write_kernels(offered, listing, verbose=invocation.verbosity > 0)
    hidden = len(listing.everything) - len(offered)
    if hidden and not invocation.json:
        write_note(f"{hidden} more {'is' if hidden == 1 else 'are'} hidden: kaa kernels list --all")
    for place in listing.silent if not invocation.json else ():
        write_note(printable(f"warning: {place} does not answer, and was left out"))


@click.command("sync", short_help="Write them where every program looks.")
@dry_run_option
@json_option
@quiet_option
@verbose_option
@pass_invocation
def sync_kernels(invocation: Invocation) -> None:
    """Write a kernelspec for every environment that can run a kernel, and remove those of the gone.

    Programs that ask no manager find them: nbconvert, papermill, Quarto, VS Code. Those of kaa's
    own environments are always there. Kernelspecs that kaa did not write are left alone.
    """
    from kaa.settings.directories import this_layout
    from kaa.workflows import kernels as workflow

    done = workflow.sync_kernels(this_layout(), dry_run=invocation.dry_run)
    if invocation.json:
        write_json({"success": not done.failed, "dry_run": invocation.dry_run, **done.as_dict()})
        raise click.exceptions.Exit(KernelError.exit_code if done.failed else 0)
    for directory, program in done.dead:
        line = f"note: {directory} leads to {program}, which is gone; kaa did not write it "
        line += "(kaa kernels prune --foreign removes it)"
        write_note(printable(line))
    if invocation.speaks:
        verb = "Would write" if invocation.dry_run else "Wrote"
        removed = f", removed {len(done.removed)}" if done.removed else ""
        write_line(f"{verb} {len(done.written)} kernelspecs{removed}.")
        for name in (*done.written, *done.removed) if invocation.verbosity else ():
            write_line(printable(f"  {name}"))
    workflow.check_written(done)
