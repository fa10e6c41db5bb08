"""Everything that a solution needs is brought into the package cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.sources.channels import private_url
from kaa.transaction.cached import entry_of
from kaa.transaction.distrust import distrust, named_if_they_stay_away, without_damaged
from kaa.transaction.fetch import Builds, fetch_packages, provide_host_python
from kaa.workflows.supply import is_host_python

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.solver.request import Solution
    from kaa.store.layout import Layout
    from kaa.workflows.supply import Supply


async def bring(
    solution: Solution,
    layout: Layout,
    supply: Supply,
    progress: Progress,
    named: Sequence[Source] = (),
    again: Collection[str] = (),
) -> frozenset[str]:
    """Bring everything of a solution into the package cache, checked.

    ``named`` are sources that only specs name: their credentials count, too. What is damaged in
    the cache is fetched again, and so are the entries of ``again``; the names of such packages are
    returned.

    Raises the errors of the network, the store and the disk.
    """
    damaged = await distrust(solution.records, layout, again)
    layout = await without_damaged(solution.records, layout)
    with named_if_they_stay_away(damaged, layout):
        await _bring(solution, layout, supply, progress, named)
    return frozenset(r.name.normalized for r in solution.records if entry_of(r) in damaged)


async def _bring(
    solution: Solution,
    layout: Layout,
    supply: Supply,
    progress: Progress,
    named: Sequence[Source],
) -> None:
    if solution.host_python is not None:
        provide_host_python(layout, solution.host_python)
    files = solution.files
    wheels = [(record, files[record.url]) for record in solution.records if record.url in files]
    conda = [
        record
        for record in solution.records
        if record.url not in files and not is_host_python(record)
    ]
    await fetch_packages(
        wheels,
        conda,
        layout,
        supply.client,
        supply.channel_client,
        supply.metadata,
        progress,
        lambda url: private_url(url, (*supply.chosen, *named)),
        builds=_builds(solution, supply),
    )


def _builds(solution: Solution, supply: Supply) -> Builds | None:
    if supply.catalog.builder is None or solution.python is None:
        return None
    return Builds(supply.catalog.builder, solution.python, solution.direct)
