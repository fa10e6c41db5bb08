"""``kaa history``, ``kaa diff``, ``kaa undo`` and ``kaa rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from kaa.cli.options import (
    changing_options,
    environment_options,
    json_option,
    one_of_or_active,
    pass_invocation,
    verbose_option,
)
from kaa.cli.processes import process_lines
from kaa.cli.text import printable, write_json, write_line, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kaa.cli.invocation import Invocation
    from kaa.model.environment import EnvironmentInfo, Step
    from kaa.store.layout import Layout
    from kaa.workflows.history import Difference, HistoryEntry, Return


def _complete_generations(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from kaa.settings.directories import this_layout
    from kaa.workflows.history import history as entries_of

    name, prefix = one_of_or_active(context.params.get("name"), context.params.get("prefix"))
    return [
        CompletionItem(number, help=manifest.command if manifest else None)
        for entry in entries_of(this_layout(), name, prefix)
        for manifest in [entry.generation.manifest]
        if (number := str(entry.generation.number)).startswith(incomplete)
    ]


@click.command(short_help="Show what an environment was, and when.")
@environment_options
@json_option
@verbose_option
@pass_invocation
def history(invocation: Invocation, name: str | None, prefix: Path | None) -> None:
    """List the generations of an environment: when, which command, what changed; * is now.

    Those in brackets are not on the disk any more; going back to one installs it again.
    """
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows import history as workflow

    entries = workflow.history(this_layout(), name, prefix)
    if invocation.json:
        write_json({"success": True, "generations": [entry.as_dict() for entry in entries]})
        return
    rows = [_history_row(entry) for entry in entries]
    write_table(("  Generation", "When", "Changes", "Command"), rows)
    if invocation.verbosity:
        for entry in entries:
            write_line()
            write_line(f"Generation {entry.generation.number}:")
            for line in _changes(entry.difference):
                write_line(printable(f"  {line}"))


def _history_row(entry: HistoryEntry) -> list[str]:
    manifest, number = entry.generation.manifest, str(entry.generation.number)
    shown = number if entry.generation.on_disk else f"({number})"
    cells = [
        ("* " if entry.current else "  ") + shown,
        _local_time(manifest.created) if manifest else "?",
        _summary(entry.difference),
        manifest.command if manifest else "? (what was asked for cannot be read)",
    ]
    return [printable(cell) for cell in cells]


def _local_time(created: str) -> str:
    from datetime import datetime

    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return created


def _summary(difference: Difference | None) -> str:
    if difference is None:
        return "?"
    signs = {"add": "+", "remove": "-", "change": "~"}
    counts = difference.counts
    told = [f"{sign}{counts[what]}" for what, sign in signs.items() if counts[what]]
    number = len(difference.variables)
    if number:
        told.append(f"{number} variable{'s' if number > 1 else ''}")
    return " ".join(told) or "0"


def _changes(difference: Difference | None) -> Iterator[str]:
    if difference is None:
        yield "what it was made from cannot be read any more"
        return
    if not (difference.packages or difference.variables):
        yield "the packages are the same"
    for old, new in difference.packages:
        if old is None and new is not None:
            yield f"+ {new.name} {new.version} ({new.source})"
        elif new is None and old is not None:
            yield f"- {old.name} {old.version} ({old.source})"
        elif old is not None and new is not None:
            yield f"~ {new.name} {_told(old.version, new.version)}{_elsewhere(old, new)}"
    for step in difference.variables:
        gone = f"- variable {step.name} (was {step.before})"
        yield gone if step.after is None else f"{_sign(step)} variable {step.name}={step.after}"


def _sign(step: Step) -> str:
    return "+" if step.before is None else "~"


def _told(old: str, new: str) -> str:
    return f"{old} -> {new}" if old != new else f"{new}, another build"


def _elsewhere(old: object, new: object) -> str:
    before, after = getattr(old, "source", ""), getattr(new, "source", "")
    return f" ({before} -> {after})" if before != after else f" ({after})"


@click.command(short_help="Show how two generations differ.")
@environment_options
@click.argument("before", type=int, required=False, shell_complete=_complete_generations)
@click.argument("after", type=int, required=False, shell_complete=_complete_generations)
@json_option
@pass_invocation
def diff(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    before: int | None,
    after: int | None,
) -> None:
    """Show which packages generation AFTER has that BEFORE has not, and the other way round.

    Without AFTER it is the current one; without BEFORE that which the current one was made from.
    """
    name, prefix = one_of_or_active(name, prefix)

    from kaa.settings.directories import this_layout
    from kaa.workflows.history import difference_between

    found = difference_between(this_layout(), name, prefix, before, after)
    if invocation.json:
        write_json({"success": True, **found.as_dict()})
        return
    old = f"generation {found.before.number} to" if found.before else "nothing to generation"
    write_line(f"From {old} {found.after.number}:")
    for line in _changes(found):
        write_line(printable(f"  {line}"))


_offline = click.option("--offline", is_flag=True, help="Use what the caches have, and no network.")


@click.command(short_help="Undo the last change of an environment.")
@environment_options
@_offline
@changing_options
def undo(invocation: Invocation, name: str | None, prefix: Path | None, offline: bool) -> None:
    """Go back to the generation that the current one was made from.

    Packages of every source are what they were, in a moment. Your own files, and what pip installed
    by hand, come along as they are now. The undone generation stays: `kaa rollback` goes there.
    """
    go_back(invocation, name, prefix, None, offline)


@click.command(short_help="Go to any generation of an environment.")
@environment_options
@click.argument("generation", type=int, shell_complete=_complete_generations)
@_offline
@changing_options
def rollback(
    invocation: Invocation, name: str | None, prefix: Path | None, generation: int, offline: bool
) -> None:
    """Make GENERATION (see `kaa history`) the current one, be it older or newer.

    One that was cleared from the disk is installed again, from the lock that was kept of it.
    """
    go_back(invocation, name, prefix, generation, offline)


def go_back(
    invocation: Invocation,
    name: str | None,
    prefix: Path | None,
    number: int | None,
    offline: bool,
) -> None:
    """Go to generation ``number``, None for the one that the current one was made from."""
    from contextlib import ExitStack

    from kaa.cli.question import confirm, require_answer

    name, prefix = one_of_or_active(name, prefix)
    require_answer(invocation)

    from kaa.environments.writer import sole_writer
    from kaa.settings.directories import this_layout
    from kaa.workflows.history import plan_return
    from kaa.workflows.inspect import find_environment

    layout = this_layout()
    found = find_environment(layout, name, prefix)
    environment = None
    with ExitStack() as stack:
        if not invocation.dry_run:
            stack.enter_context(sole_writer(found, invocation.command))
        plan = plan_return(found, number)
        if invocation.speaks:
            _show_return(plan)
        if not (invocation.dry_run or plan.nothing_to_do):
            confirm(invocation, f"Take {found.name} to generation {plan.target.number}")
            environment = _carry_out(invocation, plan, layout, offline)
    if invocation.json:
        answer = {
            "plan": plan.as_dict(),
            "environment": environment.as_dict() if environment else None,
        }
        write_json({"success": True, "dry_run": invocation.dry_run, **answer})
    elif invocation.speaks and not plan.nothing_to_do:
        at = environment.generation if environment else None
        done = f"{found.name} is at generation {at} now."
        write_line("Dry run: nothing was changed." if environment is None else printable(done))


def _show_return(plan: Return) -> None:
    name, target = plan.prefix.name, plan.target
    write_line(printable(f"Environment {name} at {plan.prefix.path}"))
    if plan.nothing_to_do:
        write_line(f"Nothing to do: it is at generation {target.number}.")
        return
    write_line(f"From generation {plan.current.number} to {target.number}:")
    for line in _changes(plan.difference):
        write_line(printable(f"  {line}"))
    for line in process_lines(plan.processes):
        write_line(line)
    if not plan.at_once:
        why = "carries another path" if target.on_disk else "is not on the disk any more"
        write_line(f"Note: generation {target.number} {why}; it is installed again")


def _carry_out(
    invocation: Invocation, plan: Return, layout: Layout, offline: bool
) -> EnvironmentInfo:
    import logging

    from kaa.workflows.history import return_at_once

    if plan.at_once:
        environment, carried = return_at_once(plan, invocation.command, layout)
        for note in carried.notes():
            logging.getLogger(__name__).warning("%s (still in %s)", note, plan.current.path)
        return environment
    from kaa.cli.interrupts import run_cancellable
    from kaa.cli.progress import display
    from kaa.workflows.going_back import reinstall

    with display(invocation) as progress:
        work = reinstall(plan, invocation.command, layout, progress, offline=offline)
        return run_cancellable(work)
