"""Who needs whom among the packages of an environment.

A package and each of its extras that somebody asks for is a vertex of its own (``requests`` and
``requests[socks]``), as in resolvers: what only an extra needs is then reached through those who
ask for that extra, and through nobody else.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SPEC = re.compile(
    r"\s*(?:[^\s\[\]]*::)?(?P<name>[\w.-]+)\s*(?P<rest>[^\[]*)(?:\[(?P<fields>.*)\])?\s*\Z",
    re.DOTALL,
)
_FIELD = re.compile(r"""(\w+)\s*=\s*(?:\[([^\]]*)\]|"([^"]*)"|'([^']*)'|([^,\]\s]*))""")


class Vertex(NamedTuple):
    """A package (``extra`` is empty), or one extra of it."""

    name: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


@dataclass(frozen=True, slots=True)
class Dependency:
    """One line of a record's ``depends``, ``constrains`` or ``extra_depends``.

    ``spec`` is the version, and the build if there is one, empty for any; ``extras`` are those of
    the package that is needed; ``condition`` is what has to hold for the line to count (``when``),
    and ``extra`` the extra of the *depending* package, both empty for always.
    """

    name: str
    spec: str = ""
    extras: tuple[str, ...] = ()
    condition: str = ""
    extra: str = ""

    @property
    def targets(self) -> tuple[Vertex, ...]:
        """The vertices that this leads to: the package, and its extras."""
        return (Vertex(self.name), *(Vertex(self.name, extra) for extra in self.extras))

    @property
    def label(self) -> str:
        """The name as people write it, with extras."""
        return f"{self.name}[{','.join(self.extras)}]" if self.extras else self.name

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "spec": self.spec,
            "extras": list(self.extras),
            "condition": self.condition or None,
            "extra": self.extra or None,
        }


def parse_dependency(text: str, extra: str = "") -> Dependency | None:
    """Return what a match spec of a record says (CEP 29 and rattler's extras and conditions).

    ``extra`` is the one that the line belongs to. None for what is no match spec.
    """
    match = _SPEC.match(text)
    if match is None:
        return None
    fields = {name: "".join(values) for name, *values in _FIELD.findall(match["fields"] or "")}
    version = fields.get("version") or match["rest"].strip()
    if fields.get("build"):
        version = f"{version or '*'} {fields['build']}"
    return Dependency(
        match["name"].lower(),
        "" if version == "*" else version,
        tuple(part.strip() for part in fields.get("extras", "").split(",") if part.strip()),
        fields.get("when", ""),
        extra,
    )


class Presence(Enum):
    """Where a package of the graph is; the value is what ``--json`` calls it."""

    INSTALLED = "installed"
    VIRTUAL = "virtual"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Node:
    """A package with what it needs.

    ``asked`` are the specs by which the user asked for it, and ``asked_extras`` the extras in
    them; ``projects`` are the normalised names (PEP 503) that the package has on PyPI, as far as
    its record says. ``needs`` has only lines whose condition holds.
    """

    name: str
    version: str = ""
    build: str = ""
    source: str = ""
    asked: tuple[str, ...] = ()
    asked_extras: tuple[str, ...] = ()
    needs: tuple[Dependency, ...] = ()
    constrains: tuple[Dependency, ...] = ()
    projects: tuple[str, ...] = ()
    presence: Presence = Presence.INSTALLED

    @property
    def vertices(self) -> tuple[Vertex, ...]:
        """What the user asked for: the package, and its extras."""
        return (Vertex(self.name), *(Vertex(self.name, extra) for extra in self.asked_extras))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "name": self.name,
            "version": self.version or None,
            "build": self.build or None,
            "source": self.source or None,
            "requested": bool(self.asked),
            "presence": self.presence.value,
        }


class Link(NamedTuple):
    """An edge seen from its end: ``dependent`` needs something, as ``dependency`` says."""

    dependent: Vertex
    dependency: Dependency


Chain = tuple[Link, ...]
"""A way down the graph: each link's dependency leads to the next one's dependent."""


