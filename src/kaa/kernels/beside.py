"""What the files beside a notebook say it needs, where the notebook itself says nothing.

They are the files that say for a directory of notebooks what these need; of several the first that
says something counts, as Binder has it: environment.yml, requirements.txt, pyproject.toml,
pixi.toml.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaa.kernels.wanted import parsed_toml
from kaa.model.errors import KaaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kaa.kernels.wanted import Wanted

    Needed = tuple[tuple[str, ...], str]
    """Requirements or match specs, and a specifier of Python's version."""

_LARGEST = 1 << 20
"""Bytes beyond which a file is no list of requirements."""


def with_files_beside(wanted: Wanted, directory: Path) -> Wanted:
    """Return the same with what the files in the notebook's directory say it needs.

    It stays as it is where the notebook says so itself, or is of another language. Files that
    cannot be read, or are wrong, say nothing.
    """
    if wanted.requirements or wanted.language not in ("", "python"):
        return wanted
    for name, read in _READERS.items():
        file = directory / name
        try:
            if not file.is_file() or file.stat().st_size > _LARGEST:
                continue
            requirements, requires_python = read(file)
        except (OSError, ValueError, KaaError):
            continue
        if requirements:
            return replace(wanted, requirements=requirements, requires_python=requires_python)
    return wanted


def _environment_yml(file: Path) -> Needed:
    from kaa.formats.environment_yml import read_environment_yml
    from kaa.formats.requirements_txt import LineKind

    content = read_environment_yml(file)
    # What is of one platform only is not worth finding out which one this is.
    specs = [each.text for each in content.dependencies if each.selector is None]
    lines = [each.value for each in content.requirements if each.kind is LineKind.REQUIREMENT]
    return (*specs, *lines), ""


def _requirements_txt(file: Path) -> Needed:
    from kaa.formats.requirements_txt import LineKind, read_requirements

    lines = read_requirements(file)
    return tuple(line.value for line in lines if line.kind is LineKind.REQUIREMENT), ""


def _pyproject(file: Path) -> Needed:
    project = _table(parsed_toml(file.read_text(encoding="utf-8")).get("project"))
    needed = project.get("dependencies")
    requires_python = project.get("requires-python")
    texts = [each for each in needed if isinstance(each, str)] if isinstance(needed, list) else []
    return tuple(texts), requires_python if isinstance(requires_python, str) else ""


def _pixi(file: Path) -> Needed:
    content = parsed_toml(file.read_text(encoding="utf-8"))
    specs = []
    for section in ("dependencies", "pypi-dependencies"):
        for name, version in _table(content.get(section)).items():
            if isinstance(version, dict):
                version = version.get("version", "*")
            specs.append(f"{name} {'' if version == '*' else version}".strip())
    return tuple(specs), ""


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_READERS: dict[str, Callable[[Path], Needed]] = {
    "environment.yml": _environment_yml,
    "environment.yaml": _environment_yml,
    "requirements.txt": _requirements_txt,
    "pyproject.toml": _pyproject,
    "pixi.toml": _pixi,
}
