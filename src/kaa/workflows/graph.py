"""Who needs a package of an environment, and what a package needs.

Only ``conda-meta`` is read, whoever wrote it: the answer must be there at once, and be true of what
is installed, whatever the channels have by now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kaa.environments.graph import read_graph
from kaa.model.errors import PackageNotInstalledError
from kaa.model.graph import (
    Chain,
    DependencyGraph,
    Link,
    Node,
    Presence,
    Vertex,
)
from kaa.model.package import project_name
from kaa.workflows.inspect import find_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kaa.store.layout import Layout

_NAME = re.compile(r"(?P<name>[\w.*?-]+)(?P<rest>.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Why:
    """Why a package is in an environment.

    ``chains`` are shortest ways down to it from what was asked for (from packages that nothing
    needs, where ``recorded`` is false: then nobody knows what was asked for), of which there are
    ``total``; ``needed_by`` are all who need it directly; ``constraints`` the run constraints that
    others put on it.
    """

    package: Node
    chains: tuple[Chain, ...]
    total: int
    recorded: bool
    needed_by: tuple[Link, ...]
    constraints: tuple[Link, ...]
    graph: DependencyGraph

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "package": self.package.as_dict(),
            "asked": list(self.package.asked),
            "recorded": self.recorded,
            "chains": [[link_as_dict(link) for link in chain] for chain in self.chains],
            "total": self.total,
            "needed_by": [link_as_dict(link) for link in self.needed_by],
            "constraints": [link_as_dict(link) for link in self.constraints],
        }


@dataclass(frozen=True, slots=True)
class Branch:
    """A package in a tree, with what it needs (with who needs it, where the tree is inverted).

    ``link`` is the edge from or to the package above; ``repeated`` says that the branches are
    shown elsewhere in the tree.
    """

    node: Node
    extras: tuple[str, ...] = ()
    link: Link | None = None
    repeated: bool = False
    branches: tuple[Branch, ...] = ()

    @property
    def label(self) -> str:
        """The package's name, with the extras that count here."""
        return f"{self.node.name}[{','.join(self.extras)}]" if self.extras else self.node.name


@dataclass(frozen=True, slots=True)
class Tree:
    """Trees from the packages that were chosen, and from ``orphans``: what nobody asked for."""

    roots: tuple[Branch, ...]
    orphans: tuple[Branch, ...]
    graph: DependencyGraph

    def as_dict(self) -> dict[str, Any]:
        """Return the nodes and edges that ``--json`` prints, each once."""
        names = {name for branch in (*self.roots, *self.orphans) for name in _names(branch)}
        return {
            "roots": [branch.node.name for branch in self.roots],
            "orphans": [branch.node.name for branch in self.orphans],
            "nodes": [self.graph.nodes[name].as_dict() for name in sorted(names)],
            "edges": [link_as_dict(link) for link in self.graph.edges(names)],
        }


def link_as_dict(link: Link) -> dict[str, Any]:
    """Return the fields of an edge that ``--json`` prints."""
    fields = link.dependency.as_dict()
    return {"from": link.dependent.name, "to": fields.pop("name"), **fields}


def why(layout: Layout, name: str | None, prefix: Path | None, package: str, limit: int) -> Why:
    """Say why ``package`` is in an environment, with at most ``limit`` chains.

    The package may be named as on PyPI. Raises
    :class:`~kaa.model.errors.EnvironmentNotFoundError` and
    :class:`~kaa.model.errors.PackageNotInstalledError`.
    """
    graph = read_graph(find_environment(layout, name, prefix).current, foreign=True)
    node = find_package(graph, package)
    requested = graph.requested()
    chains, total = graph.chains(node.name, requested or graph.tops(), limit)
    constraints = [
        Link(Vertex(other.name), line)
        for other in graph.nodes.values()
        for line in other.constrains
        if line.name == node.name
    ]
    return Why(
        node,
        tuple(chains),
        total,
        bool(requested),
        tuple(graph.needed_by(Vertex(node.name))),
        tuple(constraints),
        graph,
    )


def tree(
    layout: Layout,
    name: str | None,
    prefix: Path | None,
    packages: Sequence[str] = (),
    *,
    inverted: bool = False,
    depth: int | None = None,
) -> Tree:
    """Return the tree of an environment's packages, from what was asked for or from ``packages``.

    ``inverted`` goes from a package to those that need it. ``depth`` is how many levels are below
    a root. Raises what :func:`why` does.
    """
    graph = read_graph(find_environment(layout, name, prefix).current, foreign=True)
    orphans: list[Node] = []
    if packages:
        found = [find_package(graph, package) for package in packages]
        roots = list({node.name: node for node in found}.values())
    elif inverted:
        roots = graph.bottoms()
    else:
        roots = graph.requested() or graph.tops()
        reached = graph.reached(roots)
        orphans = [node for node in graph.tops() if node.name not in reached]
    branches = grow(graph, [*roots, *orphans], inverted=inverted, depth=depth)
    return Tree(tuple(branches[: len(roots)]), tuple(branches[len(roots) :]), graph)


