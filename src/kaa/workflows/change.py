"""Change an environment: install into it, update it. Solve, plan, fetch, stage, carry, commit.

What is installed is favoured: a package stays as it is unless something that was asked for, now
or earlier, makes it move. The next generation is built complete beside the others, from the
package cache; the old one stays as it is.
"""

from __future__ import annotations

import asyncio
import shlex
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kaa.environments.graph import read_graph
from kaa.environments.prefix import (
    Prefix,
    carried_path,
    read_info,
    read_manifest,
)
from kaa.environments.processes import users_of
from kaa.environments.records import (
    read_records,
    repodata_records,
    requested_specs,
)
from kaa.environments.variables import change_variables
from kaa.environments.writer import sole_writer_meanwhile
from kaa.model.environment import EnvironmentInfo, Manifest, now
from kaa.model.errors import RequestError, UnsupportedError
from kaa.model.options import Dependencies, SolveOptions
from kaa.settings.condarc import read_pinned
from kaa.solver.specs import parse_spec
from kaa.store.disk import check_writable
from kaa.transaction.commit import check_current, commit_next_generation
from kaa.workflows.announce import announce
from kaa.workflows.asked import Asked, resolve_references
from kaa.workflows.bring import bring
from kaa.workflows.bytecode import compile_later
from kaa.workflows.change_plan import plan_of
from kaa.workflows.completion import complete
from kaa.workflows.dependencies import needs_kept, part_of
from kaa.workflows.direct_again import with_direct
from kaa.workflows.generation import link_generation
from kaa.workflows.generation import requested_specs as match_specs
from kaa.workflows.goal import (
    Goal,
    check_update,
    install_goal,
    reach,
    update_goal,
    with_references,
)
from kaa.workflows.inspect import check_there, find_environment, not_ours
from kaa.workflows.kernel import lend_kernel
from kaa.workflows.link_scripts import LinkScripts, link_scripts
from kaa.workflows.options import is_foreign, platform_of, question
from kaa.workflows.recover import recover
from kaa.workflows.supply import Supply, is_host_python, open_supply
from kaa.workflows.variables import changed_variables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from rattler import RepoDataRecord

    from kaa.model.plan import Plan
    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What the user asks for, of an environment that is there.

    Exactly one of ``name`` and ``prefix`` is given; ``specs`` are as typed; ``command`` is the
    command line, for the history; ``everything`` is ``update --all``; ``dry_run`` says that
    nothing is going to be carried out; ``adopted`` are projects that another program installed,
    in the same version as they are asked for.
    """

    name: str | None
    prefix: Path | None
    specs: tuple[str, ...]
    command: str
    options: SolveOptions = field(default_factory=SolveOptions)
    everything: bool = False
    dry_run: bool = False
    force: bool = False
    """In a removal: what needs the packages stays, and so does what they needed."""
    adopted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Current:
    """What an environment is before a change: the records, and the manifest's specs and sources."""

    prefix: Prefix
    number: int
    generation: Path
    records: tuple[RepoDataRecord, ...]
    specs: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """A change that is solved and planned, and has changed nothing yet."""

    plan: Plan
    current: Current
    manifest: Manifest
    specs: tuple[Spec, ...]
    sources: tuple[Source, ...]
    solution: Solution
    supply: Supply
    scripts: LinkScripts
    copies: bool = False


@asynccontextmanager
async def prepare_install(
    request: ChangeRequest, layout: Layout, progress: Progress
) -> AsyncIterator[EnvironmentChange]:
    """Solve for what is there and the request, for :func:`carry_out_change`.

    Raises :class:`~kaa.model.errors.RequestError` for a wrong request, the classes of
    :class:`~kaa.model.errors.EnvironmentStateError` for an environment that cannot be changed,
    those of :class:`~kaa.model.errors.SolveError` and those of the sources.
    """
    if not request.specs and not request.options.editable:
        raise RequestError(
            "nothing was asked for", hint="name at least one package, such as `pandas`"
        )
    async with sole_current(request, layout) as current:
        goal = install_goal(current.specs, current.records, request.specs, request.options.editable)
        async with prepared(current, goal, request, layout, progress) as change:
            yield change


