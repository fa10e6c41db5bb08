"""Take over an environment that conda, mamba or pixi made: it becomes its own first generation."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaa.environments.conda_history import asked_in_history
from kaa.environments.graph import read_graph
from kaa.environments.heads import read_heads
from kaa.environments.names import check_path, resolve_prefix
from kaa.environments.prefix import Prefix, read_info, read_manifest
from kaa.environments.processes import users_of
from kaa.environments.writer import sole_writer, sole_writer_meanwhile
from kaa.model.adoption import Adoption
from kaa.model.environment import EnvironmentInfo, Manifest, now
from kaa.model.errors import EnvironmentStateError, InvalidSpecError, RequestError
from kaa.model.package import is_subdir, project_name, source_of_channel
from kaa.settings.configuration import load_configuration
from kaa.solver.specs import parse_spec
from kaa.sources.channels import resolve_sources
from kaa.store.locks import at_work
from kaa.transaction.adoption import (
    adopt_directory,
    check_adoptable,
    settle_adoption,
    was_interrupted,
)
from kaa.workflows.announce import announce
from kaa.workflows.inspect import find_environment, foreign_packages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from kaa.model.graph import DependencyGraph
    from kaa.settings.configuration import Configuration
    from kaa.store.layout import Layout


@dataclass(frozen=True, slots=True)
class DirectoryAdoption:
    """An adoption that is planned, and has changed nothing yet."""

    plan: Adoption
    manifest: Manifest


def is_adopted(layout: Layout, name: str | None, prefix: Path | None, command: str) -> bool:
    """Say whether an environment is kaa's already, generations and all.

    An adoption of it that was interrupted is finished, or taken back, before that. Raises
    :class:`~kaa.model.errors.EnvironmentNotFoundError`, and
    :class:`~kaa.model.errors.UnsupportedError` for a virtual environment.
    """
    path = Prefix(resolve_prefix(layout, name, prefix))
    if was_interrupted(path):
        with sole_writer(path, command), at_work(layout):
            settle_adoption(path)
            announce(path, layout)
    if (path.path / "pyvenv.cfg").is_file() and path.current_number is None:
        check_adoptable(path)
    return find_environment(layout, name, prefix).current_number is not None


@asynccontextmanager
async def prepare_adoption(
    layout: Layout, name: str | None, prefix: Path | None, command: str, *, dry_run: bool = False
) -> AsyncIterator[DirectoryAdoption]:
    """Say what adopting an environment is going to mean, for :func:`carry_out_adoption`.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`,
    :class:`~kaa.model.errors.UnsupportedError` for one that cannot be adopted, and the errors of
    the disk.
    """
    found = find_environment(layout, name, prefix)
    check_path(found.path)
    check_adoptable(found)
    async with AsyncExitStack() as stack:
        if not dry_run:
            await stack.enter_async_context(sole_writer_meanwhile(found, command))
            stack.enter_context(at_work(layout))
            check_adoptable(found)
        yield await asyncio.to_thread(_planned, found, command)


async def carry_out_adoption(adoption: DirectoryAdoption, layout: Layout) -> EnvironmentInfo:
    """Do it, as a whole or not at all, and return what the environment is then.

    Raises what :func:`~kaa.transaction.adoption.adopt_directory` does.
    """
    prefix = Prefix(adoption.plan.prefix)
    try:
        await asyncio.to_thread(adopt_directory, prefix, adoption.manifest)
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
    specs = _specs(prefix.path, graph)
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
        tuple(_notes(prefix.path)),
    )
    return DirectoryAdoption(plan, manifest)


def _specs(path: Path, graph: DependencyGraph) -> tuple[str, ...]:
    """Return what was asked for: as records or conda's history have it, and what nothing needs.

    The next change removes what nobody asked for and nothing needs; whoever made the environment
    has not, and may have had reasons that nobody wrote down.
    """
    manifest = read_manifest(path)
    recorded = [spec for node in graph.requested() for spec in node.asked]
    texts = manifest.specs if manifest else tuple(recorded) or asked_in_history(path)
    names = {project_name(node.name): node.name for node in graph.nodes.values()}
    specs: dict[str, str] = {}
    for text in texts:
        spec = _usable(text)
        if spec is not None and spec[0] in names:
            specs[names[spec[0]]] = spec[1]
    wanted = [graph.nodes[name] for name in specs]
    for node in (*graph.tops(), *graph.nodes.values()):
        if node.name not in graph.reached(wanted) and node.version:
            wanted.append(node)
            specs[node.name] = node.name
    return tuple(specs.values())


def _usable(text: str) -> tuple[str, str] | None:
    """Return the project and the text of a spec; only its name where the rest makes no sense."""
    try:
        spec = parse_spec(text)
    except (InvalidSpecError, RequestError):
        return None
    # An archive that was named by its URL was a choice of that moment.
    return project_name(spec.name), spec.name if spec.direct else text


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


def _notes(path: Path) -> Iterable[str]:
    if _program(path) == "pixi":
        yield "pixi goes on to change it in place whenever it is used for the project"
