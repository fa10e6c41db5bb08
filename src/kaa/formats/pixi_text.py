"""pixi.toml written, and ``[tool.pixi]`` of a pyproject.toml; comments of what is there stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kaa.formats.rendered import Rendered
from kaa.formats.requirements_txt import LineKind

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from kaa.formats.environment_file import EnvironmentFile
    from kaa.formats.requirements_txt import RequirementLine

_SPEC = re.compile(
    r"^(?:(?P<channel>\S+)::)?(?P<name>[\w.-]+)\s*(?P<rest>[^\[]*?)\s*(?:\[(?P<fields>.*)\])?$"
)
_FIELD = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,\s]+))""")
_FIELDS = {"build_number": "build-number", "fn": "file-name"}
_REQUIREMENT = re.compile(
    r"^(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<version>[^;@]*?)\s*"
    r"(?:@\s*(?P<url>[^;]+?)\s*)?(?:;\s*(?P<marker>.*))?$"
)
_GIT = re.compile(
    r"^git\+(?P<url>.+?)(?:@(?P<rev>[^@/#:]+))?(?:#subdirectory=(?P<subdirectory>.+))?$"
)
_TARGETS = {"linux": "linux", "osx": "osx", "win": "win", "unix": "unix"}


def render_pixi_toml(
    file: EnvironmentFile, platforms: tuple[str, ...], previous: str | None = None
) -> Rendered:
    """Return the content of a pixi.toml; ``platforms`` are those of a file that names none."""
    import tomlkit

    document = tomlkit.parse(previous or "")
    lost = write_manifest(document, file, platforms)
    return Rendered(tomlkit.dumps(document), lost)


def write_manifest(
    manifest: MutableMapping[str, Any], file: EnvironmentFile, platforms: tuple[str, ...]
) -> tuple[str, ...]:
    """Write a manifest into a table of TOML, and return what it cannot say."""
    lost: list[str] = []
    workspace = _write_workspace(manifest, file, platforms)
    found: dict[str | None, dict[str, dict[str, Any]]] = {}
    for each in file.dependencies:
        target = _target(each.selector)
        if each.selector and target is None:
            lost.append(f"{each.text} is for {each.selector}, which pixi.toml cannot say")
            continue
        name, value = pixi_dependency(each.text)
        found.setdefault(target, {}).setdefault("dependencies", {})[name] = value
    for line in file.requirements:
        target = _target(line.selector)
        entry = _requirement(line)
        if entry is None or (line.selector and target is None):
            if not _option(workspace, line):
                lost.append(f"pixi.toml cannot say `{line.value}` ({line.kind.value})")
            continue
        found.setdefault(target, {}).setdefault("pypi-dependencies", {})[entry[0]] = entry[1]
    for target, parts in found.items():
        place = manifest if target is None else _table(_table(manifest, "target"), target)
        for part, entries in parts.items():
            _fill(_table(place, part), entries)
    for part in ("dependencies", "pypi-dependencies"):
        if part in manifest and part not in found.get(None, {}):
            del manifest[part]
    _write_variables(manifest, file, lost)
    return tuple(lost)


def _write_workspace(manifest: Any, file: EnvironmentFile, platforms: tuple[str, ...]) -> Any:
    key = "project" if "project" in manifest and "workspace" not in manifest else "workspace"
    workspace = _table(manifest, key)
    if file.name is not None:
        _put(workspace, "name", file.name)
    channels = _channel_names(workspace)
    if channels != list(file.channels) or "channels" not in workspace:
        workspace["channels"] = list(file.channels)
    wanted = list(file.platforms or platforms)
    if _platform_names(workspace) != wanted:
        workspace["platforms"] = wanted
    return workspace


def pixi_dependency(text: str) -> tuple[str, Any]:
    """Return a match spec as pixi writes it: the name, and a version or a table."""
    match = _SPEC.match(text)
    if match is None:
        return text, "*"
    version, build = _version(match["rest"])
    table: dict[str, Any] = {"version": version}
    table |= {"build": build} if build else {}
    table |= {"channel": match["channel"]} if match["channel"] else {}
    for key, *values in _FIELD.findall(match["fields"] or ""):
        value = next(filter(None, values), "")
        table[_FIELDS.get(key, key)] = value
    return match["name"], table["version"] if set(table) == {"version"} else table


def _version(rest: str) -> tuple[str, str | None]:
    """Return version and build of what stands behind a name in a match spec."""
    if not rest:
        return "*", None
    if rest.startswith("=") and not rest.startswith("=="):
        version, _, build = rest[1:].partition("=")
        if build:
            return f"=={version}", build
        return (version if version.endswith("*") or version == "*" else f"{version}.*"), None
    parts = rest.split()
    if len(parts) > 1 and not rest.rstrip().endswith(",") and "," not in " ".join(parts[:-1])[-1:]:
        return " ".join(parts[:-1]), parts[-1]
    return rest, None


