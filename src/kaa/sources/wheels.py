"""Which wheels of a release fit the target (PEP 425 tags, PEP 592 yanks, Requires-Python)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from kaa.model.distribution import IndexFile, Release
    from kaa.sources.target import Target


class WheelChoice(NamedTuple):
    """A wheel, and the spec on ``python`` under which it is the best of its release."""

    file: IndexFile
    python: str


def choose_wheels(
    release: Release, target: Target, *, yanked: bool
) -> tuple[list[WheelChoice], str | None]:
    """Return the best wheel for each Python of the target, and why there is none.

    ``yanked`` allows yanked files, as an exact pin does. The wheel for the newest Python comes
    first.
    """
    best, reasons = _best_for_each_python(release, target, yanked)
    if not best:
        return [], _most_telling(reasons)
    minors: dict[str, list[str]] = {}
    files: dict[str, IndexFile] = {}
    for minor in target.minors:
        if minor in best:
            file = best[minor][1]
            files[file.filename] = file
            minors.setdefault(file.filename, []).append(minor)
    choices = []
    for filename, fitting in minors.items():
        everywhere = len(fitting) == len(target.minors)
        python = "*" if everywhere else "|".join(f"{minor}.*" for minor in fitting)
        choices.append(WheelChoice(files[filename], python))
    return choices, None


def _best_for_each_python(
    release: Release, target: Target, yanked: bool
) -> tuple[dict[str, tuple[int, IndexFile]], dict[str, None]]:
    """Return for each minor version the best wheel with its rank, and why others are none."""
    best: dict[str, tuple[int, IndexFile]] = {}
    reasons: dict[str, None] = {}
    for file in release.files:
        if not file.filename.endswith(".whl"):
            reasons.setdefault("it has no wheel, only a source distribution")
            continue
        if file.yanked is not None and not yanked:
            reasons.setdefault(f"it was yanked{': ' * bool(file.yanked)}{file.yanked}")
            continue
        allowed = [m for m in target.minors if _python_allows(file.requires_python, target, m)]
        if not allowed:  # more telling than that its tags do not fit, which then is no wonder
            reasons.setdefault(f"it requires Python {file.requires_python}")
            continue
        fits = target.fit(file.filename)
        if not fits:
            reasons.setdefault("it has no wheel for this platform and these Pythons")
        for minor, rank in fits.items():
            if minor not in allowed:
                reasons.setdefault(f"it requires Python {file.requires_python}")
            elif minor not in best or _order(rank, file) < _order(*best[minor]):
                best[minor] = (rank, file)
    return best, reasons


def _order(rank: int, file: IndexFile) -> tuple[int, list[int], str]:
    """Sort by tag; then the highest build number (PEP 427); then by name, to be reproducible."""
    parts = file.filename.split("-")
    digits = "".join(c for c in parts[2] if c.isdigit()) if len(parts) == 6 else ""
    return rank, [-int(digits or 0)], file.filename


def _python_allows(requires_python: str | None, target: Target, minor: str) -> bool:
    if not requires_python:
        return True
    specifiers = _specifiers(requires_python)
    if specifiers is None:
        return True
    return any(
        specifiers.contains(full, prereleases=True)
        for full in target.pythons
        if full.startswith(f"{minor}.")
    )


@lru_cache(maxsize=2048)
def _specifiers(text: str) -> SpecifierSet | None:
    """Parse Requires-Python; what cannot be read allows everything, as pip has it."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def _most_telling(reasons: dict[str, None]) -> str:
    for word in ("requires Python", "yanked", "platform", "source distribution"):
        for reason in reasons:
            if word in reason:
                return reason
    return "it has no files"