class DependencyGraph:
    """The packages, by name, and the edges that count: those of extras nobody asks for do not."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.name: node for node in sorted(nodes, key=lambda node: node.name)}
        self._needs: dict[Vertex, list[Dependency]] = {}
        self._needed_by: dict[Vertex, list[Link]] = {}
        installed = list(self.nodes.values())
        for node in installed:
            for dependency in _merged(node.needs):
                self._needs.setdefault(Vertex(node.name, dependency.extra), []).append(dependency)
        self._connect(chain.from_iterable(node.vertices for node in installed))

    def _connect(self, starts: Iterable[Vertex]) -> None:
        waiting = deque(starts)
        seen: set[Vertex] = set()
        while waiting:
            vertex = waiting.popleft()
            if vertex in seen:
                continue
            seen.add(vertex)
            for dependency in self._needs.get(vertex, ()):
                self.nodes.setdefault(dependency.name, _leaf(dependency.name))
                for target in dependency.targets:
                    self._needed_by.setdefault(target, []).append(Link(vertex, dependency))
                    waiting.append(target)

    def requested(self) -> list[Node]:
        """Return the packages that the user asked for, in order of name."""
        return [node for node in self.nodes.values() if node.asked]

    def tops(self) -> list[Node]:
        """Return the installed packages that no other package needs, in order of name."""
        return [
            node
            for node in self.nodes.values()
            if node.presence is Presence.INSTALLED
            and all(link.dependent.name == node.name for link in self.needed_by(Vertex(node.name)))
        ]

    def bottoms(self) -> list[Node]:
        """Return the packages that need no other, in order of name."""
        return [
            node
            for node in self.nodes.values()
            if all(need.name == node.name for need in self.needs(node.name))
        ]

    def needs(self, name: str, extras: Iterable[str] = ()) -> list[Dependency]:
        """Return what a package with these extras needs, in order of name.

        Extras that only say which others of the same package they stand for are followed.
        """
        waiting = deque([Vertex(name), *(Vertex(name, extra) for extra in extras)])
        seen: set[Vertex] = set()
        found: list[Dependency] = []
        while waiting:
            vertex = waiting.popleft()
            if vertex in seen:
                continue
            seen.add(vertex)
            for dependency in self._needs.get(vertex, ()):
                if dependency.name == name:
                    waiting.extend(dependency.targets)
                else:
                    found.append(dependency)
        return sorted(found, key=lambda dependency: dependency.name)

    def needed_by(self, vertex: Vertex) -> list[Link]:
        """Return who needs a package, or an extra of it, in order of name."""
        links = self._needed_by.get(vertex, ())
        return sorted(
            (link for link in links if link.dependent != vertex),
            key=lambda link: link.dependent,
        )

    def reached(self, roots: Iterable[Node]) -> set[str]:
        """Return the names of all packages that ``roots`` need, themselves included."""
        waiting = deque(chain.from_iterable(root.vertices for root in roots))
        seen: set[Vertex] = set()
        while waiting:
            vertex = waiting.popleft()
            if vertex not in seen:
                seen.add(vertex)
                for dependency in self._needs.get(vertex, ()):
                    waiting.extend(dependency.targets)
        return {vertex.name for vertex in seen}

    def edges(self, names: Iterable[str]) -> list[Link]:
        """Return the edges between packages of ``names``, in order of name."""
        among = set(names)
        links = {
            (link.dependent, link.dependency): link
            for links in self._needed_by.values()
            for link in links
            if {link.dependent.name, link.dependency.name} <= among
        }
        return sorted(links.values(), key=lambda link: (link.dependent, link.dependency.name))

    def chains(self, name: str, roots: Iterable[Node], limit: int) -> tuple[list[Chain], int]:
        """Return the shortest ways from each root down to a package, and how many there are.

        The shortest roots' ways come first; at most ``limit`` are returned, because there can be
        more than anybody could count one by one. A root that is the package itself has none.
        """
        goal = Vertex(name)
        distances = self._distances_to(goal)
        starts: list[tuple[int, Vertex]] = []
        for root in roots:
            near = [(distances[v], v) for v in root.vertices if v in distances and v.name != name]
            starts += [start for start in near if start[0] == min(near)[0]]
        starts.sort()
        counts: dict[Vertex, int] = {goal: 1}
        for vertex in sorted(distances, key=distances.__getitem__):
            if vertex != goal:
                links = self._downwards(vertex, distances)
                counts[vertex] = sum(counts[target] for _, target in links)
        ways = (way for _, start in starts for way in self._ways(start, distances))
        return list(islice(ways, limit)), sum(counts[start] for _, start in starts)

    def _distances_to(self, goal: Vertex) -> dict[Vertex, int]:
        distances = {goal: 0}
        waiting = deque([goal])
        while waiting:
            vertex = waiting.popleft()
            for link in self._needed_by.get(vertex, ()):
                if link.dependent not in distances:
                    distances[link.dependent] = distances[vertex] + 1
                    waiting.append(link.dependent)
        return distances

    def _downwards(
        self, vertex: Vertex, distances: dict[Vertex, int]
    ) -> list[tuple[Dependency, Vertex]]:
        """Return the edges of ``vertex`` that lead one step nearer, one for each vertex."""
        nearer = {
            target: dependency
            for dependency in self._needs.get(vertex, ())
            for target in dependency.targets
            if distances.get(target) == distances[vertex] - 1
        }
        return [(dependency, target) for target, dependency in sorted(nearer.items())]

    def _ways(self, vertex: Vertex, distances: dict[Vertex, int]) -> Iterator[Chain]:
        if not distances[vertex]:
            yield ()
            return
        for dependency, target in self._downwards(vertex, distances):
            for rest in self._ways(target, distances):
                yield (Link(vertex, dependency), *rest)


def _leaf(name: str) -> Node:
    virtual = name.startswith("__")
    return Node(name, presence=Presence.VIRTUAL if virtual else Presence.MISSING)


def _merged(lines: Iterable[Dependency]) -> list[Dependency]:
    """Return one line where several say of the same package what it has to be like."""
    merged: dict[Dependency, list[str]] = {}
    for line in lines:
        specs = merged.setdefault(replace(line, spec=""), [])
        if line.spec and line.spec not in specs:
            specs.append(line.spec)
    return [replace(line, spec=", ".join(specs)) for line, specs in merged.items()]