@asynccontextmanager
async def prepare_update(
    request: ChangeRequest, layout: Layout, progress: Progress
) -> AsyncIterator[EnvironmentChange]:
    """Solve for newer versions of some packages, or of all, for :func:`carry_out_change`.

    Raises what :func:`prepare_install` does, and
    :class:`~kaa.model.errors.PackageNotInstalledError`.
    """
    check_update(request.specs, request.everything, request.options)
    async with sole_current(request, layout) as current:
        graph = read_graph(current.generation)
        goal = update_goal(current.specs, current.records, request.specs, graph)
        async with prepared(current, goal, request, layout, progress) as change:
            yield change


async def carry_out_change(
    change: EnvironmentChange, layout: Layout, progress: Progress
) -> EnvironmentInfo:
    """Do what the plan says, as a whole or not at all, and return what the environment is then.

    Raises the errors of the network, the store and the disk, and
    :class:`~kaa.model.errors.EnvironmentStateError` when another process has changed the
    environment since the plan was made; then nothing is changed but what the package cache has
    gained.
    """
    prefix, plan = change.current.prefix, change.plan
    if plan.nothing_to_do:
        return read_info(prefix)
    check_current(prefix, change.current.number)
    specs = change.manifest.specs
    solution = await with_direct(change.solution, specs, (), layout, change.supply)
    mended = await bring(solution, layout, change.supply, progress, change.sources)
    change = replace(change, solution=complete(solution, layout))
    await _link(change, layout, progress, mended)
    try:
        if plan.overlay is not None:
            await lend_kernel(
                plan.name, plan.overlay, change.sources, layout, change.supply, progress
            )
    finally:  # even when interrupted: the environment has changed
        announce(prefix, layout)
        compile_later(change.solution.records, prefix, layout, change.supply.configuration)
    return read_info(prefix)


def changeable(layout: Layout, name: str | None, prefix: Path | None) -> Prefix:
    """Return an environment that can be changed, as far as can be told without its records.

    Raises :class:`UnsupportedError` for one that another program made, and the classes of
    :class:`~kaa.model.errors.EnvironmentStateError` for what is not there, or moved.
    """
    found = find_environment(layout, name, prefix)
    if found.current_number is None:
        raise not_ours(
            found,
            cause="it is no link to a generation, which alone can be changed as a whole",
            hint=f"`kaa adopt -p {shlex.quote(str(found.path))}` makes it kaa's, as it is",
        )
    check_there(found)
    return found


def read_current(layout: Layout, name: str | None, prefix: Path | None) -> Current:
    """Return what an environment is, for who is going to change it.

    Raises :class:`UnsupportedError` for one that another program made, and the classes of
    :class:`~kaa.model.errors.EnvironmentStateError` for what is not there, moved or damaged.
    """
    found = changeable(layout, name, prefix)
    number, generation = found.current_number, found.current
    assert number is not None
    records = read_records(generation)
    manifest = read_manifest(generation)
    return Current(
        found,
        number,
        generation,
        repodata_records(records),
        requested_specs(generation, records),
        manifest.sources if manifest else (),
    )


@asynccontextmanager
async def sole_current(request: ChangeRequest, layout: Layout) -> AsyncIterator[Current]:
    """Give the environment as it is once nobody else changes it, which stays so for the block."""
    found = changeable(layout, request.name, request.prefix)
    check_writable(found.generations)
    async with AsyncExitStack() as stack:
        if not request.dry_run:
            await stack.enter_async_context(sole_writer_meanwhile(found, request.command))
            # In a thread, because it may take long, and Ctrl-C must not have to wait.
            await asyncio.to_thread(recover, layout, found)
        yield read_current(layout, None, found.path)


