"""Remove packages from an environment: they go, and what was there for their sake alone.

Nothing has to be solved: packages that go together still do when some that nobody needs are gone.
"""

from __future__ import annotations

import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.environments.graph import read_graph
from kaa.model.environment import Manifest, now
from kaa.model.errors import PackageNotInstalledError, RequestError
from kaa.model.graph import Presence, Vertex
from kaa.model.plan import Plan
from kaa.solver.specs import parse_spec
from kaa.workflows.change import complete_change, sole_current
from kaa.workflows.difference import difference, to_download, to_fetch_again
from kaa.workflows.goal import install_goal
from kaa.workflows.graph import find_package
from kaa.workflows.installed import solution_of
from kaa.workflows.left_behind import left_behind
from kaa.workflows.reasons import Intent
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from rattler import RepoDataRecord

    from kaa.model.graph import DependencyGraph
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, Current, EnvironmentChange


@dataclass(frozen=True, slots=True)
class _Leaving:
    """The packages that go: ``named``, those that need them, and those that nobody needs then.

    ``dependent`` says of each which of the packages that go it needs itself.
    """

    named: frozenset[str]
    dependent: dict[str, str]
    orphaned: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        return self.named | self.dependent.keys() | self.orphaned


@asynccontextmanager
async def prepare_remove(
    request: ChangeRequest, layout: Layout, progress: Progress
) -> AsyncIterator[EnvironmentChange]:
    """Say what goes with the packages that ``request`` names, for ``carry_out_change``.

    Those that need them go as well, unless ``request.force`` says that only the named ones are
    meant; so does what nobody needs any more, unless it was asked for. Raises
    :class:`~kaa.model.errors.PackageNotInstalledError`, :class:`RequestError`, and what reading the
    environment raises.
    """
    if not request.specs:
        raise RequestError("nothing was named", hint="name the packages that are to go")
    async with sole_current(request, layout) as current:
        graph = read_graph(current.generation, foreign=True)
        named = {_find(graph, text, current) for text in request.specs}
        leaving = _leaving(graph, named, _names(current.records), force=request.force)
        async with _prepared(current, graph, leaving, request, layout, progress) as change:
            yield change


@asynccontextmanager
async def _prepared(
    current: Current,
    graph: DependencyGraph,
    leaving: _Leaving,
    request: ChangeRequest,
    layout: Layout,
    progress: Progress,
) -> AsyncIterator[EnvironmentChange]:
    stay = tuple(r for r in current.records if r.name.normalized not in leaving.names)
    goal = install_goal(_still_asked(current, graph, leaving), stay, ())
    options = replace(request.options, sources=current.sources)
    async with open_supply(layout, options, progress, prefix=current.generation) as supply:
        called = {text: node.name for node in graph.nodes.values() for text in node.asked}
        solution = await solution_of(stay, supply, called)
        manifest = Manifest(
            current.prefix.name,
            tuple(spec.text for spec in goal.specs),
            current.sources,
            request.command,
            now(),
        )
        plan = _plan(current, leaving, solution.records, layout)
        notes = (
            *_left_without(graph, leaving),
            *left_behind(current.generation, current.records, solution, layout),
        )
        forgotten = tuple(text for text in current.specs if text not in manifest.specs)
        yield await complete_change(
            replace(plan, notes=notes, forgotten=forgotten),
            current,
            manifest,
            goal.specs,
            supply.sources(()),
            solution,
            supply,
            layout,
            allowed=options.link_scripts,
        )


def _find(graph: DependencyGraph, text: str, current: Current) -> str:
    """Return the name of the package that ``text`` names. Raises :class:`RequestError`."""
    spec = parse_spec(text)
    if spec.version != "*" or spec.build or spec.extras or spec.source:
        raise RequestError(
            f"{text!r} says more than a name",
            cause="of each package there is one in the environment",
            hint=f"name it alone: `{spec.name}`",
        )
    node = find_package(graph, spec.name)
    if node.presence is not Presence.INSTALLED:
        raise PackageNotInstalledError(
            f"{node.name} is {node.presence.value}, and cannot be removed",
            hint="`kaa list` shows the packages that there are",
        )
    if node.name not in _names(current.records):
        path = shlex.quote(str(current.prefix.path))
        raise PackageNotInstalledError(
            f"{node.name} was installed by another program (pip?), which keeps account of it",
            hint=f"`kaa run -p {path} python -m pip uninstall {node.name}`",
        )
    return node.name


def _leaving(
    graph: DependencyGraph, named: Iterable[str], owned: frozenset[str], *, force: bool
) -> _Leaving:
    """Say what goes of the ``owned`` packages; what others have installed stays."""
    names = frozenset(named)
    if force:
        return _Leaving(names, {}, frozenset())
    dependent: dict[str, str] = {}
    waiting = sorted(names)
    while waiting:
        needed = waiting.pop()
        for link in graph.needed_by(Vertex(needed)):
            other = link.dependent.name
            if other in owned and other not in names and other not in dependent:
                dependent[other] = needed
                waiting.append(other)
    going = names | dependent.keys()
    wanted = [
        node
        for node in graph.nodes.values()
        if node.presence is Presence.INSTALLED and (node.asked or node.name not in owned)
    ]
    before = graph.reached(wanted)
    after = graph.reached(node for node in wanted if node.name not in going)
    # What nothing led to before was put there by hand, and stays.
    orphaned = (before - after) & graph.reached(graph.nodes[name] for name in going)
    return _Leaving(names, dependent, (owned & orphaned) - going)


def _left_without(graph: DependencyGraph, leaving: _Leaving) -> Iterator[str]:
    """Say which packages that stay lose what they need."""
    for name in sorted(leaving.names):
        users = {link.dependent.name for link in graph.needed_by(Vertex(name))} - leaving.names
        if users:
            yield f"{', '.join(sorted(users))} will be broken without {name}"


def _names(records: Iterable[RepoDataRecord]) -> frozenset[str]:
    return frozenset(record.name.normalized for record in records)


def _still_asked(current: Current, graph: DependencyGraph, leaving: _Leaving) -> tuple[str, ...]:
    gone = {text for name in leaving.names for text in graph.nodes[name].asked}
    return tuple(text for text in current.specs if text not in gone)


def _plan(
    current: Current, leaving: _Leaving, after: Sequence[RepoDataRecord], layout: Layout
) -> Plan:
    parts = difference(
        current.records, after, Intent({}), lambda record: to_download(record, layout)
    )
    removals = tuple(replace(each, why=_why(each.package.name, leaving)) for each in parts.removals)
    return Plan(
        current.prefix.name,
        current.prefix.path,
        parts.additions,
        removals=removals,
        changes=parts.changes,
        unchanged=parts.unchanged,
        again=to_fetch_again(current.records, after, layout),
        generation=current.number,
    )


def _why(name: str, leaving: _Leaving) -> str:
    if name in leaving.named:
        return "you asked for it to go"
    if name in leaving.dependent:
        return f"it needs {leaving.dependent[name]}"
    return "nothing needs it any more"
