"""A change with ``--no-deps`` or ``--only-deps``: the part of an answer that is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.model.options import Dependencies
from kaa.model.package import PYPI, source_of_channel
from kaa.solver.specs import parse_spec
from kaa.sources.installed import installed_file
from kaa.workflows.goal import merged
from kaa.workflows.reasons import direct_needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rattler import RepoDataRecord

    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec
    from kaa.workflows.goal import Goal


def part_of(
    solution: Solution, goal: Goal, before: Sequence[RepoDataRecord], deps: Dependencies
) -> Solution:
    """Return what the environment is going to have.

    Without dependencies nothing changes but what the command names; with them alone, all but that
    does. ``before`` are the records of what is installed.
    """
    if deps is Dependencies.ALL:
        return solution
    named = _named(solution, goal)
    old, new = _by_name(before), _by_name(solution.records)
    if deps is Dependencies.NONE:
        records = old | {name: new[name] for name in named & new.keys()}
    else:
        records = {name: record for name, record in new.items() if name not in named}
        records |= {name: old[name] for name in named & old.keys()}
    python = records.get("python")
    return replace(
        solution,
        records=tuple(records[name] for name in sorted(records)),
        # What stays is in the package cache, or is brought there once more from where it was.
        files={
            **{
                record.url: installed_file(record)
                for record in records.values()
                if _is_wheel(record)
            },
            **solution.files,
        },
        python=None if python is None else str(python.version),
        host_python=None if python is None else solution.host_python,
    )


def specs_kept(solution: Solution, goal: Goal, deps: Dependencies) -> tuple[Spec, ...]:
    """Return what the environment is going to have been asked for.

    With ``--only-deps`` that is, in place of a package, what it needs: else the next change would
    find that nobody needs it.
    """
    if deps is not Dependencies.ONLY:
        return goal.specs
    needs = direct_needs(solution.records, _named(solution, goal))
    return merged(goal.held, [parse_spec(text) for text in needs])


def _named(solution: Solution, goal: Goal) -> frozenset[str]:
    names = {record.name.normalized for record in goal.renewed}
    return frozenset(names | {solution.asked.get(spec.text, spec.name) for spec in goal.new})


def _by_name(records: Iterable[RepoDataRecord]) -> dict[str, RepoDataRecord]:
    return {record.name.normalized: record for record in records}


def _is_wheel(record: RepoDataRecord) -> bool:
    return source_of_channel(record.channel or "") == PYPI
