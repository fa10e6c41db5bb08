"""An environment becomes a Jupyter kernel: its kernelspec, and the overlay that it may need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.environments.prefix import Prefix
from kaa.environments.writer import sole_writer_meanwhile
from kaa.kernels.overlay import overlay_prefix, overlay_ready
from kaa.model.environment import Manifest, now
from kaa.model.package import HOST, PYPI
from kaa.model.progress import Phase
from kaa.model.source import Kind, Source
from kaa.solver.request import SolveRequest
from kaa.solver.specs import parse_spec
from kaa.sources.target import host_subdir
from kaa.sources.virtual_packages import virtual_packages
from kaa.workflows.bring import bring
from kaa.workflows.generation import link_first_generation
from kaa.workflows.supply import solve_for
from kaa.workflows.tolerance import tolerated

if TYPE_CHECKING:
    from kaa.model.progress import Progress
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
) -> None:
    """Create the environment whose site-packages lend ipykernel to others with this Python.

    Its interpreter is never run, so any of that minor version will do: this machine's, or else
    that of ``sources``. Raises what creating an environment raises; that another process was
    faster is no error.
    """
    prefix = Prefix(overlay_prefix(layout, minor))
    async with sole_writer_meanwhile(prefix, f"prepare kernels for Python {minor}"):
        if not overlay_ready(layout, minor):  # else another process was faster
            await _build(prefix, minor, sources, layout, supply, progress)


async def _build(
    prefix: Prefix,
    minor: str,
    sources: tuple[Source, ...],
    layout: Layout,
    supply: Supply,
    progress: Progress,
) -> None:
    if any(python.minor == minor for python in await supply.catalog.pythons()):
        sources = _SOURCES
    specs = (parse_spec(f"python={minor}"), parse_spec("ipykernel"))
    platform = host_subdir()
    request = SolveRequest(specs, sources, platform, virtual_packages(platform))
    solution = await solve_for(request, supply, progress)
    names = tuple(source.name for source in sources)
    texts = tuple(spec.text for spec in specs)
    manifest = Manifest(prefix.name, texts, names, "kernel overlay", now())
    await bring(solution, layout, supply, progress)
    await link_first_generation(solution, specs, prefix, manifest, layout, progress)
