"""What the project says that a virtual environment is in: what it asks for, and what is locked.

Both count only as far as they agree with what is installed. A file that cannot be read says
nothing: the environment is adopted without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kaa.formats.toml_text import read_toml
from kaa.formats.uv_lock import read_uv_lock
from kaa.model.errors import KaaError
from kaa.model.package import project_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kaa.model.distribution import IndexFile

_PROJECT = "pyproject.toml"
_LOCK = "uv.lock"
_IN_PROJECT = frozenset({".venv", "venv"})
"""What programs for projects call the environment in the project's own directory."""


@dataclass(frozen=True, slots=True)
class Project:
    """What is asked for, by normalised name: ``always``, and ``perhaps`` (extras, groups).

    ``wheels`` are those that are locked, by name and version.
    """

    name: str = ""
    always: Mapping[str, str] = field(default_factory=dict)
    perhaps: Mapping[str, str] = field(default_factory=dict)
    wheels: Mapping[tuple[str, str], tuple[IndexFile, ...]] = field(default_factory=dict)

    def asked(self, installed: Mapping[str, str]) -> tuple[str, ...]:
        """Return what counts as asked for of what is installed (versions by name).

        Nothing, where the environment is not what the project asks for: then it is about another.
        """
        if self.name in installed:  # it needs them itself, as a package
            return ()
        if not all(_fits(text, installed) for text in self.always.values()):
            return ()
        return tuple(text for name, text in self.always.items() if name in installed)

    def spec(self, name: str, installed: Mapping[str, str]) -> str:
        """Return how the project asks for a package that somebody asked for; else its name."""
        text = self.perhaps.get(name, name)
        return text if _fits(text, installed) else name


def read_project(path: Path) -> Project:
    """Return what the project around the virtual environment ``path`` says, nothing where none."""
    folder = path.parent
    if path.name not in _IN_PROJECT:
        return Project()
    content = _table(folder / _PROJECT)
    project, groups = _part(content, "project"), _part(content, "dependency-groups")
    if not project and not groups:
        return Project()
    uv = _part(_part(content, "tool"), "uv")
    defaults = uv.get("default-groups", ["dev"])
    chosen = groups if defaults == "all" else defaults if isinstance(defaults, list) else []
    always = [*_texts(project.get("dependencies"))]
    always += [text for name in chosen for text in _group(groups, str(name))]
    perhaps = [text for name in groups for text in _group(groups, name)]
    for texts in _part(project, "optional-dependencies").values():
        perhaps += _texts(texts)
    name = project_name(str(project.get("name") or ""))
    try:
        wheels = read_uv_lock(folder / _LOCK) if (folder / _LOCK).is_file() else {}
    except KaaError:
        wheels = {}
    return Project(name, _by_name(always), _by_name(perhaps), wheels)


def _table(file: Path) -> Mapping[str, Any]:
    try:
        return read_toml(file).data if file.is_file() else {}
    except KaaError:
        return {}


def _part(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = content.get(key)
    return part if isinstance(part, dict) else {}


def _texts(items: object) -> list[str]:
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def _group(
    groups: Mapping[str, Any], name: str, seen: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Give the requirements of a dependency group, those that it includes too (PEP 735)."""
    key = next((each for each in groups if project_name(each) == project_name(name)), None)
    if key is None or key in seen or not isinstance(groups[key], list):
        return
    for item in groups[key]:
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict) and isinstance(item.get("include-group"), str):
            yield from _group(groups, item["include-group"], seen | {key})


def _by_name(texts: Iterable[str]) -> dict[str, str]:
    """Return requirements that count on this machine, without their markers, by name."""
    from packaging.requirements import InvalidRequirement, Requirement

    found: dict[str, str] = {}
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        marker, requirement.marker = requirement.marker, None
        # Where it is asked for by its URL, what is installed says so, too.
        if requirement.url is None and (marker is None or marker.evaluate({"extra": ""})):
            found.setdefault(project_name(requirement.name), str(requirement))
    return found


def _fits(text: str, installed: Mapping[str, str]) -> bool:
    from packaging.requirements import Requirement
    from packaging.version import InvalidVersion

    requirement = Requirement(text)
    version = installed.get(project_name(requirement.name))
    try:
        return version is not None and requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False
