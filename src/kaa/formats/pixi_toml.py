"""pixi.toml, and ``[tool.pixi]`` of a pyproject.toml: the workspace manifest of pixi.

Of the environments that a manifest defines one is read: its features' dependencies, channels and
platforms. What pixi does beside that (tasks, building packages) is not kaa's, and said.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kaa.formats.environment_file import Dependency, EnvironmentFile, SelectedVariable
from kaa.formats.requirements_txt import LineKind, RequirementLine
from kaa.formats.selectors import is_selector
from kaa.formats.toml_text import TomlText, kind_of, read_toml

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = "default"
"""pixi's name of the environment, and of the feature, that are meant when none is named."""
_WORKSPACE = ("workspace", "project")
_NOT_OURS = {
    "tasks": "tasks are pixi's to run",
    "package": "building packages is pixi's",
    "system-requirements": "virtual packages are the machine's, or --override's",
    "build-dependencies": "they are for building a package",
    "host-dependencies": "they are for building a package",
    "build-system": "",
}
_PARTS = ("dependencies", "pypi-dependencies", "pypi-options", "activation", "target")
_OF_FEATURES = (*_PARTS, "channels", "platforms", "channel-priority", "solve-strategy", *_NOT_OURS)
_WITHOUT_EFFECT = {
    *("name", "version", "description", "authors", "homepage", "repository", "documentation"),
    *("license", "license-file", "readme", "requires-pixi", "conda-pypi-map", "build-variants"),
    *("build-variants-files", "preview", "channels", "platforms", "channel-priority"),
    *("solve-strategy", "pypi-options", "exclude-newer", "s3-options"),
}
_MATCH_FIELDS = {
    "build-number": "build_number",
    "file-name": "fn",
    "sha256": "sha256",
    "md5": "md5",
    "license": "license",
    "subdir": "subdir",
}
_SYSTEMS = {
    "linux": "linux",
    "osx": "osx",
    "win": "win",
    "unix": "unix",
    "macos": "osx",
    "windows": "win",
}
_TEXTS = {"extras", "version", "build", "channel", "path", "git", "url", "rev", "tag", "branch"}
"""Fields of a dependency that are texts, and neither numbers nor truth values."""
_OPTIONS = {"index-url": LineKind.INDEX_URL, "extra-index-urls": LineKind.EXTRA_INDEX_URL}


def read_pixi_toml(path: Path, environment: str = DEFAULT) -> EnvironmentFile:
    """Return what an environment of a pixi.toml asks for.

    :raises RequestError: the file cannot be read, or makes no sense; the line is named.
    """
    return read_pixi_manifest(read_toml(path), (), environment)


def read_pixi_manifest(
    source: TomlText, above: tuple[str, ...], environment: str = DEFAULT
) -> EnvironmentFile:
    """Return what an environment of a manifest below the tables ``above`` asks for.

    :raises RequestError: it makes no sense; the line is named.
    """
    manifest = source.table(*above)
    reading = _Reading(source, above)
    workspace = next((key for key in _WORKSPACE if key in manifest), None)
    known = {*_WORKSPACE, "feature", "environments", *_OF_FEATURES}
    reading.remark_unknown(manifest, (), known)
    settings = source.table(*above, workspace) if workspace else {}
    if workspace:
        reading.remark_unknown(settings, (workspace,), _WITHOUT_EFFECT)
        reading.read_channels(settings, (workspace,))
        reading.platforms = reading.read_platforms(settings, (workspace,))
        reading.read_options((workspace, "pypi-options"), None)
    for feature in reading.features(environment):
        reading.read_feature(() if feature == DEFAULT else ("feature", feature))
    name = settings.get("name")
    return EnvironmentFile(
        name=name if isinstance(name, str) else None,
        channels=reading.ordered_channels(),
        dependencies=tuple(reading.dependencies),
        requirements=tuple(reading.requirements),
        variables=tuple(reading.variables.items()),
        platforms=tuple(reading.platforms),
        remarks=tuple(dict.fromkeys(reading.remarks)),
        selected_variables=tuple(reading.selected),
    )


def selector_of_target(target: str) -> str | None:
    """Return the selector for a target of pixi (``linux``, ``osx-arm64``), None for others."""
    if target in _SYSTEMS:
        return _SYSTEMS[target]
    system, _, processor = target.partition("-")
    bits = processor in {"32", "64"}
    selector = f"{system}{processor}" if bits else f"{system} and {processor}"
    return selector if is_selector(selector) else None


