"""``--no-deps`` and ``--only-deps``: the part of an answer that is carried out."""

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
    from collections.abc import Collection, Iterable, Sequence

    from rattler import RepoDataRecord

    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec


def part_of(
    solution: Solution,
    named: Collection[str],
    before: Sequence[RepoDataRecord],
    deps: Dependencies,
) -> Solution:
    """Return what the environment is going to have.

    Without dependencies nothing changes but what the command names (``named`` are the names of
    these packages); with them alone, all but that does. ``before`` are the records of what is
    installed. Python comes along with packages that cannot be linked without one.
    """
    if deps is Dependencies.ALL:
        return solution
    old, new = _by_name(before), _by_name(solution.records)
    if deps is Dependencies.NONE:
        records = old | {name: new[name] for name in new.keys() & named}
    else:
        records = {name: record for name, record in new.items() if name not in named}
        records |= {name: old[name] for name in old.keys() & named}
    if "python" in new and any(record.noarch.python for record in records.values()):
        records.setdefault("python", new["python"])
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


def needs_kept(
    solution: Solution, named: Collection[str], held: Iterable[Spec]
) -> tuple[Spec, ...]:
    """Return what an environment that gets ``--only-deps`` is going to have been asked for.

    That is ``held``, what was asked for before, and in place of a package what it needs: else the
    next change would find that nobody needs it.
    """
    return merged(held, [parse_spec(text) for text in direct_needs(solution.records, named)])


def _by_name(records: Iterable[RepoDataRecord]) -> dict[str, RepoDataRecord]:
    return {record.name.normalized: record for record in records}


def _is_wheel(record: RepoDataRecord) -> bool:
    return source_of_channel(record.channel or "") == PYPI
