"""Take over an environment that another program made: it becomes its own first generation.

What is in one of conda's, mamba's or pixi's its records say; virtual environments have none
(:mod:`kaa.workflows.adopt_virtual`).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from kaa.environments.conda_history import asked_in_history
from kaa.environments.elsewhere import note_directory
from kaa.environments.graph import read_graph
from kaa.environments.heads import read_heads
from kaa.environments.names import check_path, resolve_prefix
from kaa.environments.prefix import Prefix, read_info, read_manifest
from kaa.environments.processes import users_of
from kaa.environments.records import known_files
from kaa.environments.virtual import is_virtual
from kaa.environments.writer import sole_writer, sole_writer_meanwhile
from kaa.model.adoption import Adoption
from kaa.model.environment import Manifest, now
from kaa.model.errors import EnvironmentStateError, RequestError
from kaa.model.options import SolveOptions
from kaa.model.package import is_subdir, project_name, source_of_channel
from kaa.settings.configuration import load_configuration
from kaa.sources.channels import resolve_sources
from kaa.store.locks import at_work
from kaa.transaction.adoption import (
    adopt_directory,
    check_adoptable,
    settle_adoption,
    was_interrupted,
)
from kaa.transaction.stage import to_its_end
from kaa.workflows.adopt_virtual import SOURCES, plan_virtual
from kaa.workflows.adoption_plan import DirectoryAdoption, asked_for
from kaa.workflows.announce import announce
from kaa.workflows.anybodys import find_anybodys
from kaa.workflows.inspect import foreign_packages
from kaa.workflows.kernel import lend_kernel
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from kaa.model.environment import EnvironmentInfo
    from kaa.model.graph import DependencyGraph
    from kaa.model.package import Package
    from kaa.model.progress import Progress
    from kaa.settings.configuration import Configuration
    from kaa.store.layout import Layout


def find_adoptable(layout: Layout, name: str | None, prefix: Path | None, command: str) -> Prefix:
    """Return the environment of this name or at this path, whoever has made it.

    A name that kaa has no environment of is looked for among those of other programs. An adoption
    that was interrupted is finished, or taken back, before that. Raises
    :class:`~kaa.model.errors.EnvironmentNotFoundError`.
    """
    found = Prefix(resolve_prefix(layout, name, prefix))
    if was_interrupted(found):
        with sole_writer(found, command), at_work(layout):
            settle_adoption(found)
            announce(found, layout)
    return find_anybodys(layout, name, prefix)


@asynccontextmanager
async def prepare_adoption(
    found: Prefix, layout: Layout, command: str, progress: Progress, *, dry_run: bool = False
) -> AsyncIterator[DirectoryAdoption]:
    """Say what adopting an environment is going to mean, for :func:`carry_out_adoption`.

    ``found`` is of :func:`find_adoptable`. Raises
    :class:`~kaa.model.errors.UnsupportedError` for one that cannot be adopted, and the errors of
    the disk.
    """
    check_path(found.path)
    check_adoptable(found)
    async with AsyncExitStack() as stack:
        if not dry_run:
            note_directory(layout, found)
            await stack.enter_async_context(sole_writer_meanwhile(found, command))
            stack.enter_context(at_work(layout))
            check_adoptable(found)  # who was waited for may have adopted it
        if is_virtual(found.path):
            opened = open_supply(layout, SolveOptions(sources=SOURCES), progress, prefix=found.path)
            supply = await stack.enter_async_context(opened)
            yield await plan_virtual(found, command, layout, supply, progress)
        else:
            yield await asyncio.to_thread(_planned, found, command)


async def carry_out_adoption(
    adoption: DirectoryAdoption, layout: Layout, progress: Progress
) -> EnvironmentInfo:
    """Do it, as a whole or not at all, and return what the environment is then.

    Raises what :func:`~kaa.transaction.adoption.adopt_directory` does.
    """
    plan, prefix = adoption.plan, Prefix(adoption.plan.prefix)
    try:
        for each in adoption.repackings:
            await to_its_end(asyncio.to_thread(each.keep, prefix.path, layout))
        # Interrupted, it is still going to be one of kaa's: that is what is announced then.
        adopting = asyncio.to_thread(adopt_directory, prefix, adoption.manifest, adoption.records)
        await to_its_end(adopting)
        if plan.overlay is not None and adoption.supply is not None:
            sources = adoption.supply.chosen
            await lend_kernel(plan.name, plan.overlay, sources, layout, adoption.supply, progress)
    finally:
        announce(prefix, layout)
    return read_info(prefix)


def _planned(prefix: Prefix, command: str) -> DirectoryAdoption:
    graph = read_graph(prefix.path)
    if not graph.nodes:
        raise EnvironmentStateError(
            f"nobody knows what is in {prefix.path}",
            cause="no package is recorded in its conda-meta directory",
            hint="make an environment of kaa's own with the same packages: `kaa create`",
        )
    foreign = tuple(foreign_packages(prefix.path))
    told = _told(prefix.path, graph)
    specs = tuple(asked_for(graph, told).values())
    sources = _sources(prefix.path, indexed=bool(foreign))
    manifest = Manifest(prefix.name, specs, sources, command, now(), prefix=str(prefix.path))
    plan = Adoption(
        prefix.name,
        prefix.path,
        _program(prefix.path),
        sum(1 for _ in read_heads(prefix.path)),
        specs,
        sources,
        foreign,
        users_of(prefix),
        tuple(_notes(prefix.path, graph, foreign, told)),
    )
    return DirectoryAdoption(plan, manifest)


def _told(path: Path, graph: DependencyGraph) -> tuple[str, ...]:
    """Return what was asked for, as records or conda's history have it."""
    manifest = read_manifest(path)
    recorded = [spec for node in graph.requested() for spec in node.asked]
    return manifest.specs if manifest else tuple(recorded) or tuple(asked_in_history(path))


