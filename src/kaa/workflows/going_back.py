"""Going back to a generation that is not on the disk, or was made for another place.

Its lock says what it was; it is installed from the package cache, or fetched once more.
"""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.environments.prefix import read_info
from kaa.model.environment import now
from kaa.model.errors import EnvironmentStateError
from kaa.model.options import SolveOptions
from kaa.transaction.commit import check_current, commit_next_generation, commit_past_generation
from kaa.workflows.announce import announce
from kaa.workflows.bring import bring
from kaa.workflows.generation import link_generation
from kaa.workflows.history import put_variables
from kaa.workflows.installed import records_of_lock, solution_of
from kaa.workflows.recover import recover
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.model.environment import EnvironmentInfo
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.history import Return


async def reinstall(
    plan: Return, command: str, layout: Layout, progress: Progress, *, offline: bool = False
) -> EnvironmentInfo:
    """Install what a generation was and make it the current one; it has its number again.

    One that is on the disk, with files that carry another path, stays as it is, and a new one is
    made. Raises the errors of the sources, the store and the disk, and
    :class:`EnvironmentStateError`.
    """
    prefix, current, target = plan.prefix, plan.current, plan.target
    manifest = target.manifest
    if manifest is None:
        raise EnvironmentStateError(
            f"what generation {target.number} was asked for cannot be read",
            hint=f"choose another one: `kaa history -p {shlex.quote(str(prefix.path))}`",
        )
    check_current(prefix, current.number)
    await asyncio.to_thread(recover, layout, prefix)
    lock = target.records()
    requested = [spec for record in lock for spec in record.get("requested_specs") or ()]
    options = SolveOptions(sources=manifest.sources, offline=offline)

    def commit(staging: Path) -> None:
        put_variables(staging, plan)
        if target.on_disk:
            anew = replace(manifest, command=command, created=now())
            commit_next_generation(prefix, staging, anew, current.number)
        else:
            commit_past_generation(prefix, staging, target, command, current.number)

    async with open_supply(layout, options, progress, prefix=current.path) as supply:
        solution = await solution_of(records_of_lock(lock), supply)
        mended = await bring(solution, layout, supply, progress, supply.sources(()))
        await link_generation(
            solution,
            requested,
            prefix,
            layout,
            progress,
            old=current.path if current.path.is_dir() else None,
            commit=commit,
            mended=mended,
        )
    announce(prefix, layout)
    return read_info(prefix)
