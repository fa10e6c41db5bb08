"""``kaa repair``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kaa.cli.options import (
    changing_options,
    environment_options,
    one_of_or_active,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.repair import RepairPlan
    from kaa.workflows.repair import Outcome, RepairRequest, Repairs

_EXAMPLES = """\b
Examples:
  kaa repair -n demo
  kaa repair -n demo --dry-run    only say what is wrong, and what would be done
  kaa repair --all -y             all environments and the whole package cache
"""


@click.command(short_help="Mend what is damaged in environments and packages.", epilog=_EXAMPLES)
@environment_options
@click.option(
    "--all", "everything", is_flag=True, help="All environments and the whole package cache."
)
@click.option("--offline", is_flag=True, help="Use what the caches have, and no network.")
@changing_options
def repair(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    everything: bool,
    offline: bool,
) -> None:
    """Put right what `kaa verify` finds, and nothing else.

    Damaged packages of the package cache are fetched again, by the address and the hash that their
    records have. The environment is then rebuilt from the cache, as the next generation (`kaa undo`
    goes back): altered and missing files of packages are as they were, your own files, those in
    etc/ and what pip installed by hand stay as they are. What only pip can mend is told with the
    command that does it, and the exit code is 1 then.
    """
    from kaa.cli.question import require_answer
    from kaa.model.errors import RequestError

    if everything and (name is not None or prefix is not None):
        raise RequestError("--all names no environment", hint="leave out -n and -p, or --all")
    if not everything:
        name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    from kaa.cli.interrupts import run_cancellable
    from kaa.workflows.repair import RepairRequest

    request = RepairRequest(
        name, prefix, invocation.command, everything, offline, invocation.dry_run
    )
    if not run_cancellable(_repair(request, invocation)):
        raise click.exceptions.Exit(1)


async def mend_first(
    name: str | None, prefix: Path | None, offline: bool, invocation: Invocation
) -> None:
    """Mend an environment before it is changed: the plan is shown, and asked about, on its own."""
    from kaa.workflows.repair import RepairRequest

    request = RepairRequest(
        name, prefix, invocation.command, offline=offline, dry_run=invocation.dry_run
    )
    repairs, outcome = await _mend(request, invocation)
    if invocation.speaks and not repairs.nothing_to_do:
        _say(repairs, outcome, invocation)


async def _repair(request: RepairRequest, invocation: Invocation) -> bool:
    """Show the plan, ask, carry it out and answer; say whether nothing is damaged any more."""
    from kaa.cli.text import write_json

    repairs, outcome = await _mend(request, invocation)
    if invocation.json:
        answer = {
            "plan": {
                "environments": [each.plan.as_dict() for each in repairs.repairs],
                "forget": [each.as_dict() for each in repairs.unused],
            },
            "mended": [each.as_dict() for each in outcome.mended],
            "failed": {name: error.as_dict() for name, error in outcome.failed.items()},
        }
        success = not outcome.failed
        write_json({"success": success, "dry_run": invocation.dry_run, **answer})
    elif invocation.speaks:
        _say(repairs, outcome, invocation)
    return not outcome.failed and not any(each.plan.unmended for each in repairs.repairs)


async def _mend(request: RepairRequest, invocation: Invocation) -> tuple[Repairs, Outcome]:
    """Show the plan, ask, and carry it out."""
    from contextlib import AsyncExitStack

    from kaa.cli.progress import display
    from kaa.cli.question import confirm
    from kaa.cli.text import write_line
    from kaa.settings.directories import this_layout
    from kaa.workflows.repair import Outcome, carry_out_repair, prepare_repair

    layout = this_layout()
    outcome = Outcome()
    async with AsyncExitStack() as stack:
        with display(invocation) as progress:
            repairs = await stack.enter_async_context(prepare_repair(request, layout, progress))
        if invocation.speaks:
            for line in repairs_text(repairs, verbose=invocation.verbosity > 0):
                write_line(line)
        if not invocation.dry_run:
            if not repairs.nothing_to_do:
                confirm(invocation, f"Mend {_summary(repairs)}")
            with display(invocation) as progress:
                outcome = await carry_out_repair(repairs, layout, progress)
    return repairs, outcome


def _say(repairs: Repairs, outcome: Outcome, invocation: Invocation) -> None:
    from kaa.cli.text import write_line

    for line in _outcome_text(repairs, outcome, dry_run=invocation.dry_run):
        write_line(line)


def _summary(repairs: Repairs) -> str:
    names = [each.plan.name for each in repairs.repairs if not each.plan.nothing_to_do]
    return ", ".join(names) or "the package cache"


def repairs_text(repairs: Repairs, *, verbose: bool) -> Iterator[str]:
    """Give the lines that say what is wrong, and what is going to be done."""
    from kaa.cli.text import printable

    for each in repairs.repairs:
        yield from map(printable, _plan_text(each.plan, verbose=verbose))
    if repairs.unused:
        names = ", ".join(each.entry for each in repairs.unused)
        yield printable(f"Damaged in the package cache, and of no environment: {names}")
        yield "  they are going to be forgotten"
    if not repairs.repairs and not repairs.unused:
        yield "Nothing is damaged."


def _plan_text(plan: RepairPlan, *, verbose: bool) -> Iterator[str]:
    from kaa.cli.verify import finding_rows

    damage = plan.report.damage
    if not damage and not plan.fetched:
        yield f"{plan.name} is sound: nothing to do."
        return
    if damage:
        yield f"{plan.name} is damaged:"
        yield from finding_rows([(each.package or "", each) for each in damage], verbose=verbose)
    for entry in plan.fetched:
        place = f"{entry.layer}/" if entry.layer else ""
        yield f"{place}{entry.entry} is damaged in the package cache:"
        yield from finding_rows([("", each) for each in entry.findings], verbose=verbose)
    if not plan.nothing_to_do:
        yield "To be done:"
        yield from (f"  {line}" for line in _steps(plan))
    for each in plan.unmended:
        yield f"Not kaa's to mend: {each.name}, which another program (pip?) has installed; try"
        yield f"  {each.command}"


def _steps(plan: RepairPlan) -> Iterator[str]:
    fetched = [each.entry for each in plan.fetched if each.layer is None]
    if fetched:
        yield f"fetch again: {', '.join(fetched)}"
    if plan.records:
        yield f"write the records anew of {', '.join(plan.records)}, from what is known of them"
    if plan.instead is not None:
        yield f"rebuild generation {plan.instead}, the newest that is left"
    if plan.report.moved_from is not None:
        yield f"rebuild it for {plan.prefix}, instead of {plan.report.moved_from}"
    if plan.rebuild:
        kept = "your own files and those that you edited in etc/ stay as they are"
        yield f"rebuild all packages from the package cache, as the next generation; {kept}"
    if plan.others:
        names = ", ".join(plan.others)
        yield f"(the same files are in {names}: `kaa repair --all` mends them, too)"


def _outcome_text(repairs: Repairs, outcome: Outcome, *, dry_run: bool) -> Iterator[str]:
    from kaa.cli.text import printable

    if dry_run:
        yield "Dry run: nothing was changed."
        return
    for each in outcome.mended:
        yield printable(f"Mended {each.name}; it is at generation {each.generation} now.")
    for name, error in outcome.failed.items():
        yield printable(f"{name} is still damaged: {error.message}")
        yield from (printable(f"  {part}") for part in (error.cause, error.hint) if part)