@dataclass(slots=True)
class _Reading:
    """One reading of a manifest: what its features have given so far."""

    source: TomlText
    above: tuple[str, ...]
    dependencies: list[Dependency] = field(default_factory=list)
    requirements: list[RequirementLine] = field(default_factory=list)
    channels: list[tuple[int, str]] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    selected: list[SelectedVariable] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def features(self, environment: str) -> list[str]:
        """Return the features of an environment, those that come first having the last word."""
        environments = self.source.table(*self.above, "environments")
        chosen = environments.get(environment)
        keys = (*self.above, "environments", environment)
        if chosen is None and environment != DEFAULT:
            self.source.refuse(
                (*self.above, "environments"),
                f"there is no environment {environment}",
                cause=f"there are: {', '.join((DEFAULT, *environments))}",
                hint="name one of them with --environment",
            )
        names, alone = chosen or [], False
        if isinstance(chosen, dict):
            names, alone = chosen.get("features", []), bool(chosen.get("no-default-feature"))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.source.refuse(keys, "an environment is a list of features")
        there = self.source.table(*self.above, "feature")
        for name in names:
            if name != DEFAULT and name not in there:
                self.source.refuse(keys, f"there is no feature {name}", hint="check its spelling")
        found = [name for name in names if name != DEFAULT]
        return found if alone else [*found, DEFAULT]

    def read_feature(self, keys: tuple[str, ...]) -> None:
        """Take what a feature asks for; the default one is the manifest itself."""
        table = self.source.table(*self.above, *keys)
        if keys:
            self.remark_unknown(table, keys, set(_OF_FEATURES))
            self.read_channels(table, keys)
            own = self.read_platforms(table, keys)
            if own:
                self.platforms = [each for each in self.platforms if each in own] or own
        self._read_part(keys, None)
        for target in self.source.table(*self.above, *keys, "target"):
            selector = selector_of_target(target)
            if selector is None:
                self.source.refuse(
                    (*self.above, *keys, "target", target),
                    f"{target!r} is no platform",
                    hint="write linux, osx, win, unix or a subdir such as linux-64",
                )
            self._read_part((*keys, "target", target), selector)
        for key, why in _NOT_OURS.items():
            if why and key in table:
                self.remarks.append(f"`{'.'.join((*keys, key))}` is not taken into account: {why}")

    def _read_part(self, keys: tuple[str, ...], selector: str | None) -> None:
        place = (*self.above, *keys)
        for name, value in self.source.table(*place, "dependencies").items():
            where = (*place, "dependencies", name)
            text = self._match_spec(name, value, where)
            if text is None:
                continue
            if any(
                each.selector == selector and _name(each.text) == name.lower()
                for each in self.dependencies
            ):
                continue  # a feature that comes earlier has the last word
            self.dependencies.append(Dependency(text, self.source.line(*where), selector))
        for name, value in self.source.table(*place, "pypi-dependencies").items():
            where = (*place, "pypi-dependencies", name)
            line = self._requirement(name, value, where)
            self.requirements.append(replace(line, selector=selector))
        self.read_options((*keys, "pypi-options"), selector)
        activation = self.source.table(*place, "activation")
        if activation.get("scripts"):
            self.remarks.append("activation scripts of the workspace are not run")
        for name, value in self.source.table(*place, "activation", "env").items():
            if not isinstance(value, str | int | float):
                self.source.refuse(
                    (*place, "activation", "env", name), f"{name} is {kind_of(value)}, not a text"
                )
            if selector is None:
                self.variables.setdefault(name, str(value))
            else:
                self.selected.append(SelectedVariable(name, str(value), selector))

    def _match_spec(self, name: str, value: Any, where: tuple[str, ...]) -> str | None:
        """Return a dependency as conda writes it, None for what is a source to be built."""
        if isinstance(value, str):
            version = value.strip()
            return name if version in {"", "*"} else f"{name} {version}"
        if not isinstance(value, dict):
            self.source.refuse(where, f"{name} is {kind_of(value)}, not a version")
        self._check_fields(name, value, where)
        if sources := [key for key in ("path", "git", "url") if key in value]:
            self.source.refuse(
                where,
                f"{name} is to be built from a {sources[0]}",
                cause="building conda packages is pixi's, and nothing that kaa does",
                hint="name a channel that has it",
            )
        channel = value.get("channel")
        version, build = value.get("version", "*"), value.get("build")
        unknown = set(value) - {"version", "build", "channel", "extras", *_MATCH_FIELDS}
        if unknown:
            self.remarks.append(f"`{min(unknown)}` of {name} is not taken into account")
        fields = [(_MATCH_FIELDS[key], value[key]) for key in _MATCH_FIELDS if key in value]
        text = f"{channel}::{name}" if channel else name
        if build:
            text += f" {version} {build}"
        elif version not in {"", "*"}:
            text += f" {version}"
        if fields:
            text += "[" + ", ".join(f'{key}="{found}"' for key, found in fields) + "]"
        return text

    def _requirement(self, name: str, value: Any, where: tuple[str, ...]) -> RequirementLine:
        line = self.source.line(*where)
        if isinstance(value, str):
            version = "" if value.strip() == "*" else value.strip()
            return RequirementLine(LineKind.REQUIREMENT, f"{name}{version}", line)
        if not isinstance(value, dict):
            self.source.refuse(where, f"{name} is {kind_of(value)}, not a version")
        self._check_fields(name, value, where)
        extras = value.get("extras") or []
        full = f"{name}[{','.join(extras)}]" if extras else name
        marker = value.get("env-markers")
        end = f" ; {marker}" if marker else ""
        if "path" in value:
            kind = LineKind.EDITABLE if value.get("editable") else LineKind.LOCATION
            place = value["path"] if "/" in value["path"] else f"./{value['path']}"
            return RequirementLine(kind, place + (full.removeprefix(name)), line)
        if "git" in value:
            ref = next((value[key] for key in ("rev", "tag", "branch") if key in value), None)
            url = value["git"] if value["git"].startswith("git+") else f"git+{value['git']}"
            url += f"@{ref}" if ref else ""
            url += f"#subdirectory={value['subdirectory']}" if "subdirectory" in value else ""
            return RequirementLine(LineKind.REQUIREMENT, f"{full} @ {url}{end}", line)
        if "url" in value:
            return RequirementLine(LineKind.REQUIREMENT, f"{full} @ {value['url']}{end}", line)
        if "index" in value:
            self.requirements.append(
                RequirementLine(LineKind.EXTRA_INDEX_URL, str(value["index"]), line)
            )
        version = str(value.get("version", "*")).strip()
        return RequirementLine(
            LineKind.REQUIREMENT, full + ("" if version == "*" else version) + end, line
        )

    def _check_fields(self, name: str, table: dict[str, Any], where: tuple[str, ...]) -> None:
        """Refuse a dependency of which a field is neither a text nor what else it may be."""
        for key, value in table.items():
            texts = value if key == "extras" and isinstance(value, list) else [value]
            if (key == "extras") != isinstance(value, list) or not all(
                isinstance(each, str) or (isinstance(each, int) and key not in _TEXTS)
                for each in texts
            ):
                self.source.refuse(
                    where, f"`{key}` of {name} is {kind_of(value)}, or has one in it"
                )

    def _list(self, table: dict[str, Any], keys: tuple[str, ...], key: str) -> list[Any]:
        """Return a list of a table; an empty one where it is absent."""
        found = table.get(key, [])
        if not isinstance(found, list):
            where = (*self.above, *keys, key)
            self.source.refuse(where, f"`{key}` is {kind_of(found)}, not a list")
        return found

    def read_options(self, keys: tuple[str, ...], selector: str | None) -> None:
        """Take pypi-options: where the package indexes are."""
        options = self.source.table(*self.above, *keys)
        line = self.source.line(*self.above, *keys)
        for key, value in options.items():
            if key in _OPTIONS:
                urls = value if isinstance(value, list) else [value]
                self.requirements += [
                    RequirementLine(_OPTIONS[key], str(url), line, selector=selector)
                    for url in urls
                ]
            elif key == "find-links":
                places = [
                    each.get("path") or each.get("url")
                    for each in self._list(options, keys, key)
                    if isinstance(each, dict)
                ]
                self.requirements += [
                    RequirementLine(LineKind.FIND_LINKS, str(place), line, selector=selector)
                    for place in places
                ]
            else:
                self.remarks.append(f"`pypi-options.{key}` is not taken into account")

    def read_channels(self, table: dict[str, Any], keys: tuple[str, ...]) -> None:
        """Take channels, which may say their priority (the highest first, 0 where none is said)."""
        for each in self._list(table, keys, "channels"):
            if isinstance(each, str):
                self.channels.append((0, each))
            elif isinstance(each, dict) and isinstance(each.get("channel"), str):
                priority = each.get("priority", 0)
                self.channels.append(
                    (priority if isinstance(priority, int) else 0, each["channel"])
                )
            else:
                self.source.refuse(
                    (*self.above, *keys, "channels"), f"a channel is {kind_of(each)}, not a text"
                )

    def ordered_channels(self) -> tuple[str, ...]:
        """Return the channels in order of priority."""
        ordered = sorted(self.channels, key=lambda each: -each[0])
        return tuple(dict.fromkeys(name for _, name in ordered))

    def read_platforms(self, table: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
        """Return the platforms of a table, by their subdirs."""
        found = []
        for each in self._list(table, keys, "platforms"):
            subdir = each.get("platform", each.get("name")) if isinstance(each, dict) else each
            if not isinstance(subdir, str):
                self.source.refuse(
                    (*self.above, *keys, "platforms"), f"a platform is {kind_of(each)}"
                )
            found.append(subdir)
        return found

    def remark_unknown(self, table: dict[str, Any], keys: tuple[str, ...], known: set[str]) -> None:
        """Say which keys of a table nobody knows."""
        self.remarks += [
            f"`{'.'.join((*keys, key))}` in line {self.source.line(*self.above, *keys, key)} "
            "is not known, and not taken into account"
            for key in table
            if key not in known
        ]


def _name(text: str) -> str:
    return text.rpartition("::")[2].split(" ")[0].split("[")[0].lower()
