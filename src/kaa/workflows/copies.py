"""Clone and rename: an environment once more, at another place.

Files carry the path of their environment, so that it cannot be copied or moved as it is: the same
packages are linked for the new place, and what no package owns is copied there. An environment that
conda, mamba or pixi made can be cloned, too.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.environments.conda_history import asked_in_history
from kaa.environments.elsewhere import note_directory
from kaa.environments.history import read_history
from kaa.environments.names import check_path, resolve_prefix
from kaa.environments.prefix import Prefix, carried_path, read_info, read_manifest
from kaa.environments.processes import users_of
from kaa.environments.records import read_records, repodata_records, requested_specs
from kaa.environments.writer import sole_writer_meanwhile
from kaa.model.environment import Manifest, now
from kaa.model.errors import RequestError
from kaa.model.options import SolveOptions
from kaa.model.plan import Addition, Plan
from kaa.model.process import ProcessKind
from kaa.settings.search import user_file
from kaa.store.disk import check_writable, writing
from kaa.transaction.commit import (
    check_absent,
    commit_first_generation,
    commit_renamed,
    stands_alone,
)
from kaa.workflows.announce import announce
from kaa.workflows.bring import bring
from kaa.workflows.difference import package_of, to_download
from kaa.workflows.generation import link_generation
from kaa.workflows.inspect import check_there, find_environment, not_ours
from kaa.workflows.installed import solution_of
from kaa.workflows.kernel import lend_kernel
from kaa.workflows.kernel_settings import follow_rename
from kaa.workflows.overlay import missing_overlay
from kaa.workflows.recover import recover
from kaa.workflows.remove import take_away
from kaa.workflows.supply import open_supply
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.environments.history import Generation
    from kaa.model.environment import EnvironmentInfo
    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.solver.request import Solution
    from kaa.store.layout import Layout
    from kaa.workflows.supply import Supply


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What the user asks for: an environment by name or path, and a name or path for the copy.

    ``rename`` says that the copy takes the place of the environment.
    """

    source: tuple[str | None, Path | None]
    target: tuple[str | None, Path | None]
    command: str
    rename: bool = False
    offline: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Copying:
    """A copy that is planned; nothing has changed yet."""

    plan: Plan
    source: Prefix
    generation: Path
    """What is copied, whatever the environment becomes meanwhile."""
    prefix: Prefix
    manifest: Manifest
    requested: tuple[str, ...]
    sources: tuple[Source, ...]
    solution: Solution
    supply: Supply
    past: tuple[Generation, ...]
    rename: bool


@asynccontextmanager
async def prepare_copy(
    request: CopyRequest, layout: Layout, progress: Progress
) -> AsyncIterator[Copying]:
    """Say what a copy is going to have, for :func:`carry_out_copy`.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`,
    :class:`~kaa.model.errors.EnvironmentExistsError`,
    :class:`~kaa.model.errors.UnsupportedError` for renaming what another program made, and the
    errors of damaged environments.
    """
    source = find_environment(layout, *request.source)
    prefix = Prefix(resolve_prefix(layout, *request.target))
    async with AsyncExitStack() as stack:
        if not request.dry_run:
            note_directory(layout, prefix)
            # In one order for everybody, or two that rename to and fro would wait for ever.
            written = {prefix.path: prefix} | ({source.path: source} if request.rename else {})
            for path in sorted(written):
                await stack.enter_async_context(
                    sole_writer_meanwhile(written[path], request.command)
                )
        _check(source, prefix, request)
        if not request.dry_run:
            await asyncio.to_thread(recover, layout, prefix)
        yield await stack.enter_async_context(_prepared(source, prefix, request, layout, progress))


