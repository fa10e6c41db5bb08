"""A solution becomes a generation: linked beside the others, committed in one rename."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from kaa.environments.variables import change_variables
from kaa.transaction.carry import carry_over
from kaa.transaction.commit import commit_first_generation
from kaa.transaction.stage import link_packages, staging_directory, to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kaa.environments.prefix import Prefix
    from kaa.model.environment import Manifest
    from kaa.model.progress import Progress
    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout
    from kaa.workflows.link_scripts import LinkScripts

_log = logging.getLogger(__name__)


async def link_first_generation(
    solution: Solution,
    specs: Sequence[Spec],
    prefix: Prefix,
    manifest: Manifest,
    layout: Layout,
    progress: Progress,
    variables: Sequence[tuple[str, str]] = (),
    scripts: LinkScripts | None = None,
    *,
    copies: bool = False,
) -> None:
    """Link a new environment from the package cache and commit it. The caller is its only writer.

    ``specs`` are what was asked for; ``variables`` are set wherever it is active; ``scripts`` may
    run; ``copies`` share nothing with the cache. Raises the errors of the disk and of scripts, and
    :class:`~kaa.model.errors.EnvironmentExistsError` when another process was faster.
    """
    with staging_directory(prefix, layout) as staging:
        requested = requested_specs(solution, specs)
        await link_packages(
            solution.records, requested, staging, prefix, layout, progress, copies=copies
        )
        if variables:
            change_variables(staging, variables)
        notes: list[str] = []
        if scripts is not None:
            notes = await scripts.run(solution.records, staging, prefix, layout, progress)
        commit_first_generation(prefix, staging, manifest)
    for note in notes:
        _log.warning("%s", note)


async def link_generation(
    solution: Solution,
    requested: Sequence[str],
    prefix: Prefix,
    layout: Layout,
    progress: Progress,
    *,
    old: Path | None,
    commit: Callable[[Path], object],
    left: Path | None = None,
    scripts: LinkScripts | None = None,
    mended: frozenset[str] = frozenset(),
    repair: bool = False,
    copies: bool = False,
) -> None:
    """Link a generation from the package cache, carry over what ``old`` has beside, and commit it.

    ``requested`` are the match specs of what was asked for; ``left`` is the path that the files of
    ``old`` carry, where that is not the path of ``prefix``; ``commit`` is called with the staged
    directory; ``scripts`` may run before. ``mended`` are packages that were damaged, and ``repair``
    says that ``old`` is what is to be mended (see :func:`carry_over`); it may be None then.
    ``copies`` share nothing with the cache. Raises the errors of the disk, of scripts and those of
    ``commit``.
    """
    with staging_directory(prefix, layout) as staging:
        await link_packages(
            solution.records, requested, staging, prefix, layout, progress, copies=copies
        )
        carried = []
        if old is not None:
            halt = threading.Event()
            carrying = asyncio.to_thread(
                carry_over,
                old,
                staging,
                prefix.path,
                halt.is_set,
                left=left,
                mended=mended,
                repair=repair,
            )
            carried = (await to_its_end(carrying, halt.set)).notes()
        notes: list[str] = []
        if scripts is not None:
            notes = await scripts.run(solution.records, staging, prefix, layout, progress)
        commit(staging)
    for note in notes:
        _log.warning("%s", note)
    for note in carried:
        _log.warning("%s (they are still in %s)", note, old)


def requested_specs(solution: Solution, specs: Sequence[Spec]) -> list[str]:
    """Return the match specs of what was asked for, for the records that conda tools read."""
    names = {record.name.normalized for record in solution.records}
    called = {solution.asked.get(spec.text, spec.name): spec for spec in specs}
    return [spec.match_spec(name) for name, spec in called.items() if name in names]
