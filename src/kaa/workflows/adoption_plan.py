"""What is planned before a directory is adopted, whoever has made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.model.errors import InvalidSpecError, RequestError
from kaa.model.package import project_name
from kaa.solver.specs import parse_spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kaa.model.adoption import Adoption
    from kaa.model.environment import Manifest
    from kaa.model.graph import DependencyGraph
    from kaa.workflows.adopt_direct import Repacking
    from kaa.workflows.supply import Supply


@dataclass(frozen=True, slots=True)
class DirectoryAdoption:
    """An adoption that is planned, and has changed nothing yet.

    ``records`` are those of packages that are in the directory and have none there;
    ``repackings`` are those of which the package cache is to have what is there; ``supply`` is
    what the kernel overlay is made with, where the plan has one.
    """

    plan: Adoption
    manifest: Manifest
    records: tuple[dict[str, Any], ...] = ()
    repackings: tuple[Repacking, ...] = ()
    supply: Supply | None = None


def asked_for(graph: DependencyGraph, texts: Iterable[str]) -> dict[str, str]:
    """Return what counts as asked for, by name: ``texts``, and whatever nothing of these needs.

    The next change removes what nobody asked for and nothing needs; whoever made the environment
    has not, and may have had reasons that nobody wrote down.
    """
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
    return specs


def _usable(text: str) -> tuple[str, str] | None:
    """Return the project and the text of a spec; only its name where the rest makes no sense."""
    try:
        spec = parse_spec(text)
    except (InvalidSpecError, RequestError):
        return None
    # An archive that was named by its URL was a choice of that moment.
    return project_name(spec.name), spec.name if spec.direct else text