@asynccontextmanager
async def prepared(
    current: Current,
    goal: Goal,
    request: ChangeRequest,
    layout: Layout,
    progress: Progress,
    *,
    pins: tuple[Spec, ...] = (),
    check: Callable[[Solution], None] | None = None,
    variables: tuple[tuple[str, str], ...] | None = None,
) -> AsyncIterator[EnvironmentChange]:
    """Solve for a goal and plan the change; ``check`` may refuse the answer."""
    recorded = () if request.options.override_channels else current.sources
    given = dict.fromkeys((*request.options.sources, *recorded))
    options = replace(request.options, sources=tuple(given))
    opened = open_supply(
        layout, options, progress, prefix=current.generation, only=("--override-channels",)
    )
    async with opened as supply:
        platform = platform_of(options, supply.configuration)
        if is_foreign(platform):
            raise UnsupportedError(
                f"packages for {platform} cannot be installed on this machine",
                cause=f"{supply.configuration.origin('subdir')} says that they are to be for it",
                hint="take the platform out of there, or install on a machine of this platform",
            )
        found, direct = await resolve_references(Asked(goal.specs, goal.references), supply.catalog)
        goal = with_references(goal, found[len(goal.specs) :], direct)
        sources = supply.sources(goal.specs)
        asked = question(
            options,
            goal.specs,
            sources,
            configuration=supply.configuration,
            pins=(*_pins(current.prefix), *pins),
            installed=await still_there(goal.installed, supply),
            direct=direct,
            cache_dir=layout.metadata,
        )
        solution = await reach(goal, asked, supply, progress)
        if check is not None:
            check(solution)
        named = {record.name.normalized for record in goal.renewed}
        named |= {solution.asked.get(spec.text, spec.name) for spec in goal.new}
        specs = goal.specs
        if options.deps is Dependencies.ONLY:
            specs = needs_kept(solution, named, goal.held)
        solution = part_of(solution, named, current.records, options.deps)
        manifest = Manifest(
            current.prefix.name,
            tuple(spec.text for spec in specs),
            tuple(source.name for source in sources),
            request.command,
            now(),
        )
        plan = plan_of(current, goal, solution, manifest, layout, request.adopted)
        yield await complete_change(
            plan,
            current,
            manifest,
            specs,
            sources,
            solution,
            supply,
            layout,
            allowed=options.link_scripts,
            copies=options.copies,
            variables=variables,
        )


async def complete_change(
    plan: Plan,
    current: Current,
    manifest: Manifest,
    specs: tuple[Spec, ...],
    sources: tuple[Source, ...],
    solution: Solution,
    supply: Supply,
    layout: Layout,
    *,
    allowed: bool = False,
    copies: bool = False,
    variables: tuple[tuple[str, str], ...] | None = None,
) -> EnvironmentChange:
    """Return a change whose plan says of link scripts and of running processes, too.

    ``allowed`` is what the command line says of link scripts; ``variables`` are to be set wherever
    the environment is active, in place of what was; None: as it was.
    """
    scripts = link_scripts(
        allowed or supply.configuration.link_scripts,
        current.records,
        solution.records,
        current.generation,
        layout,
    )
    plan = replace(plan, notes=(*plan.notes, *scripts.notes()))
    if variables is not None:
        plan = replace(plan, variables=changed_variables(current.generation, variables))
    if not plan.nothing_to_do:
        plan = replace(plan, processes=await asyncio.to_thread(users_of, current.prefix))
    return EnvironmentChange(
        plan, current, manifest, specs, sources, solution, supply, scripts, copies
    )


def _pins(prefix: Prefix) -> tuple[Spec, ...]:
    """Return what the environment's own file pins, as conda has it."""
    place = f"pinned in {prefix.path / 'conda-meta' / 'pinned'}"
    return tuple(parse_spec(text, place) for text in read_pinned(prefix.path))


async def still_there(
    records: tuple[RepoDataRecord, ...], supply: Supply
) -> tuple[RepoDataRecord, ...]:
    """Return the records without an interpreter that this machine does not have any more."""
    if not any(is_host_python(record) for record in records):
        return records
    builds = {python.build for python in await supply.catalog.pythons()}
    return tuple(r for r in records if not is_host_python(r) or str(r.build) in builds)


async def _link(
    change: EnvironmentChange, layout: Layout, progress: Progress, mended: frozenset[str]
) -> None:
    current, prefix = change.current, change.current.prefix

    def commit(staging: Path) -> None:
        if change.plan.variables:
            change_variables(staging, change.plan.variables)
        commit_next_generation(prefix, staging, change.manifest, current.number)

    requested = match_specs(change.solution, change.specs)
    await link_generation(
        change.solution,
        requested,
        prefix,
        layout,
        progress,
        old=current.generation,
        left=carried_path(prefix, read_manifest(current.generation)),
        commit=commit,
        mended=mended,
        scripts=change.scripts,
        copies=change.copies,
    )
