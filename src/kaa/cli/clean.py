"""``kaa clean``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    changing_options,
)
from kaa.cli.text import printable, write_line, write_note
from kaa.model.errors import AbortedError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.cli.invocation import Invocation
    from kaa.model.cleaning import Cleaned, CleanPlan, CleanRequest, Keep, Kind

_EXAMPLES = """\b
Examples:
  kaa clean --dry-run
  kaa clean --generations --keep 2 --older-than 7
  kaa clean --packages -y
  kaa clean --all
"""


@click.command(short_help="Remove what nothing refers to.", epilog=_EXAMPLES)
@click.option("-a", "--all", "everything", is_flag=True, help="All of it, the caches too.")
@click.option("--generations", is_flag=True, help="Old generations of environments.")
@click.option("-p", "--packages", is_flag=True, help="Packages that no environment has.")
@click.option("--kernels", is_flag=True, help="Kernels without an environment, unused overlays.")
@click.option("-t", "--tarballs", is_flag=True, help="Archives; no more than unfinished ones stay.")
@click.option("-c", "--tempfiles", is_flag=True, help="What interrupted commands have left.")
@click.option("-i", "--index-cache", "index", is_flag=True, help="Repodata, pages and metadata.")
@click.option(
    "-f",
    "--force-pkgs-dirs",
    "force",
    is_flag=True,
    help="The whole package cache; environments keep their files. Not part of --all.",
)
@click.option("-l", "--logfiles", is_flag=True, help="Has no effect: kaa writes none.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the newest N generations of each environment (default 5).",
)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Keep generations that were in use within these days (default 30).",
)
@changing_options
def clean(
    invocation: Invocation, /, keep: int | None, older_than: float | None, **flags: bool
) -> None:
    """Remove what nothing refers to: old generations, unused packages, dead kernels, remains.

    Without options everything but the caches of what channels and indexes say. A generation is
    old when it is neither among the newest five nor was in use within 30 days. The current one,
    the one before it, and whatever a running program uses are always kept. Going back to a
    generation that was removed stays possible; its packages are then fetched again.
    """
    from kaa.cli.question import require_answer

    kinds = _kinds(flags, keep is not None or older_than is not None)
    require_answer(invocation)

    from kaa.cli.clean_answer import show_plan, write_answer
    from kaa.cli.progress import display
    from kaa.cli.question import confirm
    from kaa.cli.size import size_text
    from kaa.model.cleaning import CleanRequest
    from kaa.settings.directories import this_layout
    from kaa.workflows.clean import plan_clean

    layout = this_layout()
    request = CleanRequest(kinds, _keep(keep, older_than), flags["force"], invocation.command)
    with display(invocation) as progress:
        plan = plan_clean(layout, request, progress)
    notes = list(plan.notes)
    if flags["logfiles"]:
        notes.append("--logfiles has no effect: kaa writes no log files")
    if invocation.speaks:
        show_plan(plan, verbose=invocation.verbosity > 0)
        _say(notes)
    done = None
    if plan.items and not invocation.dry_run:
        confirm(invocation, f"Remove {len(plan.items)} things, {size_text(plan.size)}")
        done = _carry_out(plan, request, invocation)
    if invocation.json:
        write_answer(plan, done, notes, layout, flags, dry_run=invocation.dry_run)
    elif invocation.speaks and plan.items:
        if done is None:
            write_line("Dry run: nothing was changed.")
        else:
            _say(done.notes)
            write_line(f"Removed {len(done.items)} of {len(plan.items)}: {size_text(done.freed)}.")


def _carry_out(plan: CleanPlan, request: CleanRequest, invocation: Invocation) -> Cleaned:
    from kaa.cli.progress import display
    from kaa.settings.directories import this_layout
    from kaa.workflows.clean import carry_out_clean

    try:
        with display(invocation) as progress:
            return carry_out_clean(plan, request, this_layout(), progress)
    except KeyboardInterrupt:
        raise AbortedError(
            "interrupted; what was removed by then is gone, and nothing else is changed",
            hint="run the same command again to remove the rest",
        ) from None


def _kinds(flags: dict[str, bool], about_generations: bool) -> frozenset[Kind]:
    """Return what the options choose.

    :raises RequestError: generations are spoken of, and others chosen.
    """
    from kaa.model.cleaning import Kind

    if flags["everything"]:
        return frozenset(Kind)
    of_flag = {
        "generations": {Kind.GENERATION},
        "packages": {Kind.PACKAGE},
        "force": {Kind.PACKAGE},
        "kernels": {Kind.KERNEL, Kind.OVERLAY, Kind.LISTING},
        "tarballs": {Kind.UNFINISHED},
        "tempfiles": {Kind.UNFINISHED},
        "index": {Kind.INDEX},
        "logfiles": set[Kind](),
    }
    given = [flag for flag in of_flag if flags[flag]]
    chosen = frozenset(kind for flag in given for kind in of_flag[flag])
    if not given:
        return frozenset(Kind) - {Kind.INDEX, Kind.CACHE}
    if about_generations and Kind.GENERATION not in chosen:
        raise RequestError(
            "--keep and --older-than are about generations, and others are to be removed",
            hint="add --generations",
        )
    return chosen


def _keep(generations: int | None, days: float | None) -> Keep:
    """Return what the options, or else the settings, keep of old generations."""
    import os

    from kaa.model.cleaning import KEEP_DAYS, KEEP_GENERATIONS, Keep
    from kaa.settings.configuration import load_configuration

    found = load_configuration(os.environ, only=("keep_generations", "keep_days"))
    return Keep(
        next(n for n in (generations, found.keep_generations, KEEP_GENERATIONS) if n is not None),
        next(n for n in (days, found.keep_days, KEEP_DAYS) if n is not None),
    )


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        write_note(printable(f"note: {note}"))
