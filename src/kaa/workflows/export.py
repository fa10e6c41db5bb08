"""An environment as a file: what it was asked for, or all that it has, in any of the formats."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaa.environments.conda_history import asked_in_history
from kaa.environments.heads import read_heads
from kaa.environments.prefix import Prefix, read_manifest
from kaa.environments.variables import read_variables
from kaa.formats.environment_file import Dependency, EnvironmentFile
from kaa.formats.recognition import FileFormat
from kaa.formats.requirements_txt import LineKind, RequirementLine
from kaa.model.errors import RequestError
from kaa.model.package import HOST, PYPI, source_of_channel
from kaa.network.locations import redact, redact_text
from kaa.workflows.inspect import check_there, find_environment, foreign_packages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from kaa.formats.rendered import Rendered
    from kaa.store.layout import Layout

_PLAIN = re.compile(r"([\w.-]+?)\s*(?:\[[^\]]*\]\s*)?(?:[<>=!~].*)?")
"""A spec that says nothing of a source, with its name."""
_LOCKS = (
    FileFormat.EXPLICIT,
    FileFormat.CONDA_LOCK,
    FileFormat.PIXI_LOCK,
    FileFormat.PYLOCK,
)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is to be written of an environment.

    ``from_history`` leaves what came along, ``builds`` writes build strings; ``channels`` are
    named before the environment's own, or instead of them with ``override_channels``.
    """

    name: str | None
    prefix: Path | None
    format: FileFormat
    from_history: bool = False
    builds: bool = True
    channels: tuple[str, ...] = ()
    override_channels: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """What an export comes to; ``described`` is the same as conda's ``--json`` has it."""

    rendered: Rendered
    described: Mapping[str, Any]
    format: FileFormat


def export(request: ExportRequest, layout: Layout, previous: str | None = None) -> Export:
    """Return an environment as a file; ``previous`` is what that file says now.

    Raises :class:`~kaa.model.errors.EnvironmentNotFoundError`, and
    :class:`~kaa.model.errors.RequestError` for what no file of the format can hold.
    """
    found = find_environment(layout, request.name, request.prefix)
    check_there(found)
    file = environment_file(found, request)
    described = _described(file, found)
    if request.format in _LOCKS:
        if request.from_history:
            raise RequestError(
                "a lock has all that is installed, and not what was asked for",
                hint="leave out --from-history, or choose --format environment-yml",
            )
        from kaa.formats.locked_text import render_locked
        from kaa.workflows.locked_environment import locked_environment

        locked = locked_environment(found, request.format)
        rendered = render_locked(locked.environment, request.format)
        lost = (*rendered.lost, *locked.lost)
        if file.variables:
            lost = (*lost, "a lock has no variables: " + ", ".join(dict(file.variables)))
        return Export(replace(rendered, lost=lost), described, request.format)
    return Export(_render(file, request.format, previous), described, request.format)


def _render(file: EnvironmentFile, format_: FileFormat, previous: str | None) -> Rendered:
    from kaa.sources.target import host_subdir

    match format_:
        case FileFormat.REQUIREMENTS:
            from kaa.formats.requirements_text import render_requirements

            return render_requirements(file)
        case FileFormat.PIXI_TOML:
            from kaa.formats.pixi_text import render_pixi_toml

            return render_pixi_toml(file, (host_subdir(),), previous)
        case FileFormat.PYPROJECT:
            from kaa.formats.pyproject_text import render_pyproject

            return render_pyproject(file, (host_subdir(),), previous)
        case _:
            from kaa.formats.environment_yml_text import render_environment_yml

            return render_environment_yml(file, previous)


def environment_file(found: Prefix, request: ExportRequest) -> EnvironmentFile:
    """Return what a file says that an environment can be made of again."""
    generation = found.current
    manifest = read_manifest(generation)
    heads = sorted(read_heads(generation), key=lambda head: str(head.get("name")))
    if request.from_history:
        asked = manifest.specs if manifest is not None else ()
        asked = asked or asked_in_history(generation) or _requested(heads)
        dependencies, requirements = _asked(asked, _projects(heads))
    else:
        direct = _direct(manifest.specs if manifest is not None else ())
        dependencies, requirements = _installed(heads, direct, builds=request.builds)
        requirements += [
            RequirementLine(LineKind.REQUIREMENT, f"{each.name}=={each.version}", 0)
            for each in foreign_packages(generation)
        ]
    known = [] if manifest is None else [s for s in manifest.sources if s not in (PYPI, HOST)]
    known = known or _channels(heads)
    channels = request.channels if request.override_channels else (*request.channels, *known)
    return EnvironmentFile(
        name=found.name,
        channels=tuple(dict.fromkeys(redact(each) for each in channels)),
        dependencies=tuple(dependencies),
        requirements=tuple(requirements),
        variables=tuple(read_variables(generation).items()),
    )


