"""Create an environment: solve, plan, fetch, stage, commit, kernel."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from kaa.environments.names import check_path, resolve_prefix
from kaa.environments.prefix import Prefix, read_info
from kaa.environments.registry import conda_environments_file, register
from kaa.kernels.overlay import overlay_prefix, overlay_ready
from kaa.kernels.specs import kernelspec_directory, write_kernelspec
from kaa.model.environment import EnvironmentInfo, Manifest
from kaa.model.errors import KaaError, RequestError, UnsupportedError
from kaa.model.package import PYPI, Package, source_of_channel
from kaa.model.plan import Addition, Plan
from kaa.model.progress import Phase
from kaa.network.client import Client
from kaa.network.locations import redact
from kaa.network.settings import load_settings
from kaa.solver.solve import Solution, solve
from kaa.solver.specs import Spec, parse_spec
from kaa.sources.host import find_host_pythons
from kaa.sources.identity import promised_sha256
from kaa.sources.index import ProjectIndex
from kaa.sources.metadata import MetadataReader
from kaa.store.disk import check_writable, writing
from kaa.store.locks import at_work, locked
from kaa.transaction.commit import check_absent, commit_first_generation
from kaa.transaction.fetch import fetch_wheels, is_cached, provide_host_python
from kaa.transaction.leftovers import clear_leftovers
from kaa.transaction.stage import link_packages, staging_directory
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from kaa.model.progress import Progress
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout

DEFAULT_SOURCES = (PYPI,)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """What the user asks for.

    Exactly one of ``name`` and ``prefix`` is given; ``specs`` and ``sources`` are as typed, no
    sources means the default ones; ``command`` is the command line, for the history.
    """

    name: str | None
    prefix: Path | None
    specs: tuple[str, ...]
    sources: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class Supply:
    """How packages are found and brought into the package cache, for one run."""

    client: Client
    metadata: MetadataReader


@dataclass(frozen=True, slots=True)
class Creation:
    """A creation that is solved and planned, and has changed nothing yet."""

    plan: Plan
    prefix: Prefix
    manifest: Manifest
    specs: tuple[Spec, ...]
    solution: Solution
    supply: Supply


@asynccontextmanager
async def prepare_create(
    request: CreateRequest, layout: Layout, progress: Progress
) -> AsyncIterator[Creation]:
    """Solve the request and say what is going to be done, for :func:`carry_out_create`.

    Raises :class:`~kaa.model.errors.RequestError` for a wrong request,
    :class:`~kaa.model.errors.EnvironmentExistsError`, the classes of
    :class:`~kaa.model.errors.SolveError` and those of the sources.
    """
    prefix = Prefix(resolve_prefix(layout, request.name, request.prefix))
    check_path(prefix.path)
    check_absent(prefix)
    sources = _sources(request.sources)
    specs = tuple(parse_spec(text) for text in request.specs)
    if not specs:
        raise RequestError(
            "nothing was asked for", hint="name at least one package, such as `python=3.12`"
        )
    with writing(layout.root):
        layout.root.mkdir(parents=True, exist_ok=True)
    check_writable(prefix.generations)
    # In threads, because both may have to wait, and Ctrl-C must not have to.
    await asyncio.to_thread(clear_leftovers, layout, prefix)
    pythons = await asyncio.to_thread(find_host_pythons, layout)
    async with _open_supply(layout) as supply:
        solution = await _solve(specs, pythons, layout, supply, progress)
        manifest = Manifest(prefix.name, request.specs, sources, request.command, _now())
        plan = _plan(prefix, solution, specs, layout)
        yield Creation(plan, prefix, manifest, specs, solution, supply)


async def carry_out_create(
    creation: Creation, layout: Layout, progress: Progress
) -> EnvironmentInfo:
    """Do what the plan says, as a whole or not at all, and return the new environment.

    Raises the errors of the network, the store and the disk; then nothing is left behind but
    what the package cache has gained.
    """
    await _build(creation, layout, progress)
    try:
        if creation.plan.overlay is not None:
            await _lend_kernel(creation, layout, progress)
    finally:  # even when interrupted: the environment is there
        _announce(creation.prefix, layout)
    return read_info(creation.prefix)


def _sources(asked: tuple[str, ...]) -> tuple[str, ...]:
    for source in asked:
        if source != PYPI:
            raise UnsupportedError(
                f"the source {redact(source)!r} cannot be used",
                cause="conda channels are not part of this version of kaa",
                hint=f"use `-c {PYPI}`: the indexes of pip's and uv's settings",
            )
    return tuple(dict.fromkeys(asked)) or DEFAULT_SOURCES


@asynccontextmanager
async def _open_supply(layout: Layout) -> AsyncIterator[Supply]:
    with at_work(layout):
        async with Client(load_settings(os.environ)) as client:
            metadata = MetadataReader(client, layout.metadata, layout.metadata / "wheels")
            yield Supply(client, metadata)


async def _solve(
    specs: Sequence[Spec],
    pythons: Sequence[HostPython],
    layout: Layout,
    supply: Supply,
    progress: Progress,
) -> Solution:
    index = ProjectIndex(supply.client, supply.client.settings, layout.metadata, progress)
    try:
        return await solve(specs, pythons, index, supply.metadata)
    finally:
        progress.finish(Phase.METADATA)


def _plan(prefix: Prefix, solution: Solution, specs: Sequence[Spec], layout: Layout) -> Plan:
    asked = {spec.name for spec in specs}
    additions = []
    for record in solution.records:
        name = record.name.normalized
        file = solution.files.get(record.url)
        package = Package(
            name=name,
            version=str(record.version),
            build=str(record.build),
            source=source_of_channel(record.channel),
            url=record.url,
            sha256=promised_sha256(file) if file else None,
            size=record.size,
            requested=name in asked,
        )
        local = file is None or is_cached(layout, record)
        additions.append(Addition(package, 0 if local else record.size or 0))
    minor = solution.python.minor
    names = {addition.package.name for addition in additions}
    overlay = None if "ipykernel" in names or overlay_ready(layout, minor) else minor
    return Plan(prefix.name, prefix.path, tuple(additions), overlay)


async def _build(creation: Creation, layout: Layout, progress: Progress) -> None:
    """Fetch, stage and commit: what every environment of kaa is made by."""
    solution = creation.solution
    provide_host_python(layout, solution.python)
    wheels = [
        (record, solution.files[record.url])
        for record in solution.records
        if record.url in solution.files
    ]
    supply = creation.supply
    await fetch_wheels(wheels, layout, supply.client, supply.metadata, progress)
    await _link(creation, layout, progress)


async def _link(creation: Creation, layout: Layout, progress: Progress) -> None:
    solution, prefix = creation.solution, creation.prefix
    requested = [spec.match_spec() for spec in creation.specs]
    with staging_directory(prefix, layout) as staging:
        await link_packages(solution.records, requested, staging, prefix, layout, progress)
        with locked(layout, "environments"):
            commit_first_generation(prefix, staging, creation.manifest)


async def _lend_kernel(creation: Creation, layout: Layout, progress: Progress) -> None:
    """Build the overlay that lends ipykernel to environments with this Python."""
    python = creation.solution.python
    progress.expect(Phase.KERNEL, 1)
    with tolerated(
        f"{creation.plan.name} is complete, but its kernel cannot start: there is no ipykernel "
        f"for Python {python.minor} (it is tried again with the next environment that is created; "
        "or create this one with ipykernel among its packages)",
        layout.overlays,
    ):
        await build_overlay(python, layout, creation.supply, progress)
    progress.advance(Phase.KERNEL, 1)
    progress.finish(Phase.KERNEL)


async def build_overlay(
    python: HostPython, layout: Layout, supply: Supply, progress: Progress
) -> None:
    """Create the environment whose site-packages lend ipykernel to others with this Python.

    Raises what creating an environment raises; that another process was faster is no error.
    """
    prefix = Prefix(overlay_prefix(layout, python.minor))
    specs = (parse_spec(f"python={python.minor}"), parse_spec("ipykernel"))
    solution = await _solve(specs, [python], layout, supply, progress)
    texts = tuple(spec.text for spec in specs)
    manifest = Manifest(prefix.name, texts, DEFAULT_SOURCES, "kernel overlay", _now())
    plan = _plan(prefix, solution, specs, layout)
    creation = Creation(plan, prefix, manifest, specs, solution, supply)
    try:
        await _build(creation, layout, progress)
    except KaaError:
        if not overlay_ready(layout, python.minor):
            raise


def _announce(prefix: Prefix, layout: Layout) -> None:
    """Let Jupyter, conda and editors know of the environment."""
    with (
        tolerated(f"{prefix.name} is not known to Jupyter and conda", layout.locks),
        locked(layout, "environments"),
    ):
        if not prefix.path.is_symlink():
            return  # another process has removed it already
        with tolerated(f"{prefix.name} is not on conda's list", conda_environments_file()):
            register(layout, prefix.path)
        with tolerated(f"{prefix.name} is not a Jupyter kernel", kernelspec_directory()):
            write_kernelspec(prefix.name, prefix.path, prefix.current, layout)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
