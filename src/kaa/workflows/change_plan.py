"""What a change is going to do to an environment, as a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.model.plan import Plan
from kaa.workflows.difference import difference, same, to_download, to_fetch_again
from kaa.workflows.goal import Goal, is_bare
from kaa.workflows.left_behind import left_behind
from kaa.workflows.overlay import missing_overlay
from kaa.workflows.reasons import Intent, why_held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kaa.model.environment import Manifest
    from kaa.solver.request import Solution
    from kaa.store.layout import Layout
    from kaa.workflows.change import Current


def plan_of(
    current: Current,
    goal: Goal,
    solution: Solution,
    manifest: Manifest,
    layout: Layout,
    adopted: frozenset[str] = frozenset(),
) -> Plan:
    """Return the plan of a change: what moves, and why.

    ``adopted`` are projects that give way to themselves (see :func:`left_behind`).
    """
    called = {solution.asked.get(spec.text, spec.name): spec for spec in goal.specs}
    changed = {solution.asked.get(spec.text, spec.name) for spec in goal.new if not is_bare(spec)}
    intent = Intent(
        {name: spec.text for name, spec in called.items()},
        frozenset(changed),
        frozenset(record.name.normalized for record in goal.renewed),
        everything=goal.everything,
        extras={name: spec.extras for name, spec in called.items()},
    )
    parts = difference(
        current.records, solution.records, intent, lambda record: to_download(record, layout)
    )
    plan = Plan(
        current.prefix.name,
        current.prefix.path,
        parts.additions,
        removals=parts.removals,
        changes=parts.changes,
        unchanged=parts.unchanged,
        generation=current.number,
        asked=tuple(text for text in manifest.specs if text not in current.specs),
        notes=tuple(_stays(goal, solution, intent)),
    )
    if plan.nothing_to_do:
        return plan
    notes = left_behind(current.generation, current.records, solution, layout, adopted)
    overlay = missing_overlay(solution, layout)
    again = to_fetch_again(current.records, solution.records, layout)
    return replace(plan, overlay=overlay, notes=(*plan.notes, *notes), again=again)


def _stays(goal: Goal, solution: Solution, intent: Intent) -> Iterator[str]:
    """Say which packages an update has found nothing for."""
    after = {record.name.normalized: record for record in solution.records}
    for record in goal.renewed:
        name = record.name.normalized
        if name in after and same(record, after[name]):
            asked = intent.asked.get(name, name)
            why = f"you asked for {asked}" if asked != name else why_held(record, solution.records)
            reason = f" ({why})" if why else ""
            yield f"{name} {record.version} stays: nothing newer fits with the rest{reason}"
