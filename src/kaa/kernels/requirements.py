"""Whether what is installed satisfies what a notebook says it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MATCH_SPEC = re.compile(r"(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_.-]+)(?P<version>[^\[]*)")
_BOUND = re.compile(r"(==|!=|>=|<=|~=|=|>|<)?\s*([0-9][\w.!+*-]*)")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that has to be there: a normalised name (PEP 503), a specifier (PEP 440).

    ``marker`` is a condition (PEP 508), empty without one.
    """

    name: str
    specifier: str = ""
    marker: str = ""


def needs(texts: Iterable[str]) -> tuple[Need, ...]:
    """Return what requirements (PEP 508) and match specs (conda's) ask for; others are left out."""
    return tuple(need for text in texts if (need := _need(text.strip())) is not None)


def all_satisfied(
    needed: Iterable[Need], requires_python: str, installed: Mapping[str, str], python: str
) -> bool:
    """Say whether everything is there. ``installed`` are versions by normalised name.

    What is said of Python is compared with ``python``, its full version.
    """
    from packaging.markers import Marker

    if requires_python and not _allows(requires_python, python):
        return False
    minor = ".".join(python.split(".")[:2])
    described = {"python_version": minor, "python_full_version": python, "extra": ""}
    for need in needed:
        if need.marker and not Marker(need.marker).evaluate(described):
            continue
        version = python if need.name == "python" else installed.get(need.name)
        if version is None or not _allows(need.specifier, version):
            return False
    return True


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _need(text: str) -> Need | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return _of_match_spec(text)
    marker = str(requirement.marker) if requirement.marker else ""
    return Need(normalised(requirement.name), str(requirement.specifier), marker)


def _of_match_spec(text: str) -> Need | None:
    """Read ``channel::name version build`` (conda's "package match specification").

    A version that cannot be put in PEP 440's words (alternatives with ``|``) asks for nothing.
    """
    found = _MATCH_SPEC.match(text)
    if found is None or text.startswith(("-", ".", "/")) or "/" in found["name"]:
        return None
    name = found["name"].rstrip("=<>!~")
    version = found["version"].strip()
    if "|" in version:
        return Need(normalised(name))
    return Need(normalised(name), ",".join(_bounds(version)))


def _bounds(version: str) -> list[str]:
    bounds = []
    for part in version.split(","):
        found = _BOUND.match(part.strip())
        if found is None:
            continue
        sign, number = found[1], found[2]
        if sign in (None, "="):  # "=1.2" and "1.2.*" are the same, and "1.2" but for its build, too
            bounds.append(f"=={number.removesuffix('.*').removesuffix('*').rstrip('.')}.*")
        else:
            bounds.append(f"{sign}{number}")
    return bounds


def _allows(specifier: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    if not specifier:
        return True
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False