def _sources(path: Path, *, indexed: bool) -> tuple[str, ...]:
    """Return where the packages are from, the source of most of them first."""
    counts = Counter(str(head.get("channel") or "") for head in read_heads(path))
    urls = [_channel(text) for text, _ in counts.most_common() if text]
    configuration = load_configuration(os.environ, prefix=path)
    names = list(dict.fromkeys(_named(urls, configuration)))
    if indexed and "pypi" not in names:
        names.append("pypi")
    return tuple(names)


def _channel(text: str) -> str:
    """Return a record's channel without the subdir, which conda's own records name, too."""
    if text.startswith("kaa://"):
        return source_of_channel(text)
    base, _, last = text.rstrip("/").rpartition("/")
    return base if base and is_subdir(last) else text


def _named(urls: Sequence[str], configuration: Configuration) -> Iterable[str]:
    for url in urls:
        try:
            yield from (source.name for source in resolve_sources((url,), configuration))
        except RequestError:
            continue  # a directory that is not there any more, or a channel that is not allowed


def _program(path: Path) -> str:
    if (path / "conda-meta" / "pixi").exists() or (
        path / "conda-meta" / "pixi_env_prefix"
    ).exists():
        return "pixi"
    return "conda" if (path / "conda-meta" / "history").is_file() else "another program"


def _notes(
    path: Path, graph: DependencyGraph, foreign: Sequence[Package], told: Sequence[str]
) -> Iterable[str]:
    if _program(path) == "pixi":
        yield "pixi goes on to change it in place whenever it is used for the project"
    if not told:
        yield (
            "nobody wrote down what was asked for, or it cannot be read: it is taken to be what "
            "nothing else in it needs"
        )
    for name in _unreadable(path):
        yield f"the record {name} cannot be read: what it is about counts as no package"
    names = {project_name(node.name): node for node in graph.nodes.values() if node.version}
    for each in foreign:
        node = names.get(project_name(each.name))
        if node is not None:
            yield (
                f"{each.name} {each.version} (of {each.source}) was installed over {node.name} "
                f"{node.version}: adopting once more makes it the environment's own"
            )
    for name in _gone(path) - {names[n].name for n in map(_project, foreign) if n in names}:
        yield f"none of the files of {name} is there: `kaa repair` brings them back, once adopted"


def _unreadable(path: Path) -> list[str]:
    """Return the names of the records that say nothing, because they are damaged."""
    there = {file.name for file in (path / "conda-meta").glob("*.json")}
    read = {f"{h.get('name')}-{h.get('version')}-{h.get('build')}.json" for h in read_heads(path)}
    return sorted(there - read)


def _project(package: Package) -> str:
    return project_name(package.name)


def _gone(path: Path) -> set[str]:
    """Return the packages that have a record, and files in it, of which none is there."""
    packages = known_files(path, ())
    return {
        each.name
        for each in packages
        if each.files and not any(os.path.lexists(path / file) for file in each.files)
    }
