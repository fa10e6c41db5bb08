"""Environment markers (PEP 508) turned into what the solver understands.

What a marker says of the platform is known for the target and decided here. What it says of
Python's version is not, because that version is being solved for: it becomes a condition on
``python``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.markers import Marker

ALWAYS = "*"
"""The condition that every Python satisfies."""

_MINORS = [(2, 7), *((3, minor) for minor in range(30))]
_PYTHON = re.compile(r"python_(?:full_)?version|implementation_version")
_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def python_condition(marker: Marker, environment: Mapping[str, str], extra: str = "") -> str | None:
    """Return for which Pythons ``marker`` holds on the platform of ``environment``.

    ``environment`` has the marker variables other than Python's version; ``extra`` is the
    normalised extra that is being asked for. The answer is a conda version spec, ``*`` when the
    marker holds for all, and None when it holds for none.
    """
    text = str(marker)
    frozen = tuple(sorted(environment.items()))
    if not _PYTHON.search(text):
        return ALWAYS if _holds(text, frozen, (3, 0, 0), extra) else None
    points = _sample_points(text)
    return _ranges(points, [_holds(text, frozen, point, extra) for point in points])


@lru_cache(maxsize=8192)
def _holds(
    text: str, environment: tuple[tuple[str, str], ...], python: tuple[int, int, int], extra: str
) -> bool:
    full = ".".join(map(str, python))
    values = {
        **dict(environment),
        "python_version": f"{python[0]}.{python[1]}",
        "python_full_version": full,
        "implementation_version": full,
        "extra": extra,
    }
    return _parsed(text).evaluate(values)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Marker:
    from packaging.markers import Marker

    return Marker(text)


def _sample_points(text: str) -> list[tuple[int, int, int]]:
    """Return versions between which the marker cannot change: minors, and patches it names.

    ``in`` compares texts, so that 3.8.1 is in "3.8.10": what a patch begins with counts, too.
    """
    points = {(major, minor, 0) for major, minor in _MINORS}
    for major, minor, patch in _NUMBERS.findall(text):
        for length in range(1, len(patch) + 1) or [0]:
            named = int(patch[:length] or 0)
            points |= {(int(major), int(minor), named), (int(major), int(minor), named + 1)}
    return sorted(points)


def _ranges(points: Sequence[tuple[int, int, int]], holds: Sequence[bool]) -> str | None:
    """Return the union of half-open ranges ``[start, end)`` in which the marker holds."""
    if all(holds):
        return ALWAYS
    ranges = []
    start: tuple[int, int, int] | None = None
    for point, true in zip(points, holds, strict=True):
        if true and start is None:
            start = point
        elif not true and start is not None:
            ranges.append(_range(points, start, point))
            start = None
    if start is not None:
        ranges.append(_range(points, start, None))
    return "|".join(ranges) or None


def _range(
    points: Sequence[tuple[int, int, int]],
    start: tuple[int, int, int],
    end: tuple[int, int, int] | None,
) -> str:
    # `<3.11` leaves out 3.11's own pre-releases, which a marker counts as 3.11
    terms = [] if start == points[0] else [f">={_said(start)}"]
    if end is not None:
        terms.append(f"<{_said(end)}a0")
    return ",".join(terms) or ALWAYS


def _said(point: tuple[int, int, int]) -> str:
    return ".".join(map(str, point if point[2] else point[:2]))
