"""Whether a solution needs a kernel overlay: what a plan has to say, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaa.kernels.overlay import overlay_ready
from kaa.sources.host import OLDEST

if TYPE_CHECKING:
    from kaa.solver.request import Solution
    from kaa.store.layout import Layout


def missing_overlay(solution: Solution, layout: Layout) -> str | None:
    """Return Python's minor version if an environment needs an overlay that is not there yet.

    That is so where nothing of the solution is a kernel, and Python is not too old for one.
    """
    minor = solution.python_minor
    if minor is None or tuple(map(int, minor.split("."))) < OLDEST:
        return None
    if any(record.name.normalized == "ipykernel" for record in solution.records):
        return None
    return None if overlay_ready(layout, minor) else minor