def installed(layout: Layout, name: str | None, prefix: Path | None, text: str) -> list[Node]:
    """Return the installed packages that a spec matches, whose name may be a pattern.

    Raises what :func:`why` does, and :class:`~kaa.model.errors.InvalidSpecError`.
    """
    graph = read_graph(find_environment(layout, name, prefix).current, foreign=True)
    match = _NAME.match(text.strip())
    pattern, rest = (match["name"].lower(), match["rest"]) if match else (text, "")
    if "*" in pattern or "?" in pattern:
        nodes = [node for node in graph.nodes.values() if fnmatchcase(node.name, pattern)]
    else:
        nodes = [find_package(graph, pattern)]
    nodes = [node for node in nodes if node.presence is Presence.INSTALLED]
    if rest.strip():
        nodes = [node for node in nodes if _has_version(node, rest)]
    if not nodes:
        raise PackageNotInstalledError(
            f"no package in this environment matches {text!r}",
            hint="`kaa list` shows the packages that it has",
        )
    return nodes


def _has_version(node: Node, rest: str) -> bool:
    from rattler import Version, VersionSpec

    from kaa.solver.specs import parse_spec

    spec = parse_spec(node.name + rest)
    return bool(VersionSpec(spec.conda_version).matches(Version(node.version)))


def grow(
    graph: DependencyGraph,
    roots: Iterable[Node],
    *,
    inverted: bool = False,
    depth: int | None = None,
) -> list[Branch]:
    """Return the trees of ``roots``, in which each package has its branches once.

    That keeps trees finite where packages need each other in a circle, and readable.
    """
    above = _users if inverted else _needs
    shown: dict[tuple[str, ...], float] = {}

    def branch(name: str, extras: tuple[str, ...], link: Link | None, left: float) -> Branch:
        node = graph.nodes[name]
        below = above(graph, name, extras)
        key = (name, *extras)
        # Where a depth was asked for, what was cut off there is not shown yet.
        repeated = bool(below) and left > 0 and shown.get(key, 0) >= left
        if repeated or left <= 0:
            return Branch(node, extras, link, repeated)
        shown[key] = left
        branches = [branch(other, wanted, edge, left - 1) for other, wanted, edge in below]
        return Branch(node, extras, link, branches=tuple(branches))

    levels = float("inf") if depth is None else depth
    return [
        branch(root.name, () if inverted else root.asked_extras, None, levels) for root in roots
    ]


def _needs(
    graph: DependencyGraph, name: str, extras: tuple[str, ...]
) -> list[tuple[str, tuple[str, ...], Link]]:
    return [
        (need.name, need.extras, Link(Vertex(name, need.extra), need))
        for need in graph.needs(name, extras)
    ]


def _users(
    graph: DependencyGraph, name: str, extras: tuple[str, ...]
) -> list[tuple[str, tuple[str, ...], Link]]:
    extra = extras[0] if extras else ""
    return [
        (user.name, (user.extra,) if user.extra else (), Link(user, dependency))
        for user, dependency in graph.needed_by(Vertex(name, extra))
    ]


def _names(branch: Branch) -> Iterator[str]:
    yield branch.node.name
    for other in branch.branches:
        yield from _names(other)


def find_package(graph: DependencyGraph, text: str) -> Node:
    """Return the package of this name, conda's or PyPI's.

    Raises :class:`~kaa.model.errors.PackageNotInstalledError`, with names that look alike.
    """
    name = text.strip().lower()
    if name in graph.nodes:
        return graph.nodes[name]
    normal = project_name(name)
    for node in graph.nodes.values():
        if normal in node.projects or project_name(node.name) == normal:
            return node
    # What conda calls something else altogether, where the record does not say so.
    from kaa.sources.project_names import ProjectNames

    other_name = ProjectNames(frozenset(graph.nodes)).asked(name)
    if other_name in graph.nodes:
        return graph.nodes[other_name]
    import difflib

    known = {other: node.name for node in graph.nodes.values() for other in node.projects}
    known.update({other: other for other in graph.nodes})
    near = dict.fromkeys(known[other] for other in difflib.get_close_matches(name, known, n=3))
    raise PackageNotInstalledError(
        f"there is no package {text!r} in this environment",
        hint=(
            f"did you mean {' or '.join(f'`{other}`' for other in near)}?"
            if near
            else "`kaa list` shows the packages that it has"
        ),
    )
