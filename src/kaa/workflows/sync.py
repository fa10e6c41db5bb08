"""Make an environment what a file says: all of it, and no more.

What is installed is favoured, as in every change; what the file does not lead to goes. A lock file
is followed to the letter.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.environments.prefix import read_manifest
from kaa.model.environment import Manifest, now
from kaa.solver.specs import parse_spec
from kaa.workflows.asked import resolve_references
from kaa.workflows.change import changeable, complete_change, sole_current, still_there
from kaa.workflows.change_plan import plan_of
from kaa.workflows.create import of_index, solution_of_lock
from kaa.workflows.dependencies import part_of
from kaa.workflows.from_file import PIP_SECTION
from kaa.workflows.goal import Goal, merged, reach
from kaa.workflows.options import question
from kaa.workflows.supply import open_supply
from kaa.workflows.synced import look, looked, remember_sync
from kaa.workflows.wish import check_hashes, read_wish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kaa.model.options import Dependencies
    from kaa.model.progress import Progress
    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout
    from kaa.workflows.asked import Asked
    from kaa.workflows.change import ChangeRequest, Current, EnvironmentChange
    from kaa.workflows.supply import Supply
    from kaa.workflows.wish import Wish


@asynccontextmanager
async def prepare_sync(
    file: Path, request: ChangeRequest, layout: Layout, progress: Progress
) -> AsyncIterator[EnvironmentChange]:
    """Say what it takes to make the environment what ``file`` says, for ``carry_out_change``.

    ``file`` is an environment file, a requirements file or a lock file. Where it names no sources,
    those of the environment count. Raises :class:`~kaa.model.errors.RequestError` and what
    :func:`~kaa.workflows.change.prepare_install` does.
    """
    found = changeable(layout, request.name, request.prefix)
    manifest = read_manifest(found.current)
    own = manifest.sources if manifest is not None else ()

    def read() -> Wish:
        return read_wish(request.specs, file, request.options, layout, own=own)

    before = look(file, request.options, found.path)
    wish = read()
    before = looked(before, wish, read)
    async with sole_current(request, layout) as current:
        options = wish.options
        if not options.sources:
            options = replace(options, sources=current.sources)
        wish = replace(wish, options=options, asked=_as_written(wish.asked, current))
        async with open_supply(layout, options, progress, prefix=current.generation) as supply:
            change = await _prepared(current, wish, request, supply, layout, progress)
            yield change
        changed = current.prefix.current_number != current.number
        if not request.dry_run and (changed or change.plan.nothing_to_do):
            remember_sync(before, wish, change.solution.records, layout, current.prefix)


def _as_written(asked: Asked, current: Current) -> Asked:
    """Leave out the pip that a new environment is given for the sake of a ``pip:`` section.

    The file does not say it, so it is no reason for a change; where it is there, it stays.
    """
    if any(record.name.normalized == "pip" for record in current.records):
        return asked
    written = tuple(spec for spec in asked.specs if not spec.origin.startswith(PIP_SECTION))
    return replace(asked, specs=written)


async def _prepared(
    current: Current,
    wish: Wish,
    request: ChangeRequest,
    supply: Supply,
    layout: Layout,
    progress: Progress,
) -> EnvironmentChange:
    specs, direct = await resolve_references(wish.asked, supply.catalog)
    specs = merged((), specs)
    sources = supply.sources(specs)
    asked = question(
        wish.options,
        specs,
        sources,
        configuration=supply.configuration,
        pins=wish.pins,
        installed=await still_there(current.records, supply),
        direct=direct,
        cache_dir=layout.metadata,
    )
    names = tuple(source.name for source in sources)
    if wish.lock is not None:
        solution, names = await solution_of_lock(
            wish.lock, asked, supply, layout, wish.options.choice
        )
        specs = tuple(parse_spec(text) for text in solution.asked)
        goal = Goal(specs, specs, ())
    else:
        goal = Goal(specs, specs, asked.installed)
        solution = await reach(goal, asked, supply, progress)
        check_hashes(of_index(solution), wish.hashes)
        solution = _only(solution, specs, wish.options.deps)
    manifest = Manifest(
        current.prefix.name,
        tuple(spec.text for spec in specs),
        names,
        request.command,
        now(),
    )
    plan = plan_of(current, goal, solution, manifest, layout)
    forgotten = tuple(text for text in current.specs if text not in manifest.specs)
    plan = replace(plan, forgotten=forgotten, notes=(*plan.notes, *wish.remarks))
    return await complete_change(
        plan,
        current,
        manifest,
        specs,
        sources,
        solution,
        supply,
        layout,
        allowed=wish.options.link_scripts,
        variables=None if wish.lock is not None or wish.locked else wish.variables,
    )


def _only(solution: Solution, specs: tuple[Spec, ...], deps: Dependencies) -> Solution:
    named = frozenset(solution.asked.get(spec.text, spec.name) for spec in specs)
    return part_of(solution, named, (), deps)
