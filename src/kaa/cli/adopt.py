"""``kaa adopt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    changing_options,
    environment_options,
    one_of_or_active,
)

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.adoption import Adoption
    from kaa.store.layout import Layout

_EXAMPLES = """\b
Examples:
  kaa adopt -n demo                    what pip has installed into demo
  kaa adopt -n demo rich               that package only
  kaa adopt -p ~/miniforge3/envs/old   an environment that conda has made
"""


@click.command(short_help="Take over what pip installed, or what conda made.", epilog=_EXAMPLES)
@environment_options
@click.argument("packages", metavar="[PACKAGE]...", nargs=-1)
@changing_options
def adopt(
    invocation: Invocation, name: str | None, prefix: Path | None, packages: tuple[str, ...]
) -> None:
    """Take over what other programs have installed.

    In an environment of kaa's, every PACKAGE (all, if none is named) that pip has installed by
    hand becomes one of the environment's own packages, in the same version: it is replaced by the
    same files, and updated and removed like every other from then on.

    An environment that conda, mamba or pixi has made becomes one of kaa's: nothing in it is copied
    or installed again. Its directory becomes the environment's first generation, and a link takes
    its place.
    """
    from kaa.cli.question import require_answer

    name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    from kaa.cli.interrupts import run_cancellable
    from kaa.model.errors import RequestError
    from kaa.settings.directories import this_layout
    from kaa.workflows.adopt import is_adopted

    layout = this_layout()
    if is_adopted(layout, name, prefix, invocation.command):
        from kaa.cli.change import change_environment
        from kaa.workflows.adopt_packages import prepare_packages
        from kaa.workflows.change import ChangeRequest

        request = ChangeRequest(
            name, prefix, packages, invocation.command, dry_run=invocation.dry_run
        )
        run_cancellable(change_environment(prepare_packages, request, invocation))
    elif packages:
        raise RequestError(
            "packages can be adopted in an environment of kaa's only",
            hint="adopt the environment first: the same command without packages",
        )
    else:
        run_cancellable(_adopt_directory(layout, name, prefix, invocation))


async def _adopt_directory(
    layout: Layout, name: str | None, prefix: Path | None, invocation: Invocation
) -> None:
    from kaa.cli.question import confirm
    from kaa.cli.text import printable, write_json, write_line
    from kaa.workflows.adopt import carry_out_adoption, prepare_adoption

    preparing = prepare_adoption(
        layout, name, prefix, invocation.command, dry_run=invocation.dry_run
    )
    async with preparing as adoption:
        plan, environment = adoption.plan, None
        if invocation.speaks:
            for line in adoption_text(plan):
                write_line(line)
        if not invocation.dry_run:
            confirm(invocation, f"Adopt {plan.prefix}")
            environment = await carry_out_adoption(adoption, layout)
    if invocation.json:
        told = environment.as_dict() if environment else None
        answer = {"plan": plan.as_dict(), "environment": told}
        write_json({"success": True, "dry_run": invocation.dry_run, **answer})
    elif invocation.speaks:
        done = f"Adopted {plan.name}; it is at generation 1 now."
        write_line(printable(done) if environment else "Dry run: nothing was changed.")


def adoption_text(plan: Adoption) -> list[str]:
    """Return the lines that say what adopting an environment is going to mean."""
    from kaa.cli.processes import process_lines
    from kaa.cli.text import aligned, printable

    by_hand = ", ".join(f"{each.name} {each.version} ({each.source})" for each in plan.foreign)
    rows = [
        ("Environment", plan.name),
        ("Prefix", str(plan.prefix)),
        ("Made by", plan.program),
        ("Packages", str(plan.packages)),
        ("By hand", f"{by_hand}; they stay so, until `kaa adopt` is run once more"),
        ("Asked for", ", ".join(plan.specs)),
        ("Sources", ", ".join(plan.sources)),
    ]
    shown = [row for row in rows if row[1] and (row[0] != "By hand" or by_hand)]
    return [
        "To be adopted as it is: the directory becomes generation 1, and a link takes its place.",
        *(printable(f"  {line}") for line in aligned(shown)),
        *(f"Note: {printable(note)}" for note in plan.notes),
        *process_lines(plan.processes),
    ]