def _requirement(line: RequirementLine) -> tuple[str, Any] | None:
    if line.kind is LineKind.EDITABLE or line.kind is LineKind.LOCATION:
        place, _, extras = line.value.rstrip("]").partition("[")
        if "://" in place or place.endswith((".whl", ".tar.gz", ".zip")):
            return None
        name = place.rstrip("/").rpartition("/")[2] or "project"
        table: dict[str, Any] = {"path": place}
        table |= {"editable": True} if line.kind is LineKind.EDITABLE else {}
        return ("project" if name in {".", ".."} else name), table | _extras(extras)
    if line.kind is not LineKind.REQUIREMENT or line.hashes:
        return None
    match = _REQUIREMENT.match(line.value)
    if match is None:
        return None
    table = {}
    if match["url"]:
        git = _GIT.match(match["url"])
        table = {"url": match["url"]}
        if git:
            table = {"git": git["url"]}
            table |= {key: git[key] for key in ("rev", "subdirectory") if git[key]}
    else:
        table = {"version": match["version"] or "*"}
    table |= _extras(match["extras"] or "")
    table |= {"env-markers": match["marker"].strip()} if match["marker"] else {}
    return match["name"], table["version"] if set(table) == {"version"} else table


def _extras(text: str) -> dict[str, Any]:
    extras = [extra.strip() for extra in text.split(",") if extra.strip()]
    return {"extras": extras} if extras else {}


def _option(workspace: Any, line: RequirementLine) -> bool:
    """Write what a line says of indexes into the workspace's options; say whether it could be."""
    options = {LineKind.INDEX_URL: "index-url", LineKind.EXTRA_INDEX_URL: "extra-index-urls"}
    key = "find-links" if line.kind is LineKind.FIND_LINKS else options.get(line.kind)
    if key is None or line.selector:
        return False
    table = _table(workspace, "pypi-options")
    if key == "index-url":
        _put(table, key, line.value)
        return True
    found = table.setdefault(key, [])
    value: Any = line.value
    if key == "find-links":
        value = {"url" if "://" in line.value else "path": line.value}
    if value not in found:
        found.append(value)
    return True


def _write_variables(manifest: Any, file: EnvironmentFile, lost: list[str]) -> None:
    if file.variables:
        _fill(_table(_table(manifest, "activation"), "env"), dict(file.variables))
    elif "env" in manifest.get("activation", {}):
        del manifest["activation"]["env"]
    for each in file.selected_variables:
        target = _target(each.selector)
        if target is None:
            lost.append(f"{each.name} is for {each.selector}, which pixi.toml cannot say")
            continue
        place = _table(_table(_table(manifest, "target"), target), "activation")
        _put(_table(place, "env"), each.name, each.value)


def _target(selector: str | None) -> str | None:
    """Return the target of a selector: of ``linux64`` linux-64, of ``osx and arm64`` osx-arm64."""
    if selector is None:
        return None
    if selector in _TARGETS:
        return selector
    match = re.fullmatch(r"(linux|osx|win)(32|64)", selector)
    match = match or re.fullmatch(
        r"(linux|osx|win) and (aarch64|arm64|ppc64le|s390x|riscv64)", selector
    )
    return f"{match[1]}-{match[2]}" if match else None


def _table(parent: Any, key: str) -> Any:
    import tomlkit

    if key not in parent:
        parent[key] = tomlkit.table()
    return parent[key]


def _put(table: Any, key: str, value: Any) -> None:
    if key not in table or table[key] != value:
        table[key] = value


def _fill(table: Any, entries: dict[str, Any]) -> None:
    import tomlkit

    for name in [name for name in table if name not in entries]:
        del table[name]
    for name, value in entries.items():
        written = value
        if isinstance(value, dict):
            written = tomlkit.inline_table()
            written.update(value)
        _put(table, name, written)


def _channel_names(workspace: Any) -> list[str]:
    found = []
    for each in workspace.get("channels", []):
        priority = int(each.get("priority") or 0) if isinstance(each, dict) else 0
        found.append((-priority, str(each["channel"] if isinstance(each, dict) else each)))
    return [name for _, name in sorted(found, key=lambda one: one[0])]


def _platform_names(workspace: Any) -> list[str]:
    return [
        str(each.get("platform", each.get("name")) if isinstance(each, dict) else each)
        for each in workspace.get("platforms", [])
    ]
