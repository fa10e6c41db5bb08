"""An environment becomes a Jupyter kernel: its kernelspec, and the overlay that it may need."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kaa.environments.facts import interpreter
from kaa.environments.packages import read_packages
from kaa.environments.prefix import Prefix, read_manifest
from kaa.environments.writer import sole_writer_meanwhile
from kaa.kernels.overlay import overlay_prefix, overlay_ready
from kaa.model.environment import Manifest, now
from kaa.model.errors import SolveError, SourceError, UnsupportedError
from kaa.model.options import SolveOptions
from kaa.model.package import HOST, PYPI
from kaa.model.progress import Phase
from kaa.model.source import Kind, Source
from kaa.solver.request import SolveRequest
from kaa.solver.specs import parse_spec
from kaa.sources.host import OLDEST, ask_host_python
from kaa.sources.target import host_subdir
from kaa.sources.virtual_packages import virtual_packages
from kaa.transaction.commit import commit_next_generation
from kaa.workflows.bring import bring
from kaa.workflows.generation import (
    link_first_generation,
    link_generation,
    requested_specs,
)
from kaa.workflows.supply import open_supply, solve_for
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kaa.model.errors import KaaError
    from kaa.model.progress import Progress
    from kaa.solver.request import Solution
    from kaa.solver.specs import Spec
    from kaa.store.host_python import HostPython
    from kaa.store.layout import Layout
    from kaa.workflows.supply import Supply

_SOURCES = (Source(HOST, Kind.HOST), Source(PYPI, Kind.PYPI))


async def lend_kernel(
    name: str,
    minor: str,
    sources: tuple[Source, ...],
    layout: Layout,
    supply: Supply,
    progress: Progress,
) -> None:
    """Build the overlay that lends ipykernel to environments with this Python, such as ``name``.

    That it cannot be built is a warning: the environment is complete without it.
    """
    progress.expect(Phase.KERNEL, 1)
    with tolerated(
        f"{name} is complete, but its kernel cannot start: there is no ipykernel "
        f"for Python {minor} (it is tried again with the next environment that is created; "
        "or create this one with ipykernel among its packages)",
        layout.overlays,
    ):
        await build_overlay(minor, sources, layout, supply, progress)
    progress.advance(Phase.KERNEL, 1)
    progress.finish(Phase.KERNEL)


async def build_overlay(
    minor: str,
    sources: tuple[Source, ...],
    layout: Layout,
    supply: Supply,
    progress: Progress,
    *,
    update: bool = False,
) -> None:
    """Create the environment whose site-packages lend ipykernel to others with this Python.

    Its interpreter is never run, so any of that minor version will do: this machine's, or else
    that of ``sources``. Where there is an overlay already, nothing happens, or it gets a next
    generation with the newest ipykernel (``update``): kernels that run keep the old one.

    Raises what creating an environment raises; that another process was faster is no error.
    """
    prefix = Prefix(overlay_prefix(layout, minor))
    async with sole_writer_meanwhile(prefix, f"prepare kernels for Python {minor}"):
        if not overlay_ready(layout, minor):
            if prefix.path.is_symlink():  # to a generation that somebody has deleted by hand
                prefix.path.unlink()
        elif not update:
            return  # another process was faster
        await _build(prefix, minor, sources, layout, supply, progress)


async def _build(
    prefix: Prefix,
    minor: str,
    sources: tuple[Source, ...],
    layout: Layout,
    supply: Supply,
    progress: Progress,
) -> None:
    ways = [sources]
    if any(python.minor == minor for python in await supply.catalog.pythons()):
        ways = [_SOURCES, *ways]
    specs = (parse_spec(f"python={minor}"), parse_spec("ipykernel"))
    solution, sources = await _first_answer(ways, specs, supply, progress)
    if _is_made_of(prefix, solution):
        return
    names = tuple(source.name for source in sources)
    texts = tuple(spec.text for spec in specs)
    manifest = Manifest(prefix.name, texts, names, "kernel overlay", now())
    await bring(solution, layout, supply, progress, sources)
    number = prefix.current_number
    if number is None:
        await link_first_generation(solution, specs, prefix, manifest, layout, progress)
        return
    await link_generation(
        solution,
        requested_specs(solution, specs),
        prefix,
        layout,
        progress,
        old=None,
        commit=lambda staging: commit_next_generation(prefix, staging, manifest, number),
    )


def _is_made_of(prefix: Prefix, solution: Solution) -> bool:
    there = {(package.name, package.version) for package in read_packages(prefix.current)}
    wanted = {(record.name.normalized, str(record.version)) for record in solution.records}
    return there == wanted


async def _first_answer(
    ways: list[tuple[Source, ...]], specs: tuple[Spec, ...], supply: Supply, progress: Progress
) -> tuple[Solution, tuple[Source, ...]]:
    """Return the answer of the first sources that have one; the reason of the first, if none."""
    platform = host_subdir()
    first: KaaError | None = None
    for sources in ways:
        request = SolveRequest(specs, sources, platform, virtual_packages(platform))
        try:
            return await solve_for(request, supply, progress), sources
        except (SourceError, SolveError) as error:
            first = first or error
    assert first is not None
    raise first


async def prepare_overlay(
    minor: str,
    layout: Layout,
    progress: Progress,
    *,
    prefix: Path | None = None,
    offline: bool = False,
    update: bool = False,
) -> None:
    """Build the overlay for a Python, such as that of the environment at ``prefix``.

    The environment's own interpreter stands in for one of this machine: whatever Python it has,
    packages are found for it. Raises :class:`~kaa.model.errors.UnsupportedError` for a Python that
    no overlay can be made for, and what :func:`build_overlay` does.
    """
    check_overlay(minor)
    if overlay_ready(layout, minor) and not update:
        return
    options = SolveOptions(offline=offline)
    sources: tuple[str, ...] = ()
    own: HostPython | None = None
    if prefix is not None:
        manifest = read_manifest(Prefix(prefix).current)
        sources = tuple(name for name in manifest.sources if name != HOST) if manifest else ()
        own = await asyncio.to_thread(ask_host_python, Path(interpreter(str(prefix))))
    async with open_supply(layout, options, progress, sources=sources, prefix=prefix) as supply:
        if own is not None and own.minor == minor:
            supply = replace(supply, catalog=replace(supply.catalog, pythons=_only(own)))
        await build_overlay(minor, supply.chosen, layout, supply, progress, update=update)


def check_overlay(minor: str) -> None:
    """Raise :class:`~kaa.model.errors.UnsupportedError` if there is no overlay for a Python.

    ``minor`` is a version (``3.12``), with a ``t`` at its end for a free-threaded build, or what
    the launcher calls another implementation.
    """
    hint = "install ipykernel into the environment"
    if not re.fullmatch(r"3\.\d+", minor):
        what = f"the free-threaded Python {minor}" if re.fullmatch(r"3\.\d+t", minor) else minor
        raise UnsupportedError(f"there is no shared kernel for {what}", hint=hint)
    if tuple(map(int, minor.split("."))) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UnsupportedError(
            f"there is no shared kernel for Python {minor}, only from {oldest} on", hint=hint
        )


def _only(python: HostPython) -> Callable[[], Awaitable[tuple[HostPython, ...]]]:
    async def pythons() -> tuple[HostPython, ...]:
        return (python,)

    return pythons
