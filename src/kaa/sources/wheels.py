"""Which wheels of a release fit the target (PEP 425 tags, PEP 592 yanks, Requires-Python).

Where none does, its sdist does, if it may be built: as pip and uv have it, the newest version wins
even if it has to be built.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kaa.sources.index import SDIST_ENDINGS

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from kaa.model.distribution import IndexFile, Release
    from kaa.sources.target import Target


SOURCE_ONLY = "it has no wheel, only a source distribution"
FORBIDDEN = "it has only a source distribution, and building is forbidden (--no-build)"
"""Why an sdist is no choice, see :func:`choose_wheels`."""


class WheelChoice(NamedTuple):
    """A wheel, and the spec on ``python`` under which it is the best of its release.

    An sdist stands for the wheel that is built of it; then ``python`` always names minor versions,
    because before the build nobody knows whether its wheel fits all of them.
    """

    file: IndexFile
    python: str

    @property
    def built(self) -> bool:
        """Whether the file is an sdist, to be built."""
        return not self.file.filename.endswith(".whl")

    @property
    def newest_python(self) -> str | None:
        """The newest minor version that it is for (``3.12``), None where it is for all."""
        return None if self.python == "*" else self.python.partition(".*")[0]


def choose_wheels(
    release: Release, target: Target, *, yanked: bool, unbuildable: str | None = SOURCE_ONLY
) -> tuple[list[WheelChoice], str | None]:
    """Return the best wheel for each Python of the target, and why there is none.

    ``yanked`` allows yanked files, as an exact pin does; ``unbuildable`` says why no sdist may be
    chosen, None when one may. The wheel for the newest Python comes first. While there are several
    Pythons, an sdist is a choice only if no wheel fits any of them, so that a Python with a wheel
    is preferred to one without.
    """
    best, reasons = _best_for_each_python(release, target, yanked)
    if not best:
        built = _sdist(release, target, yanked, reasons)
        if built is not None and unbuildable is None:
            return [built], None
        if built is not None and unbuildable is not None:
            reasons.setdefault(unbuildable)
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


def _sdist(
    release: Release, target: Target, yanked: bool, reasons: dict[str, None]
) -> WheelChoice | None:
    """Return the sdist of a release with the Pythons that it fits; add why others are none."""
    archives = [file for file in release.files if file.filename.endswith(SDIST_ENDINGS)]
    archives.sort(key=_preference)
    for file in archives:
        if file.yanked is not None and not yanked:
            reasons.setdefault(f"it was yanked{': ' * bool(file.yanked)}{file.yanked}")
            continue
        allowed = [m for m in target.minors if _python_allows(file.requires_python, target, m)]
        if not allowed:
            reasons.setdefault(f"it requires Python {file.requires_python}")
            continue
        return WheelChoice(file, "|".join(f"{minor}.*" for minor in allowed))
    return None


def _preference(file: IndexFile) -> int:
    return next(i for i, ending in enumerate(SDIST_ENDINGS) if file.filename.endswith(ending))


def _order(rank: int, file: IndexFile) -> tuple[int, list[int], str]:
    """Sort by tag; then the highest build number (PEP 427); then by name, to be reproducible."""
    parts = file.filename.split("-")
    digits = "".join(c for c in parts[2] if c.isdigit()) if len(parts) == 6 else ""
    return rank, [-int(digits or 0)], file.filename


def _python_allows(requires_python: str | None, target: Target, minor: str) -> bool:
    if not requires_python:
        return True
    return _allows(requires_python, target.pythons, minor)


@lru_cache(maxsize=4096)
def _allows(requires_python: str, pythons: tuple[str, ...], minor: str) -> bool:
    # Thousands of files have a few dozen values of it.
    specifiers = _specifiers(requires_python)
    if specifiers is None:
        return True
    return any(
        specifiers.contains(full, prereleases=True)
        for full in pythons
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
