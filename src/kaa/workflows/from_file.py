"""What a file asks for, of whatever format, made specs and sources.

A ``pip:`` section is not a second installation after the first here: its requirements join the one
solve, and have to come from the package indexes (``pypi::``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kaa.formats import pixi_toml
from kaa.formats.environment_file import EnvironmentFile
from kaa.formats.environment_yml import read_environment_yml
from kaa.formats.match_specs import read_match_specs
from kaa.formats.pixi_toml import read_pixi_toml
from kaa.formats.pyproject_toml import read_pyproject
from kaa.formats.recognition import FileFormat, recognise
from kaa.formats.requirements_txt import read_requirements
from kaa.model.errors import RequestError, UnsupportedError
from kaa.model.options import NO_CHOICE
from kaa.model.package import PYPI
from kaa.network.locations import redact_text
from kaa.settings.channels import DEFAULT_CHANNELS
from kaa.solver.specs import parse_spec
from kaa.workflows.file_request import Collection, FileRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kaa.model.options import FileChoice
    from kaa.solver.specs import Spec

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_]\w*))")
_PIP = re.compile(r"^(.*::)?pip\b(?![\w.-])")
PIP_SECTION = "the pip section of"
"""Where the pip comes from that nobody has written down, as specs say it."""
_OF_PYPI = (FileFormat.REQUIREMENTS, FileFormat.PYPROJECT)
"""Formats of which everything comes from an index, Python from this machine."""


def request_from_file(
    path: Path,
    platform: str,
    environ: Mapping[str, str],
    configured: Sequence[str],
    choice: FileChoice = NO_CHOICE,
) -> FileRequest:
    """Return what ``path`` asks for on ``platform`` (a conda subdir).

    ``choice`` says which of its environments, extras and groups are meant.

    As in conda, the ``configured`` sources come after the file's channels, unless ``nodefaults`` is
    among those; but package indexes are asked only where the file has requirements (or the
    settings' sources are all there is), so that no index gives what a channel was to give.

    :raises RequestError: the file, or one that it names, cannot be read, or makes no sense; the
        line is named.
    :raises InvalidSpecError: an item is no package spec.
    :raises UnsupportedError: it wants what kaa does not do.
    """
    file = _read_file(path, choice).on(platform)
    format_ = recognise(path)
    collected = Collection(path.parent, platform, dict(environ))
    specs = [
        parse_spec(each.text, origin=f"{path.name}, line {each.line}") for each in file.dependencies
    ]
    collected.add_all(file.requirements, path)
    asks_pypi = collected.asks_pypi
    with_pip = format_ is FileFormat.ENVIRONMENT_YML and asks_pypi
    if with_pip and not any(_PIP.match(spec.text) for spec in (*specs, *collected.specs)):
        # as conda does: who has a pip section wants to have pip
        specs.append(parse_spec("pip", origin=f"{PIP_SECTION} {path.name}"))
    if format_ in _OF_PYPI and not file.channels:
        sources: tuple[str, ...] = (PYPI,)
    else:
        sources = _sources(file, path, environ, configured, asks_pypi=asks_pypi)
    request = collected.request(file.name, tuple(specs), sources)
    return replace(
        request,
        variables=file.variables,
        platforms=file.platforms,
        remarks=(*file.remarks, *request.remarks, *_twice(request.specs)),
    )


def name_in(path: Path) -> str | None:
    """Return the environment that a file names, None where it names none.

    :raises RequestError: the file cannot be read, or makes no sense.
    """
    if recognise(path).locked or recognise(path) is FileFormat.PYLOCK:
        return None
    return _read_file(path, NO_CHOICE).name


def _read_file(path: Path, choice: FileChoice) -> EnvironmentFile:
    format_ = recognise(path)
    if format_.locked:
        raise _is_lock(path)
    if format_ is FileFormat.PYPROJECT:
        return read_pyproject(
            path, choice.extras, choice.groups, choice.environment or pixi_toml.DEFAULT
        )
    if format_ is FileFormat.PIXI_TOML:
        return read_pixi_toml(path, choice.environment or pixi_toml.DEFAULT)
    if choice.extras or choice.groups:
        raise RequestError(
            f"{path.name} has no extras and no dependency groups",
            cause="a pyproject.toml has them",
            hint="leave out --extra and --group",
        )
    if format_ is FileFormat.REQUIREMENTS:
        return EnvironmentFile(requirements=read_requirements(path))
    if format_ is FileFormat.MATCH_SPECS:
        return EnvironmentFile(dependencies=read_match_specs(path))
    file = read_environment_yml(path)
    _refuse_lock(file, path)
    return file


def _twice(specs: Sequence[Spec]) -> tuple[str, ...]:
    """Say which packages are asked for more than once: all that is asked of them holds."""
    first: dict[tuple[str, str], Spec] = {}
    remarks = []
    for spec in specs:
        conditional = any(key == "when" for key, _ in spec.brackets)
        other = first.setdefault((spec.name, spec.source or ""), spec)
        if other is not spec and not conditional:
            both = f"{other.text} and {spec.text}" if other.text != spec.text else spec.text
            remarks.append(f"{spec.name} is there twice: {both} ({other.origin}; {spec.origin})")
    return tuple(remarks)


def _sources(
    file: EnvironmentFile,
    path: Path,
    environ: Mapping[str, str],
    configured: Sequence[str],
    *,
    asks_pypi: bool,
) -> tuple[str, ...]:
    channels = [_expanded(channel, path, environ) for channel in file.channels]
    if not channels and not file.only_these_channels:
        sources = list(configured)
    elif file.only_these_channels:
        sources = channels
    elif tuple(configured) == DEFAULT_CHANNELS:
        # What nobody has configured nobody wished to come after the file's channels, and the file
        # is not to be refused because of one that cannot be reached.
        sources = channels
    else:
        sources = channels + [source for source in configured if source != PYPI]
    if asks_pypi:
        sources.append(PYPI)
    return tuple(dict.fromkeys(sources))


def _expanded(channel: str, path: Path, environ: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not environ.get(name):
            raise RequestError(
                f"{path.name}: the channel {redact_text(channel)} needs the variable {name}",
                cause="it is not set",
                hint=f"set it: export {name}=...",
            )
        return environ[name]

    return _VARIABLE.sub(value, channel)


def _refuse_lock(file: EnvironmentFile, path: Path) -> None:
    if file.dependencies or "version" not in file.unknown:
        return
    if {"environments", "packages"} <= set(file.unknown) or "package" in file.unknown:
        raise _is_lock(path)


def _is_lock(path: Path) -> UnsupportedError:
    return UnsupportedError(
        f"{path.name} is a lock file, and nothing to be solved for",
        hint="`kaa create -f` makes an environment of it; to lock anew, name the file that it was "
        "made of",
    )
