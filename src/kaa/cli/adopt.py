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
    from kaa.environments.prefix import Prefix
    from kaa.model.adoption import Adoption
    from kaa.store.layout import Layout

_EXAMPLES = """\b
Examples:
  kaa adopt -n demo                    what pip has installed into demo
  kaa adopt -n demo rich               that package only
  kaa adopt ~/miniforge3/envs/old      an environment that conda has made
  kaa adopt .venv                      one that venv, virtualenv or uv has made
"""

_LENT = "ipykernel, shared by all of them"


@click.command(
    short_help="Take over what pip installed, or what conda, venv or uv made.", epilog=_EXAMPLES
)
@environment_options
@click.argument("what", metavar="[PREFIX | PACKAGE...]", nargs=-1)
@changing_options
def adopt(
    invocation: Invocation, name: str | None, prefix: Path | None, what: tuple[str, ...]
) -> None:
    """Take over what other programs have installed.

    In an environment of kaa's, every PACKAGE (all, if none is named) that pip has installed by
    hand becomes one of the environment's own packages, in the same version: it is replaced by the
    same files, and updated and removed like every other from then on.

    An environment that conda, mamba, pixi, venv, virtualenv or uv has made becomes one of kaa's:
    nothing in it is copied or installed again. Its directory becomes the environment's first
    generation, and a link takes its place. PREFIX is its path; -n finds it by its name, too.
    """
    from kaa.cli.question import require_answer

    place = _place(what) if name is None and prefix is None else None
    packages = () if place else what
    name, prefix = one_of_or_active(name, place or prefix)
    require_answer(invocation)

    from kaa.cli.interrupts import run_cancellable
    from kaa.model.errors import RequestError
    from kaa.settings.directories import this_layout
    from kaa.workflows.adopt import find_adoptable

    layout = this_layout()
    found = find_adoptable(layout, name, prefix, invocation.command)
    if found.current_number is not None:
        from kaa.cli.change import change_environment
        from kaa.workflows.adopt_packages import prepare_packages
        from kaa.workflows.change import ChangeRequest

        request = ChangeRequest(
            None, found.path, packages, invocation.command, dry_run=invocation.dry_run
        )
        run_cancellable(change_environment(prepare_packages, request, invocation))
    elif packages:
        raise RequestError(
            "packages can be adopted in an environment of kaa's only",
            hint="adopt the environment first: the same command without packages",
        )
    else:
        run_cancellable(_adopt_directory(found, layout, invocation))


def _place(what: tuple[str, ...]) -> Path | None:
    """Return the path that the only argument is, where it cannot be meant for a package."""
    from pathlib import Path

    if len(what) != 1:
        return None
    path = Path(what[0]).expanduser()
    written = what[0].startswith((".", "~")) or len(path.parts) > 1
    there = any((path / name).exists() for name in ("pyvenv.cfg", "conda-meta"))
    return path if written or there else None


async def _adopt_directory(found: Prefix, layout: Layout, invocation: Invocation) -> None:
    from contextlib import AsyncExitStack

    from kaa.cli.progress import display
    from kaa.cli.question import confirm
    from kaa.cli.text import printable, write_json, write_line
    from kaa.workflows.adopt import carry_out_adoption, prepare_adoption

    command, dry_run = invocation.command, invocation.dry_run
    async with AsyncExitStack() as stack:
        with display(invocation) as progress:
            preparing = prepare_adoption(found, layout, command, progress, dry_run=dry_run)
            adoption = await stack.enter_async_context(preparing)
        plan, environment = adoption.plan, None
        if invocation.speaks:
            for line in adoption_text(plan):
                write_line(line)
        if not invocation.dry_run:
            confirm(invocation, f"Adopt {plan.prefix}")
            with display(invocation) as progress:
                environment = await carry_out_adoption(adoption, layout, progress)
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
    lent = [plan.overlay] if plan.overlay else []
    shown = [row for row in rows if row[1] and (row[0] != "By hand" or by_hand)]
    return [
        "To be adopted as it is: the directory becomes generation 1, and a link takes its place.",
        *(printable(f"  {line}") for line in aligned(shown)),
        *(f"Note: {printable(note)}" for note in plan.notes),
        *(f"Also, once for every environment with Python {each}: {_LENT}" for each in lent),
        *process_lines(plan.processes),
    ]