def _installed(
    heads: Iterable[Mapping[str, Any]], direct: Mapping[str, RequirementLine], *, builds: bool
) -> tuple[list[Dependency], list[RequirementLine]]:
    from kaa.sources.index import distribution_of, normalise

    dependencies, requirements = [], []
    for head in heads:
        source = source_of_channel(head.get("channel") or "")
        if source == PYPI:
            file_name = str(head.get("url", "")).rpartition("/")[2]
            name = (distribution_of(file_name) or (head["name"],))[0]
            line = direct.get(normalise(name)) or direct.get(normalise(head["name"]))
            requirements.append(
                line
                or RequirementLine(LineKind.REQUIREMENT, f"{normalise(name)}=={head['version']}", 0)
            )
        elif source == HOST:
            dependencies.append(Dependency(f"{head['name']}={head['version']}", 0))
        else:
            build = f"={head['build']}" if builds and head.get("build") else ""
            dependencies.append(Dependency(f"{head['name']}={head['version']}{build}", 0))
    return dependencies, requirements


def _asked(
    specs: Iterable[str], projects: Collection[str]
) -> tuple[list[Dependency], list[RequirementLine]]:
    """Return what was asked for; what an index has provided is asked of an index again.

    A file's channels need not have it, and no index is asked for what is a file's dependency.
    """
    from kaa.sources.index import normalise

    dependencies, requirements = [], []
    for text in map(redact_text, specs):
        plain = _PLAIN.fullmatch(text)
        provided = plain is not None and normalise(plain[1]) in projects
        line = _line(f"{PYPI}::{text}" if provided else text)
        if line is None:
            dependencies.append(Dependency(text, 0))
        else:
            requirements.append(line)
    return dependencies, requirements


def _line(text: str) -> RequirementLine | None:
    """Return the line of pip's that a spec of a manifest is, None for one of conda's."""
    from kaa.workflows.references import read_lasting

    if text.startswith("-e "):
        _, _, url = text.partition(" @ ")
        place = url.removeprefix("file://") if url.startswith("file://") else url
        return RequirementLine(LineKind.EDITABLE, place, 0)
    if read_lasting(text) is not None:
        return RequirementLine(LineKind.REQUIREMENT, text, 0)
    if not text.startswith(f"{PYPI}::"):
        return None
    requirement = text.removeprefix(f"{PYPI}::")
    if "=" in requirement and not any(op in requirement for op in ("==", ">=", "<=", "!=", "~=")):
        name, _, version = requirement.partition("=")  # conda's way to ask for a series
        requirement = f"{name}=={version.removesuffix('.*')}.*"
    return RequirementLine(LineKind.REQUIREMENT, requirement, 0)


def _projects(heads: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names by which what an index has provided can be asked for."""
    from kaa.sources.index import distribution_of, normalise

    found: set[str] = set()
    for head in heads:
        if source_of_channel(head.get("channel") or "") == PYPI:
            file_name = str(head.get("url", "")).rpartition("/")[2]
            distribution = distribution_of(file_name)
            names = [head["name"], *(distribution or ())[:1]]
            found.update(map(normalise, names))
    return found


def _direct(specs: Iterable[str]) -> dict[str, RequirementLine]:
    from kaa.sources.index import normalise
    from kaa.workflows.references import read_lasting

    found = {}
    for text in map(redact_text, specs):
        named = read_lasting(text)
        line = _line(text) if named is not None else None
        if named is not None and line is not None:
            found[normalise(named[0])] = line
    return found


def _requested(heads: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(spec) for head in heads for spec in head.get("requested_specs") or ())


def _channels(heads: Iterable[Mapping[str, Any]]) -> list[str]:
    names = (source_of_channel(head.get("channel") or "") for head in heads)
    return [name for name in dict.fromkeys(names) if name and name not in (PYPI, HOST)]


def _described(file: EnvironmentFile, found: Prefix) -> dict[str, Any]:
    """Return an environment as conda's ``env export --json`` describes it."""
    from kaa.formats.requirements_txt import requirement_text

    pip = [requirement_text(line) for line in file.requirements]
    described: dict[str, Any] = {
        "name": file.name,
        "channels": list(file.channels),
        "dependencies": [each.text for each in file.dependencies] + ([{"pip": pip}] if pip else []),
        "prefix": str(found.path),
    }
    if file.variables:
        described["variables"] = dict(file.variables)
    return json.loads(json.dumps(described))  # type: ignore[no-any-return]
