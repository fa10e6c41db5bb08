"""Why a solve has no answer, in words, and what to type instead."""

from __future__ import annotations

import difflib
import re
from importlib import resources
from typing import TYPE_CHECKING

from kaa.model.errors import (
    ConflictError,
    KaaError,
    NoMatchingVersionError,
    NoWheelError,
    SolveError,
    UnknownPackageError,
)
from kaa.sources.project import Demand, matching
from kaa.sources.versions import readable_specs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kaa.solver.request import Catalog, SolveRequest
    from kaa.solver.solve import Refusal
    from kaa.solver.specs import Spec
    from kaa.sources.index import ProjectIndex
    from kaa.sources.project import Project
    from kaa.sources.pypi import PyPISource

LINES = 15
"""The most lines that an explanation has."""
_NEAR = 3


async def explain(refusal: Refusal, catalog: Catalog) -> SolveError:
    """Return the error for a request that was refused."""
    scene, source = refusal.scene, refusal.source
    index, pythons = catalog.index, scene.pythons
    specs = scene.request.specs
    for root in scene.roots:
        there = root.name in scene.channel_names or root.name == "python"
        if root.name in source.unknown if source else not there:
            return await _unknown(root.spec, index, scene.request)
    for name in dict.fromkeys(root.name for root in scene.roots):
        project = source.projects.get(name) if source else None
        if project is None:  # the solver gave up before it asked for it
            continue
        own = [root.spec for root in scene.roots if root.name == name]
        asked = " and ".join(f"`{spec.text}`" for spec in own)
        demands = [Demand(spec.version) for spec in own]
        versions = [release.version for release in matching(project.releases, demands)]
        if not versions:
            return _no_matching_version(project, asked)
        if not project.offered:  # nothing outside of what the user asked for is ever offered
            return _no_wheel(project, asked, versions, pythons)
    return _conflict(specs, pythons, source, refusal.text)


async def _unknown(spec: Spec, index: ProjectIndex, request: SolveRequest) -> UnknownPackageError:
    near = await _near_names(spec.name, index) if request.has_index else []
    return UnknownPackageError(
        f"no source has a package called {spec.name!r}",
        cause=f"asked for: {', '.join(source.name for source in request.sources)}",
        hint=(
            f"did you mean {' or '.join(f'`{name}`' for name in near)}?"
            if near
            else "check the spelling; private packages need their index in pip's or uv's settings"
        ),
    )


async def _near_names(name: str, index: ProjectIndex) -> list[str]:
    """Return well-known names that look alike and that the index really has.

    Only well-known ones: a suggestion must not lead to a project that lives off typing errors.
    """
    text = resources.files("kaa.solver").joinpath("popular_names.txt").read_text("utf-8")
    popular = text.split()
    plain = name.replace("-", "").removeprefix("python").removeprefix("py")
    near = [known for known in popular if plain and known.replace("-", "") in (plain, f"py{plain}")]
    near += difflib.get_close_matches(name, popular, n=_NEAR, cutoff=0.75)
    found = []
    for known in dict.fromkeys(near):
        try:
            if await index.releases(known) is not None:
                found.append(known)
        except KaaError:  # the explanation must not fail for want of a suggestion
            break
        if len(found) == _NEAR:
            break
    return found


def _no_matching_version(project: Project, asked: str) -> SolveError:
    versions = [release.version for release in project.releases]
    if not versions:
        return NoWheelError(
            f"the project {project.name!r} has no files",
            cause="its page on the index lists none that can be installed",
            hint="ask for another package",
        )
    newest = ", ".join(versions[:5]) + (" ..." if len(versions) > 5 else "")
    return NoMatchingVersionError(
        f"no version of {project.name!r} satisfies {asked}",
        cause=(
            f"there are {len(versions)} versions, the newest: {newest}"
            if len(versions) > 1
            else f"there is one version: {newest}"
        ),
        hint=f"ask for `{project.name}` without a version, or for one of these",
    )


def _no_wheel(
    project: Project, asked: str, versions: Sequence[str], pythons: Sequence[str]
) -> SolveError:
    reasons: dict[str, list[str]] = {}
    for version in versions:
        reasons.setdefault(project.rejected.get(version, "it was not offered"), []).append(version)
    lines = [f"{_some(versions)}: {reason}" for reason, versions in list(reasons.items())[:5]]
    minors = ", ".join(dict.fromkeys(_minor(python) for python in pythons))
    if any("requires Python" in reason for reason in reasons):
        hint = "ask for another version of Python or of the package"
    elif any("source distribution" in reason for reason in reasons):
        hint = "kaa installs wheels only, for now; ask for a version that has one"
    else:
        hint = "ask for another version, or for another Python"
    return NoWheelError(
        f"no wheel of {project.name!r} can be used here ({asked}, Python {minors})",
        cause="\n".join(lines),
        hint=hint,
    )


def _some(versions: Sequence[str]) -> str:
    return ", ".join(versions[:3]) + (f" and {len(versions) - 3} more" if len(versions) > 3 else "")


def _conflict(
    specs: Sequence[Spec], pythons: Sequence[str], source: PyPISource | None, refusal: str
) -> ConflictError:
    lines = [line for line in refusal.splitlines() if line.strip()]
    lines = [_readable(line) for line in lines]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"... and {len(lines) - LINES + 1} lines more"]
    missing = sorted(
        name
        for name in (source.unknown if source else ())
        if re.search(rf"\b{re.escape(name)}\b", refusal)
    )
    if missing:
        lines.append(f"not on the index: {', '.join(missing)}")
    asked = [spec.text for spec in specs if spec.version != "*"]
    return ConflictError(
        "these requirements cannot be satisfied together",
        cause="\n".join(lines),
        hint=(
            f"loosen what you asked for ({', '.join(f'`{text}`' for text in asked[:4])})"
            if asked
            else _other_python(pythons)
        ),
    )


def _readable(line: str) -> str:
    """Say specs as people write them: the translation from PEP 440 leaves marks at the edges."""
    line = line.removeprefix("Cannot solve the request because of: ")
    return readable_specs(line)


def _other_python(pythons: Sequence[str]) -> str:
    minors = list(dict.fromkeys(_minor(python) for python in pythons))
    if len(minors) == 1:
        return "ask for another Python, such as `python=3.12`, or for fewer packages at once"
    return "ask for fewer packages at once to find the two that do not go together"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
