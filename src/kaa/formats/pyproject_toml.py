"""pyproject.toml: what a project needs (PEP 621), its extras and dependency groups (PEP 735).

The project itself is not asked for: ``-e .`` does that. ``[tool.pixi]`` counts as pixi.toml does.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaa.formats.environment_file import Dependency, EnvironmentFile
from kaa.formats.pixi_toml import DEFAULT, read_pixi_manifest
from kaa.formats.requirements_txt import LineKind, RequirementLine
from kaa.formats.toml_text import TomlText, kind_of, read_toml
from kaa.model.package import project_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SELF = re.compile(r"^\s*(?P<name>[\w.-]+)\s*\[(?P<extras>[^\]]*)\]\s*$")


def read_pyproject(
    path: Path,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    environment: str = DEFAULT,
) -> EnvironmentFile:
    """Return what a pyproject.toml asks for, with ``extras`` and dependency ``groups``.

    :raises RequestError: the file cannot be read or makes no sense, or has no such extra or
        group; the line is named.
    """
    source = read_toml(path)
    found = EnvironmentFile()
    if "pixi" in source.table("tool"):
        found = read_pixi_manifest(source, ("tool", "pixi"), environment)
    project = source.table("project")
    if not project and "dependency-groups" not in source.data and not found.dependencies:
        source.refuse(
            (),
            "there is nothing in it that could be installed",
            hint="it needs [project], [dependency-groups] or [tool.pixi]",
        )
    reading = _Reading(source, str(project.get("name") or ""))
    reading.add(source.texts("project", "dependencies"), ("project", "dependencies"))
    for extra in extras:
        reading.add_extra(extra, ())
    for group in groups:
        reading.add_group(group, ())
    remarks = list(found.remarks)
    dynamic = source.texts("project", "dynamic") if "dynamic" in project else []
    if "dependencies" in dynamic:
        remarks.append("its dependencies are dynamic: installing the project (-e .) finds them out")
    requires = project.get("requires-python")
    dependencies = list(found.dependencies)
    if requires is not None:
        if not isinstance(requires, str):
            source.refuse(("project", "requires-python"), f"it is {kind_of(requires)}, not a text")
        if not any(each.text.split(" ")[0] == "python" for each in dependencies):
            line = source.line("project", "requires-python")
            dependencies.insert(0, Dependency(f"python{requires}", line))
    name = project.get("name")
    return replace(
        found,
        name=found.name or (name if isinstance(name, str) else None),
        dependencies=tuple(dependencies),
        requirements=(*reading.requirements, *found.requirements),
        remarks=tuple(remarks),
    )


class _Reading:
    """What the lists of a project have given so far."""

    def __init__(self, source: TomlText, name: str) -> None:
        self.requirements: list[RequirementLine] = []
        self._source = source
        self._name = project_name(name)

    def add(self, texts: Sequence[str], keys: tuple[str, ...], seen: tuple[str, ...] = ()) -> None:
        """Take requirements; one of the project itself stands for its extras."""
        line = self._source.line(*keys)
        for text in texts:
            match = _SELF.match(text)
            if match and self._name and project_name(match["name"]) == self._name:
                for extra in match["extras"].split(","):
                    self.add_extra(extra.strip(), seen)
                continue
            self.requirements.append(
                RequirementLine(LineKind.REQUIREMENT, text.strip(), self._line_of(text, line))
            )

    def _line_of(self, text: str, first: int) -> int:
        """Return the line that a text is in, after the one of its list."""
        lines = self._source.text.splitlines()
        for number in range(first - 1, len(lines)):
            if text in lines[number]:
                return number + 1
        return first

    def add_extra(self, extra: str, seen: tuple[str, ...]) -> None:
        """Take an extra (``optional-dependencies``)."""
        table = self._source.table("project", "optional-dependencies")
        by_name = {project_name(key): key for key in table}
        key = by_name.get(project_name(extra))
        keys = ("project", "optional-dependencies")
        if key is None:
            self._source.refuse(
                keys,
                f"the project has no extra {extra}",
                cause=f"it has {', '.join(table) or 'none'}",
                hint="check the name that --extra gives",
            )
        if key in seen:
            self._source.refuse((*keys, key), f"the extra {key} is inside of itself")
        self.add(self._source.texts(*keys, key), (*keys, key), (*seen, key))

    def add_group(self, group: str, seen: tuple[str, ...]) -> None:
        """Take a dependency group and those that it includes (PEP 735)."""
        table = self._source.table("dependency-groups")
        by_name = {project_name(key): key for key in table}
        key = by_name.get(project_name(group))
        keys = ("dependency-groups",)
        if key is None:
            self._source.refuse(
                keys,
                f"there is no dependency group {group}",
                cause=f"there are: {', '.join(table) or 'none'}",
                hint="check the name that --group, or include-group, gives",
            )
        if key in seen:
            self._source.refuse((*keys, key), f"the group {key} is inside of itself")
        items: Any = table[key]
        if not isinstance(items, list):
            self._source.refuse((*keys, key), f"a group is {kind_of(items)}, not a list")
        for item in items:
            if isinstance(item, str):
                self.add([item], (*keys, key))
            elif isinstance(item, dict) and isinstance(item.get("include-group"), str):
                self.add_group(item["include-group"], (*seen, key))
            else:
                self._source.refuse(
                    (*keys, key),
                    f"an item of the group {key} is {kind_of(item)}",
                    hint='write a requirement, or {include-group = "NAME"}',
                )
