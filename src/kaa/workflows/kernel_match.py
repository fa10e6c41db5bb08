"""Which kernel notebooks name, and what stands in for one that this machine does not have.

Programs that ask no manager (papermill, nbconvert, Quarto) find what stands in once it is on the
disk under the name that the notebook wants.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaa.kernels.aliases import write_alias
from kaa.kernels.beside import with_files_beside
from kaa.kernels.dead import kernelspec_directories
from kaa.kernels.nearest import Nearest, installed_in, nearest
from kaa.kernels.options import configured_options
from kaa.kernels.specs import find_aliases, is_gone, kernelspec_directory
from kaa.kernels.wanted import Wanted, wanted_by
from kaa.model.errors import KernelError
from kaa.store.disk import writing
from kaa.store.locks import locked
from kaa.workflows.kernels import look_at_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kaa.kernels.offers import Offer
    from kaa.store.layout import Layout

_NATIVE = frozenset({"python", "python2", "python3"})
"""What the Python that runs Jupyter brings itself."""


@dataclass(frozen=True, slots=True)
class Match:
    """What was found out about a notebook.

    ``wanted`` is None where it names no kernel; ``here`` says whether there is a kernelspec of that
    name on disk; ``written`` is the directory of the kernelspec that was written for it;
    ``problem`` says why the notebook cannot be read, or the kernelspec not be written.
    """

    notebook: str
    wanted: Wanted | None = None
    here: bool = False
    nearest: Nearest | None = None
    written: str | None = None
    problem: str | None = None

    @property
    def name(self) -> str | None:
        """The name of the kernel that is wanted."""
        return self.wanted.name if self.wanted else None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        found = self.nearest
        return {
            "notebook": self.notebook,
            "kernel": self.name,
            "here": self.here,
            "nearest": None
            if found is None
            else {
                "id": found.offer.id,
                "environment": found.offer.environment.label,
                "prefix": found.offer.environment.prefix,
                "because": found.because.value,
                "reason": found.reason,
            },
            "written": self.written,
            "problem": self.problem,
        }


def match_notebooks(notebooks: Sequence[Path], layout: Layout) -> tuple[Match, ...]:
    """Return what is found out about notebooks, in their order; what cannot be read says so.

    Raises :class:`~kaa.model.errors.RequestError` for settings that make no sense.
    """
    offers = look_at_kernels(layout, configured_options()).offers
    there = _on_disk()
    return tuple(_match(notebook, offers, there) for notebook in notebooks)


def write_matches(matches: Sequence[Match], layout: Layout) -> tuple[Match, ...]:
    """Write what :func:`to_write` gives; the matches come back with where, or why not."""
    written: dict[str, tuple[str | None, str | None]] = {}
    with writing(kernelspec_directory()), locked(layout, "environments"):
        for match in to_write(matches):
            assert match.wanted is not None and match.nearest is not None
            name = match.wanted.name
            try:
                spec = write_alias(name, match.nearest, layout)
                written[name] = str(spec.directory), None
            except KernelError as error:
                written[name] = None, f"{error.message} ({error.cause})"
    done = []
    for match in matches:
        directory, problem = written.get(match.name or "", (None, None))
        mine = not match.here and match.problem is None and match.nearest is not None
        done.append(replace(match, written=directory, problem=problem) if mine else match)
    return tuple(done)


def to_write(matches: Sequence[Match]) -> tuple[Match, ...]:
    """Return the matches whose kernel can be written: one for each name, the first that has it."""
    found: dict[str, Match] = {}
    for match in matches:
        if match.name is not None and match.nearest is not None and not match.here:
            found.setdefault(match.name, match)
    return tuple(found.values())


def _match(notebook: Path, offers: Sequence[Offer], there: frozenset[str]) -> Match:
    shown = str(notebook)
    try:
        content = json.loads(notebook.read_bytes())
    except OSError as error:
        return Match(shown, problem=error.strerror or str(error))
    except (ValueError, RecursionError):
        return Match(shown, problem="it is no notebook (not JSON)")
    if not isinstance(content, dict) or "nbformat" not in content:
        return Match(shown, problem="it is no notebook (no nbformat in it)")
    wanted = wanted_by(content)
    if wanted is None:
        return Match(shown)
    if wanted.name.lower() in there:
        return Match(shown, wanted, here=True)
    found = nearest(wanted, offers, installed_in)
    if found is None:
        found = nearest(with_files_beside(wanted, notebook.absolute().parent), offers, installed_in)
    return Match(shown, wanted, nearest=found)


def _on_disk() -> frozenset[str]:
    names = {
        file.parent.name.lower()
        for directory in kernelspec_directories()
        for file in directory.glob("*/kernel.json")
    }
    gone = {alias.name.lower() for alias in find_aliases() if is_gone(alias.prefix)}
    return frozenset(names - gone | _NATIVE)
