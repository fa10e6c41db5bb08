"""Variables that are set wherever an environment is active, as a change like every other."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.environments.prefix import read_manifest
from kaa.environments.variables import read_variables, steps_between
from kaa.model.environment import Manifest, now
from kaa.model.errors import RequestError
from kaa.workflows.inspect import check_there, find_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, EnvironmentChange

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def variables_of(layout: Layout, name: str | None, prefix: Path | None) -> dict[str, str]:
    """Return the variables of an environment, whoever made it.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`.
    """
    found = find_environment(layout, name, prefix)
    check_there(found)
    return read_variables(found.current)


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Return the variables that texts such as ``NAME=value`` set; a value may have anything in it.

    Raises :class:`RequestError` for what is no assignment, and for contradictions.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not _NAME.fullmatch(name):
            raise RequestError(
                f"{text!r} sets no variable",
                cause="a name has letters, digits and _ in it" if separator else "it has no =",
                hint="write NAME=value, in quotes where the value has blanks in it",
            )
        if found.setdefault(name, value) != value:
            raise RequestError(f"{name} is set twice", hint="leave out one of the two")
    return found


def changed_variables(
    generation: Path, wanted: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str | None], ...]:
    """Return what becomes different: new values, and None for what is not set any more."""
    steps = steps_between(read_variables(generation), dict(wanted))
    return tuple((step.name, step.after) for step in steps)


@asynccontextmanager
async def prepare_variables(
    assigned: Mapping[str, str],
    removed: Iterable[str],
    request: ChangeRequest,
    layout: Layout,
    progress: Progress,
) -> AsyncIterator[EnvironmentChange]:
    """Plan a change of variables, and of nothing else, for ``carry_out_change``.

    Raises :class:`RequestError` for a variable to be removed that is not set, and what
    :func:`~kaa.workflows.change.prepare_install` does.
    """
    # what changes environments takes its time to import, and listing needs none of it
    from kaa.sources.index import normalise
    from kaa.sources.installed import installed_project
    from kaa.workflows.asked import Asked
    from kaa.workflows.change import complete_change, sole_current
    from kaa.workflows.change_plan import plan_of
    from kaa.workflows.goal import Goal, goal_of
    from kaa.workflows.installed import solution_of
    from kaa.workflows.supply import open_supply

    async with sole_current(request, layout) as current:
        wanted = read_variables(current.generation)
        for name in removed:
            if name not in wanted:
                raise RequestError(
                    f"{name} is not set in {current.prefix.name}",
                    hint=f"set are: {', '.join(wanted) or 'none'}",
                )
            del wanted[name]
        wanted |= assigned
        options = replace(request.options, sources=current.sources)
        async with open_supply(layout, options, progress, prefix=current.generation) as supply:
            before = read_manifest(current.generation)
            manifest = Manifest(
                current.prefix.name, current.specs, current.sources, request.command, now()
            )
            if before is not None:
                manifest = replace(before, command=request.command, created=now())
            specs = goal_of(current.specs, current.records, Asked(())).specs
            projects = {installed_project(r): r.name.normalized for r in current.records}
            names = {each.text: projects.get(normalise(each.name), each.name) for each in specs}
            solution = await solution_of(current.records, supply, names)
            plan = plan_of(current, Goal((), (), ()), solution, manifest, layout)
            yield await complete_change(
                plan,
                current,
                manifest,
                specs,
                supply.sources(()),
                solution,
                supply,
                layout,
                variables=tuple(wanted.items()),
            )
