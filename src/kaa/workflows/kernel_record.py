"""What an environment was asked for is written into notebooks, for other machines to match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaa.environments.conda_history import asked_in_history
from kaa.environments.records import read_records, requested_specs
from kaa.formats.notebook import read_notebook, write_metadata
from kaa.kernels.requirements import needs
from kaa.model.errors import UnsupportedError
from kaa.workflows.inspect import check_there, find_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kaa.store.layout import Layout


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

    Raises what finding an environment raises, :class:`~kaa.model.errors.RequestError` for what is
    no notebook, and UnsupportedError for an environment of which nobody knows what was asked for.
    """
    found = find_environment(layout, name, prefix)
    check_there(found)
    records = read_records(found.current)
    specs = requested_specs(found.current, records) or asked_in_history(found.current)
    requirements = tuple(spec for spec in specs if needs([spec]))
    if not requirements:
        raise UnsupportedError(
            f"nobody knows what {found.path} was asked for",
            cause="its records name no package that was asked for",
            hint="write `metadata.kaa.requirements` into the notebook by hand",
        )
    for notebook in notebooks:
        read_notebook(notebook)
    return Recording(tuple(notebooks), found.name, requirements)


def record(recording: Recording) -> None:
    """Write it into ``metadata.kaa``; what else is there stays. Raises RequestError."""
    for notebook in recording.notebooks:
        known = read_notebook(notebook).get("metadata", {}).get("kaa")
        kept = known if isinstance(known, dict) else {}
        told = {**kept, "requirements": list(recording.requirements)}
        write_metadata(notebook, "kaa", dict(sorted(told.items())))
