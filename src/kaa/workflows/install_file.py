"""Install what a file asks for into an environment; what else is there stays."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.environments.variables import read_variables
from kaa.model.errors import RequestError
from kaa.workflows.change import prepared, sole_current
from kaa.workflows.create import of_index
from kaa.workflows.goal import goal_of
from kaa.workflows.wish import check_hashes, read_wish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kaa.model.progress import Progress
    from kaa.solver.request import Solution
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, EnvironmentChange


@asynccontextmanager
async def prepare_install_file(
    file: Path, request: ChangeRequest, layout: Layout, progress: Progress
) -> AsyncIterator[EnvironmentChange]:
    """Solve for what is there, the request and ``file``, for ``carry_out_change``.

    Raises what :func:`~kaa.workflows.change.prepare_install` does.
    """
    wish = read_wish(request.specs, file, request.options, layout)
    if wish.lock is not None:
        raise RequestError(
            f"{file.name} has the whole of an environment, and nothing to be added to another one",
            hint=f"make the environment what it says: `kaa sync -f {file}`",
        )

    def check(solution: Solution) -> None:
        check_hashes(of_index(solution), wish.hashes)

    async with sole_current(request, layout) as current:
        variables = {**read_variables(current.generation), **dict(wish.variables)}
        opened = prepared(
            current,
            goal_of(current.specs, current.records, wish.asked),
            replace(request, options=wish.options),
            layout,
            progress,
            pins=wish.pins,
            check=check,
            variables=tuple(variables.items()),
        )
        async with opened as change:
            notes = (*change.plan.notes, *wish.remarks)
            yield replace(change, plan=replace(change.plan, notes=notes))