@asynccontextmanager
async def _prepared(
    source: Prefix, prefix: Prefix, request: CopyRequest, layout: Layout, progress: Progress
) -> AsyncIterator[Copying]:
    generation = source.current
    records = read_records(generation)
    found = read_manifest(generation)
    packages = repodata_records(records)
    sources = found.sources if found else _channels(packages)
    specs = requested_specs(generation, records) or asked_in_history(generation)
    manifest = Manifest(prefix.name, specs, sources, request.command, now())
    options = SolveOptions(sources=sources, offline=request.offline)
    async with open_supply(layout, options, progress, prefix=generation) as supply:
        solution = await solution_of(packages, supply)
        asked = {record.name.normalized for record in records if record.requested_specs}
        additions = tuple(
            Addition(
                package_of(record, requested=record.name.normalized in asked),
                to_download(record, layout),
            )
            for record in solution.records
        )
        plan = Plan(prefix.name, prefix.path, additions, missing_overlay(solution, layout))
        if request.rename:
            plan = await _told_of_users(plan, source)
        yield Copying(
            plan,
            source,
            generation,
            prefix,
            manifest,
            tuple(spec for record in records for spec in record.requested_specs or ()),
            supply.sources(()),
            solution,
            supply,
            read_history(source) if request.rename else (),
            request.rename,
        )


async def carry_out_copy(copying: Copying, layout: Layout, progress: Progress) -> EnvironmentInfo:
    """Make the copy, whole or not at all, and return what it is; a renamed one goes afterwards.

    Whatever is killed, one of the two is there and whole. Raises the errors of the network, the
    store and the disk.
    """
    prefix, source, solution = copying.prefix, copying.source, copying.solution
    mended = await bring(solution, layout, copying.supply, progress, copying.sources)

    def commit(staging: Path) -> None:
        if copying.rename:
            commit_renamed(source, prefix, staging, copying.manifest, copying.past)
        else:
            commit_first_generation(prefix, staging, copying.manifest, copying.generation)

    await link_generation(
        solution,
        copying.requested,
        prefix,
        layout,
        progress,
        old=copying.generation,
        left=carried_path(source, read_manifest(copying.generation)),
        commit=commit,
        mended=mended,
    )
    try:
        if copying.rename:
            take_away(source, layout)
            with writing(prefix.path):
                stands_alone(prefix)
            with tolerated("settings for its kernel name its old path", user_file(os.environ)):
                follow_rename(layout, source.path, prefix.path)
        if copying.plan.overlay is not None:
            await lend_kernel(
                prefix.name,
                copying.plan.overlay,
                copying.sources,
                layout,
                copying.supply,
                progress,
            )
    finally:  # even when interrupted: the environment is there
        announce(prefix, layout)
    return read_info(prefix)


async def _told_of_users(plan: Plan, source: Prefix) -> Plan:
    """Say in the plan what runs in an environment whose files are going to go."""
    users = await asyncio.to_thread(users_of, source)
    # Shells have nothing to lose: they do not need the files of what is active in them.
    losing = [each for each in users if each.kind is not ProcessKind.SHELL]
    notes = tuple(
        f"{each.kind.value} {each.pid} ({each.command}) loses its files: they go with {source.path}"
        for each in losing
    )
    return replace(plan, notes=notes)


def _check(source: Prefix, prefix: Prefix, request: CopyRequest) -> None:
    check_path(prefix.path)
    if prefix.path == source.path:
        raise RequestError(
            f"{prefix.name} is its name already", hint="give another name, or another path"
        )
    check_there(source)
    if request.rename and source.current_number is None:
        raise not_ours(
            source,
            cause="the program that made it would not know it any more",
            hint=f"take it over first: `kaa adopt -p {shlex.quote(str(source.path))}`, "
            "or copy it with `kaa clone`",
        )
    check_absent(prefix)
    check_writable(prefix.generations)


def _channels(records: Sequence[RepoDataRecord]) -> tuple[str, ...]:
    """Return the channels of records that conda wrote, without the platform at their ends."""
    found = dict.fromkeys((record.channel or "").rstrip("/") for record in records)
    subdirs = {record.subdir for record in records} | {"noarch"}
    plain = dict.fromkeys(
        channel.rpartition("/")[0] if channel.rpartition("/")[2] in subdirs else channel
        for channel in found
    )
    return tuple(channel for channel in plain if channel)
