"""Create an environment: solve, plan, fetch, stage, commit, kernel."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kaa.environments.elsewhere import note_directory
from kaa.environments.names import check_path, resolve_prefix
from kaa.environments.prefix import Prefix, read_info
from kaa.environments.writer import sole_writer_meanwhile
from kaa.model.environment import EnvironmentInfo, Manifest, now
from kaa.model.errors import RequestError, UnsupportedError
from kaa.model.options import Dependencies, SolveOptions
from kaa.model.plan import Addition, Plan
from kaa.solver.specs import parse_spec
from kaa.sources.identity import known_sha256
from kaa.sources.index import distribution_of
from kaa.store.disk import check_writable, writing
from kaa.transaction.commit import check_absent
from kaa.workflows.asked import resolve_references, with_default_packages
from kaa.workflows.completion import complete
from kaa.workflows.dependencies import needs_kept, part_of
from kaa.workflows.difference import package_of, to_download
from kaa.workflows.goal import merged
from kaa.workflows.link_scripts import LinkScripts, link_scripts
from kaa.workflows.options import is_foreign, platform_of, question
from kaa.workflows.overlay import missing_overlay
from kaa.workflows.recover import recover
from kaa.workflows.supply import Supply, open_supply, solve_for
from kaa.workflows.synced import look, looked, remember_sync
from kaa.workflows.wish import Wish, check_hashes, locked_specs, read_wish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from kaa.model.options import FileChoice
    from kaa.model.progress import Progress
    from kaa.model.source import Source
    from kaa.solver.request import Solution, SolveRequest
    from kaa.solver.specs import Spec
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """What the user asks for.

    At most one of ``name`` and ``prefix`` is given, none when ``file`` (environment.yml,
    requirements or lock file) says a name; ``specs`` are as typed; ``command`` is the command
    line, for the history; ``dry_run`` says that nothing is going to be carried out;
    ``default_packages`` that those of the settings come along.
    """

    name: str | None
    prefix: Path | None
    specs: tuple[str, ...]
    command: str
    options: SolveOptions = field(default_factory=SolveOptions)
    dry_run: bool = False
    default_packages: bool = True
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """A creation that is solved and planned, and has changed nothing yet."""

    plan: Plan
    prefix: Prefix
    manifest: Manifest
    specs: tuple[Spec, ...]
    sources: tuple[Source, ...]
    solution: Solution
    supply: Supply
    scripts: LinkScripts
    variables: tuple[tuple[str, str], ...] = ()
    copies: bool = False


@asynccontextmanager
async def prepare_create(
    request: CreateRequest, layout: Layout, progress: Progress
) -> AsyncIterator[Creation]:
    """Solve the request and say what is going to be done, for :func:`carry_out_create`.

    Raises :class:`~kaa.model.errors.RequestError` for a wrong request,
    :class:`~kaa.model.errors.EnvironmentExistsError`, the classes of
    :class:`~kaa.model.errors.SolveError` and those of the sources.
    """

    def read() -> Wish:
        return read_wish(request.specs, request.file, request.options, layout)

    before = look(request.file, request.options, layout.root) if request.file else None
    wish = read()
    prefix = Prefix(_place(request, wish, layout))
    if before is not None:
        before = looked(before, wish, read)
    check_path(prefix.path)
    check_absent(prefix)
    with writing(layout.root):
        layout.root.mkdir(parents=True, exist_ok=True)
    check_writable(prefix.generations)
    async with AsyncExitStack() as stack:
        if not request.dry_run:
            note_directory(layout, prefix)
            await stack.enter_async_context(sole_writer_meanwhile(prefix, request.command))
            check_absent(prefix)  # who was waited for may have made it
            # In a thread, because it may take long, and Ctrl-C must not have to wait.
            await asyncio.to_thread(recover, layout, prefix)
        supply = await stack.enter_async_context(open_supply(layout, wish.options, progress))
        platform = platform_of(wish.options, supply.configuration)
        if is_foreign(platform) and not request.dry_run:
            raise UnsupportedError(
                f"an environment for {platform} cannot be made on this machine",
                cause="what its packages need to be linked right is on the other machine",
                hint="add --dry-run to see the plan, or write a lock file with `kaa lock`",
            )
        specs, direct = await resolve_references(wish.asked, supply.catalog)
        asked = specs
        if request.default_packages and wish.lock is None:
            specs = with_default_packages(specs, supply.configuration)
        # A sync with the same file and options comes to the same answer then, and has no less.
        as_in_file = not request.specs and merged((), specs) == asked
        sources = supply.sources(specs)
        wanted = question(
            wish.options,
            specs,
            sources,
            configuration=supply.configuration,
            pins=wish.pins,
            direct=direct,
            cache_dir=layout.metadata,
        )
        names = tuple(source.name for source in sources)
        if wish.lock is not None:
            solution, names = await solution_of_lock(
                wish.lock, wanted, supply, layout, wish.options.choice
            )
            specs = tuple(parse_spec(text) for text in solution.asked)
        else:
            solution = await solve_for(wanted, supply, progress)
            check_hashes(of_index(solution), wish.hashes)
            named = frozenset(solution.asked.values())
            if wish.options.deps is Dependencies.ONLY:
                specs = needs_kept(solution, named, ())
            solution = part_of(solution, named, (), wish.options.deps)
        texts = tuple(spec.text for spec in specs)
        manifest = Manifest(prefix.name, texts, names, request.command, now())
        allowed = wish.options.link_scripts or supply.configuration.link_scripts
        scripts = link_scripts(allowed, (), solution.records, None, layout)
        plan = _plan(prefix, solution, layout, (*wish.remarks, *scripts.notes()))
        yield Creation(
            plan,
            prefix,
            manifest,
            specs,
            sources,
            solution,
            supply,
            scripts,
            wish.variables,
            wish.options.copies,
        )
        if before is not None and as_in_file and wish.options.deps is Dependencies.ALL:
            remember_sync(before, wish, solution.records, layout, prefix)


def _place(request: CreateRequest, wish: Wish, layout: Layout) -> Path:
    name = request.name
    if name is None and request.prefix is None:
        name = wish.name
        if name is None:
            raise RequestError("which environment?", hint="add -n NAME, or -p PATH")
    return resolve_prefix(layout, name, request.prefix)


async def solution_of_lock(
    lock: Path, wanted: SolveRequest, supply: Supply, layout: Layout, choice: FileChoice
) -> tuple[Solution, tuple[str, ...]]:
    """Return what a lock file has, as if it had been asked for, and the sources that it is from."""
    from kaa.formats.lock_file import DEFAULT
    from kaa.workflows.from_lock import (
        described,
        locked_environment,
        locked_sources,
        on_platform,
        solution_of_locked,
    )

    mapping = await supply.catalog.mapping()
    environment = locked_environment(
        lock, wanted.platform, choice.environment or DEFAULT, choice.categories
    )
    locked = await described(on_platform(environment, wanted.platform, lock), supply, lock)
    virtual = wanted.virtual_packages
    builds = supply.catalog.builds
    solution = solution_of_locked(locked, lock, virtual, mapping, build=builds)
    solution = complete(solution, layout)
    return replace(solution, asked=locked_specs(solution)), locked_sources(environment)


def of_index(solution: Solution) -> Iterator[tuple[str, str, str | None]]:
    """Yield name, version and sha256 of the files that come from an index."""
    for file in solution.files.values():
        known = distribution_of(file.filename)
        if known is not None:
            yield (*known, known_sha256(file))


async def carry_out_create(
    creation: Creation, layout: Layout, progress: Progress
) -> EnvironmentInfo:
    """Do what the plan says, as a whole or not at all, and return the new environment.

    Raises the errors of the network, the store and the disk; then nothing is left behind but
    what the package cache has gained.
    """
    # A plan alone has no use for these, and they take longer to import than many a solve.
    from kaa.workflows.announce import announce
    from kaa.workflows.bring import bring
    from kaa.workflows.bytecode import compile_later
    from kaa.workflows.generation import link_first_generation
    from kaa.workflows.kernel import lend_kernel

    solution, prefix, supply = creation.solution, creation.prefix, creation.supply
    await bring(solution, layout, supply, progress, creation.sources)
    solution = complete(solution, layout)
    await link_first_generation(
        solution,
        creation.specs,
        prefix,
        creation.manifest,
        layout,
        progress,
        creation.variables,
        creation.scripts,
        copies=creation.copies,
    )
    try:
        if creation.plan.overlay is not None:
            name, minor = creation.plan.name, creation.plan.overlay
            await lend_kernel(name, minor, creation.sources, layout, supply, progress)
    finally:  # even when interrupted: the environment is there
        announce(prefix, layout)
        compile_later(solution.records, prefix, layout, supply.configuration)
    return read_info(prefix)


def _plan(prefix: Prefix, solution: Solution, layout: Layout, notes: tuple[str, ...]) -> Plan:
    asked = set(solution.asked.values())
    additions = tuple(
        Addition(
            package_of(record, requested=record.name.normalized in asked),
            to_download(record, layout),
        )
        for record in solution.records
    )
    overlay = missing_overlay(solution, layout)
    return Plan(prefix.name, prefix.path, additions, overlay, notes=notes)
