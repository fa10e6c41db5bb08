"""What pip has installed by hand, as packages of the graph: who needs what, as their metadata say.

Their requirements name projects; the packages that have them are found by their names on PyPI.
"""

from __future__ import annotations

import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from kaa.environments.foreign import foreign_package, read_foreign
from kaa.model.graph import Dependency, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kaa.environments.foreign import Foreign


def foreign_nodes(generation: Path, nodes: Sequence[Node]) -> list[Node]:
    """Return the packages of a generation that have no record, beside ``nodes``, which have one."""
    return nodes_of(generation, read_foreign(generation), nodes)


def nodes_of(generation: Path, foreign: Sequence[Foreign], nodes: Sequence[Node]) -> list[Node]:
    """Return distributions that are in a directory as packages of the graph, beside ``nodes``."""
    if not foreign:
        return []
    names = {each.name: each.name for each in foreign}
    names |= {_project(node.name): node.name for node in nodes}
    names |= {project: node.name for node in nodes for project in node.projects}
    python = next((node.version for node in nodes if node.name == "python"), "")
    found = []
    for each in foreign:
        package = foreign_package(generation, each)
        found.append(
            Node(
                name=each.name,
                version=each.version,
                source=package.source,
                asked=(f"{each.name} (of {package.source})",) if package.requested else (),
                needs=tuple(_needs(generation / each.metadata, names, python)),
                projects=(each.name,),
            )
        )
    known = {node.name for node in nodes}
    return [node for node in found if node.name not in known]


def _needs(metadata: Path, names: Mapping[str, str], python: str) -> Iterator[Dependency]:
    """Give what the core metadata (``Requires-Dist``) need in any case; none that is damaged."""
    from packaging.requirements import InvalidRequirement, Requirement

    # Whatever else a marker asks about is this machine's, as it is for the environment.
    environment = {"extra": "", "python_full_version": python}
    environment["python_version"] = ".".join(python.split(".")[:2])
    for line in _required(metadata):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        project = _project(requirement.name)
        extras = tuple(sorted(requirement.extras))
        yield Dependency(names.get(project, project), str(requirement.specifier), extras)


def _required(metadata: Path) -> list[str]:
    for name in ("METADATA", "PKG-INFO"):
        try:
            text = (metadata / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        return [str(line) for line in HeaderParser().parsestr(text).get_all("Requires-Dist") or []]
    return []


def _project(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
