"""Remove packages from an environment: they go, and what was there for their sake alone.

Nothing has to be solved: packages that go together still do when some that nobody needs are gone.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaa.environments.graph import read_graph
from kaa.model.environment import Manifest, now
from kaa.model.errors import RequestError
from kaa.model.graph import Vertex
from kaa.model.plan import Plan
from kaa.solver.specs import parse_spec
from kaa.workflows.change import complete_change, sole_current
from kaa.workflows.difference import difference, to_download
from kaa.workflows.goal import install_goal
from kaa.workflows.graph import find_package
from kaa.workflows.installed import solution_of
from kaa.workflows.reasons import Intent
from kaa.workflows.supply import open_supply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from rattler import RepoDataRecord

    from kaa.model.graph import DependencyGraph
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, Current, EnvironmentChange


@dataclass(frozen=True, slots=True)
class _Leaving:
    """The packages that go, by why: ``named``, those that need them, those nobody needs then."""

    named: frozenset[str]
    dependent: frozenset[str]
    orphaned: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        return self.named | self.dependent | self.orphaned


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
        graph = read_graph(current.generation)
        named = {find_package(graph, parse_spec(text).name).name for text in request.specs}
        leaving = _leaving(graph, named, force=request.force)
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
        sources = supply.sources(())
        yield await complete_change(
            plan,
            current,
            manifest,
            goal.specs,
            sources,
            solution,
            supply,
            layout,
            allowed=options.link_scripts,
        )


def _leaving(graph: DependencyGraph, named: Iterable[str], *, force: bool) -> _Leaving:
    names = frozenset(named)
    if force:
        return _Leaving(names, frozenset(), frozenset())
    dependent: set[str] = set()
    waiting = list(names)
    while waiting:
        for link in graph.needed_by(Vertex(waiting.pop())):
            other = link.dependent.name
            if other not in names | dependent:
                dependent.add(other)
                waiting.append(other)
    going = names | dependent
    before = graph.reached(graph.requested())
    after = graph.reached(node for node in graph.requested() if node.name not in going)
    # What nothing led to before was put there by hand, and stays.
    orphaned = (before - after) & graph.reached(graph.nodes[name] for name in going)
    return _Leaving(names, frozenset(dependent), frozenset(orphaned - going))


def _still_asked(current: Current, graph: DependencyGraph, leaving: _Leaving) -> tuple[str, ...]:
    gone = {text for name in leaving.names for text in graph.nodes[name].asked}
    return tuple(text for text in current.specs if text not in gone)


def _plan(
    current: Current, leaving: _Leaving, after: Iterable[RepoDataRecord], layout: Layout
) -> Plan:
    parts = difference(
        current.records, tuple(after), Intent({}), lambda record: to_download(record, layout)
    )
    removals = tuple(replace(each, why=_why(each.package.name, leaving)) for each in parts.removals)
    return Plan(
        current.prefix.name,
        current.prefix.path,
        parts.additions,
        removals=removals,
        changes=parts.changes,
        unchanged=parts.unchanged,
        generation=current.number,
    )


def _why(name: str, leaving: _Leaving) -> str:
    if name in leaving.named:
        return "you asked for it to go"
    if name in leaving.dependent:
        return f"it needs {', '.join(sorted(leaving.named))}"
    return "nothing needs it any more"
