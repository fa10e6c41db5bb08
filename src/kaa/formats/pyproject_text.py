"""pyproject.toml written: pip's part in ``[project]``, what is conda's in ``[tool.pixi]``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaa.formats.pixi_text import write_manifest
from kaa.formats.rendered import Rendered
from kaa.formats.requirements_txt import LineKind
from kaa.model.package import project_name

if TYPE_CHECKING:
    from kaa.formats.environment_file import EnvironmentFile

_OPERATORS = (">=", "<=", "==", "!=", "~=", ">", "<")


def render_pyproject(
    file: EnvironmentFile, platforms: tuple[str, ...], previous: str | None = None
) -> Rendered:
    """Return the content of a pyproject.toml; ``platforms`` are those of a file that names none."""
    import tomlkit

    document: Any = tomlkit.parse(previous or "")
    lost: list[str] = []
    if "project" not in document:
        document["project"] = tomlkit.table()
    project = document["project"]
    if "name" not in project:
        project["name"] = project_name(file.name or "environment")
    if "version" not in project and "version" not in project.get("dynamic", ()):
        project["version"] = "0"
    requires = [each for each in file.dependencies if _requires_python(each.text) is not None]
    if requires and not requires[0].selector:
        project["requires-python"] = _requires_python(requires[0].text)
    plain = [
        line
        for line in file.requirements
        if line.kind is LineKind.REQUIREMENT and not line.selector and not line.hashes
    ]
    wanted = [line.value for line in plain]
    if [str(each) for each in project.get("dependencies", ())] != wanted:
        found = tomlkit.array()
        found.extend(wanted)
        project["dependencies"] = found.multiline(len(wanted) > 1)
    rest = replace(
        file,
        name=None,
        dependencies=tuple(each for each in file.dependencies if each not in requires[:1]),
        requirements=tuple(line for line in file.requirements if line not in plain),
    )
    if rest.dependencies or rest.requirements or rest.channels or rest.variables:
        if "tool" not in document:
            document["tool"] = tomlkit.table(is_super_table=True)
        tool = document["tool"]
        if "pixi" not in tool:
            tool["pixi"] = tomlkit.table(is_super_table=True)
        lost += write_manifest(tool["pixi"], rest, platforms)
    return Rendered(tomlkit.dumps(document), tuple(lost))


def _requires_python(text: str) -> str | None:
    """Return the specifier (PEP 440) of a spec on python, None for another one."""
    if not text.startswith("python"):
        return None
    rest = text.removeprefix("python").strip()
    if rest.startswith(_OPERATORS):
        return rest
    if rest.startswith("=") and "=" not in rest[1:]:
        version = rest[1:].removesuffix(".*")
        return f"=={version}.*"
    return None
