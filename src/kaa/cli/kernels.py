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
from kaa.cli.text import printable, write_json, write_line, write_note, write_table

if TYPE_CHECKING:
    from kaa.cli.invocation import Invocation
    from kaa.kernels.offers import Offer
    from kaa.workflows.kernels import KernelListing

kernels = lazy_group(
    "kernels",
    {
        "list": Entry("kaa.cli.kernels:list_kernels", "List the kernels of every environment."),
        "sync": Entry("kaa.cli.kernels:sync_kernels", "Write them where every program looks."),
    },
    "The kernels of this machine's environments, whoever made them.",
)


@click.command("list", short_help="List the kernels of every environment.")
@json_option
@verbose_option
@pass_invocation
def list_kernels(invocation: Invocation) -> None:
    """List the kernel of every environment of this machine: whose it is, and whether it can run.

    Environments of kaa, conda, mamba, pixi, uv, venv, virtualenv, poetry, pipenv, hatch, pdm, pipx,
    pyenv and of the system are found, by reading files only. "shared" kernels are lent by kaa to
    environments without ipykernel.
    """
    from kaa.settings.directories import this_layout
    from kaa.workflows import kernels as workflow

    listing = workflow.list_kernels(this_layout())
    if invocation.json:
        write_json({"success": True, **listing.as_dict()})
    elif not listing.offers:
        write_line("No environments were found. To create one: kaa create -n demo -c pypi python")
    else:
        _write(listing, verbose=invocation.verbosity > 0)
    for place in listing.silent if not invocation.json else ():
        write_note(printable(f"warning: {place} does not answer, and was left out"))


def _write(listing: KernelListing, *, verbose: bool) -> None:
    header = ["Environment", "Made by", "Language", "Kernel", "Prefix"]
    if verbose:
        header.append("Id")
    write_table(header, [_row(offer, listing)[: len(header)] for offer in listing.offers])


def _row(offer: Offer, listing: KernelListing) -> list[str]:
    environment = offer.environment
    facts = environment.facts
    of_python = offer.language == "python" and facts.python is not None
    language = f"Python {facts.python}" if of_python else offer.language
    kernel = {"overlay": "shared", "environment": "its own", None: f"none: {offer.reason}"}
    cells = [
        environment.label,
        environment.maker.value,
        language,
        kernel[listing.brought_by(offer)],
        environment.prefix,
        offer.id,
    ]
    return [printable(cell) for cell in cells]


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
        write_json({"success": True, "dry_run": invocation.dry_run, **done.as_dict()})
        return
    for name, reason in done.failed:
        write_note(printable(f"warning: {name} could not be written: {reason}"))
    for directory, program in done.dead:
        line = f"note: {directory} leads to {program}, which is gone; kaa did not write it"
        write_note(printable(line))
    if invocation.speaks:
        verb = "Would write" if invocation.dry_run else "Wrote"
        removed = f", removed {len(done.removed)}" if done.removed else ""
        write_line(f"{verb} {len(done.written)} kernelspecs{removed}.")
        for name in (*done.written, *done.removed) if invocation.verbosity else ():
            write_line(printable(f"  {name}"))
