"""The packages of an environment as a graph, out of the records in ``conda-meta``.

rattler could read them, but importing it takes longer than all that is done here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from kaa.environments.conditions import holds
from kaa.environments.heads import read_heads
from kaa.environments.prefix import read_manifest
from kaa.model.graph import Dependency, DependencyGraph, Node, Vertex, parse_dependency
from kaa.model.package import project_name, source_of_channel
from kaa.sources.versions import readable_specs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kaa.model.environment import Manifest

_TYPED = re.compile(r"\s*(?:[^\s\[\]=<>!~]*::)?(?P<name>[A-Za-z0-9_][\w.-]*)")
_PURL = re.compile(r"pkg:pypi/([^@?#]+)")


def read_graph(generation: Path, *, foreign: bool = False) -> DependencyGraph:
    """Return the packages of a generation, or of any prefix with ``conda-meta``, as a graph.

    ``foreign`` adds those that another program has installed there, without a record.
    """
    records = {
        record["name"]: record
        for record in read_heads(generation)
        if isinstance(record.get("name"), str)
    }
    nodes = _nodes(records, read_manifest(generation))
    if foreign:
        from kaa.environments.foreign_graph import foreign_nodes

        nodes += foreign_nodes(generation, nodes)
    return DependencyGraph(nodes)


def graph_of(records: Iterable[dict[str, Any]]) -> DependencyGraph:
    """Return the packages of records (JSON of ``conda-meta``) that are in no environment yet."""
    return DependencyGraph(_nodes({record["name"]: record for record in records}, None))


def _nodes(records: Mapping[str, dict[str, Any]], manifest: Manifest | None) -> list[Node]:
    nodes = _with_asked([_node(record) for record in records.values()], manifest)
    return _with_needs(nodes, records)


def _node(record: dict[str, Any]) -> Node:
    requested = [readable_dependency(spec) for spec in _requested(record)]
    return Node(
        name=record["name"],
        version=str(record.get("version", "")),
        build=str(record.get("build", "")),
        source=source_of_channel(str(record.get("channel") or "unknown")),
        asked=tuple(requested),
        asked_extras=_extras(requested),
        constrains=tuple(dependency_lines(record.get("constrains"))),
        projects=_projects(record.get("purls")),
    )


def _with_needs(nodes: Sequence[Node], records: Mapping[str, dict[str, Any]]) -> list[Node]:
    """Add what each package needs: always, and for those of its extras that somebody asks for.

    Most extras are asked for by nobody, and there are more lines in them than in all the rest.
    """
    versions = {node.name: node.version for node in nodes}
    needs: dict[str, list[Dependency]] = {name: [] for name in records}
    waiting = [vertex for node in nodes for vertex in node.vertices]
    seen: set[Vertex] = set()
    while waiting:
        vertex = waiting.pop()
        if vertex in seen or vertex.name not in records:
            continue
        seen.add(vertex)
        for line in dependency_lines(_needed(records[vertex.name], vertex.extra), vertex.extra):
            if not line.condition or holds(line.condition, versions):
                needs[vertex.name].append(
                    replace(line, condition=readable_specs(line.condition))
                    if line.condition
                    else line
                )
                waiting += line.targets[1:]
    return [replace(node, needs=tuple(needs[node.name])) for node in nodes]


def _needed(record: dict[str, Any], extra: str) -> object:
    if not extra:
        return record.get("depends")
    extras = record.get("extra_depends")
    return extras.get(extra) if isinstance(extras, dict) else None


def dependency_lines(texts: object, extra: str = "") -> Iterator[Dependency]:
    """Yield what a list of match specs in a record says, with specs as people write them.

    ``extra`` is the one that the list belongs to; what is no match spec is passed over.
    """
    for text in _texts(texts):
        line = _line(text, extra)
        if line is not None:
            yield line


@cache
def _line(text: str, extra: str) -> Dependency | None:
    line = parse_dependency(text, extra)
    return replace(line, spec=readable_specs(line.spec)) if line else None


def _texts(value: object) -> list[str]:
    """Return the texts of a list in a record, which any program may have written."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _requested(record: dict[str, Any]) -> list[str]:
    """Return the specs by which the user asked for a package: rattler's words or conda's."""
    single = record.get("requested_spec")
    specs = _texts(record.get("requested_specs")) or _texts([single])
    return [spec for spec in specs if spec not in {"", "None"}]


def readable_dependency(spec: str) -> str:
    """Return a match spec of a record as people write it; what is none stays as it is."""
    line = parse_dependency(spec)
    if line is None:
        return spec
    separator = " " if line.spec[:1].isalnum() or line.spec[:1] == "*" else ""
    return f"{line.label}{separator}{readable_specs(line.spec)}"


def _extras(specs: Iterable[str]) -> tuple[str, ...]:
    found = [part for spec in specs for part in re.findall(r"\[([\w.,\s-]+)\]", spec)]
    return tuple(dict.fromkeys(extra.strip() for part in found for extra in part.split(",")))


def _projects(purls: object) -> tuple[str, ...]:
    matches = [_PURL.match(text) for text in _texts(purls)]
    return tuple(project_name(match[1]) for match in matches if match)


def _with_asked(nodes: list[Node], manifest: Manifest | None) -> list[Node]:
    """Say what was asked for as the manifest does, where that can be told by the names.

    The records know, too, but in the solver's words, and packages that are kept in a change keep
    what was said of them before. They count where a name in the manifest leads to no package.
    """
    typed: dict[str, list[str]] = {}
    for spec in manifest.specs if manifest else ():
        match = _TYPED.match(spec)
        typed.setdefault(project_name(match["name"]) if match else spec, []).append(spec)
    if not typed:
        return nodes
    own = {node.name: _named_by(node, typed) for node in nodes}
    complete = {name for names in own.values() for name in names} == set(typed)
    asked = []
    for node in nodes:
        texts = tuple(text for name in own[node.name] for text in typed[name])
        if texts:
            extras = dict.fromkeys((*_extras(texts), *node.asked_extras))
            asked.append(replace(node, asked=texts, asked_extras=tuple(extras)))
        else:
            asked.append(replace(node, asked=(), asked_extras=()) if complete else node)
    return asked


def _named_by(node: Node, typed: Mapping[str, list[str]]) -> list[str]:
    names = dict.fromkeys((project_name(node.name), *node.projects))
    return [name for name in names if name in typed]
