"""What an environment was asked for is written into notebooks, for other machines to match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.doctor.distributions import find_sites
from kaa.environments.conda_history import asked_in_history
from kaa.environments.foreign import distributions_in, foreign_package
from kaa.environments.foreign_graph import nodes_of
from kaa.environments.records import read_records, requested_specs
from kaa.environments.virtual import is_virtual
from kaa.formats.notebook import read_notebook, write_metadata
from kaa.kernels.requirements import needs
from kaa.model.errors import UnsupportedError
from kaa.model.graph import DependencyGraph
from kaa.workflows.adoption_plan import asked_for
from kaa.workflows.anybodys import find_anybodys
from kaa.workflows.inspect import check_there

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kaa.store.layout import Layout

_TOOLS = frozenset({"pip", "setuptools", "wheel"})
"""What programs put into each virtual environment that they make."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is written into each of some notebooks."""

    notebooks: tuple[Path, ...]
    environment: str
    requirements: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        return {
            "notebooks": [str(notebook) for notebook in self.notebooks],
            "environment": self.environment,
            "requirements": list(self.requirements),
        }


def plan_recording(
    notebooks: Sequence[Path], layout: Layout, name: str | None, prefix: Path | None
) -> Recording:
    """Return what is to be written: the environment's own specs, as they were typed.

    Of a virtual environment nobody knows them: then it is what nothing else in it needs, and what
    pip was asked for, as new as it is there.

    Raises what finding an environment raises, :class:`~kaa.model.errors.RequestError` for what is
    no notebook, and UnsupportedError for an environment of which nobody knows what was asked for.
    """
    found = find_anybodys(layout, name, prefix)
    check_there(found)
    specs = _specs(found.current)
    requirements = tuple(spec for spec in specs if needs([spec]))
    if not requirements:
        raise UnsupportedError(
            f"nobody knows what {found.path} was asked for",
            cause="nothing in it says that it was asked for",
            hint="write `metadata.kaa.requirements` into the notebook by hand",
        )
    for notebook in notebooks:
        read_notebook(notebook)
    return Recording(tuple(notebooks), found.name, requirements)


def _specs(path: Path) -> Sequence[str]:
    if is_virtual(path):
        return tuple(_of_virtual(path))
    records = read_records(path)
    return requested_specs(path, records) or asked_in_history(path)


def _of_virtual(path: Path) -> Iterator[str]:
    sites = find_sites(path)
    found = {each.name: each for site in sites for each in distributions_in(path, site)}
    nodes = nodes_of(path, tuple(found.values()), ())
    packages = {name: foreign_package(path, each) for name, each in found.items()}
    # uv says of all that it installs that it was asked for.
    asked = [name for name, each in packages.items() if each.requested and each.source != "uv"]
    for name in sorted(asked_for(DependencyGraph(nodes), asked)):
        if name not in _TOOLS and name in packages:
            version = packages[name].version.partition("+")[0]
            yield f"{name}>={version}" if version else name


def record(recording: Recording) -> None:
    """Write it into ``metadata.kaa``; what else is there stays. Raises RequestError."""
    for notebook in recording.notebooks:
        known = read_notebook(notebook).get("metadata", {}).get("kaa")
        kept = known if isinstance(known, dict) else {}
        told = {**kept, "requirements": list(recording.requirements)}
        write_metadata(notebook, "kaa", dict(sorted(told.items())))
