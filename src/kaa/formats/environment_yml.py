"""environment.yml: what conda's ``env create`` reads, with the additions of its relatives.

From conda come name, prefix, channels, dependencies with their ``pip:`` section, and variables;
from conda-lock ``platforms``, ``category``, ``pip-repositories`` and platform selectors in
comments; from micromamba ``sel(linux):``; and from MLflow the whole shape of ``python_env.yaml``.
What conda refuses is refused here, with the line; two ``pip:`` sections, of which conda takes the
last without a word, are both taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kaa.formats.environment_file import Dependency, EnvironmentFile
from kaa.formats.requirements_txt import LineKind, RequirementLine, parse_requirement_line
from kaa.formats.selectors import comment_selector, is_selector, unknown_selector
from kaa.formats.yaml_nodes import Items, Mapping, Scalar, YamlText, compose, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from kaa.formats.yaml_nodes import Node

NO_DEFAULTS = "nodefaults"
"""conda's word, among the channels, for "these and no others"."""
_KNOWN = ("name", "prefix", "channels", "dependencies", "variables")
_OF_CONDA_LOCK = ("platforms", "category", "pip-repositories")
_OF_MLFLOW = ("python", "build_dependencies", "dependencies")
_SELECTOR_KEY = re.compile(r"sel\((.*)\)")


def read_environment_yml(source: str | Path, name: str = "environment.yml") -> EnvironmentFile:
    """Read an environment file, from its path or its text; ``name`` is for messages then.

    :raises RequestError: it cannot be read, is not YAML, or says what conda would refuse, too.
    """
    if isinstance(source, str):
        return _read(YamlText(source.removeprefix("\ufeff"), name))
    return _read(read_text(source))


def _read(source: YamlText) -> EnvironmentFile:
    root = compose(source)
    if root is None or (isinstance(root, Scalar) and root.empty):
        source.refuse(None, "the file is empty", hint="it needs at least `dependencies:`")
    if not isinstance(root, Mapping):
        source.check_template(root.line)
        source.refuse(
            root.line,
            f"this is {root.kind or 'a text'}, where keys such as `dependencies:` should be",
            hint="for a list of packages or requirements, begin with `dependencies:`",
        )
    sections = {key: value for key, (_, value) in root.pairs.items()}
    reading = _Reading(source)
    if {"python", "build_dependencies"} <= set(sections) <= set(_OF_MLFLOW):
        return reading.mlflow(sections)
    return reading.conda(root, sections)


@dataclass(slots=True)
class _Reading:
    """One reading of a file: what its sections have given so far."""

    source: YamlText
    dependencies: list[Dependency] = field(default_factory=list)
    requirements: list[RequirementLine] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def conda(self, root: Mapping, sections: dict[str, Node]) -> EnvironmentFile:
        """Return what the file says in conda's shape."""
        unknown = tuple(key for key in sections if key not in (*_KNOWN, *_OF_CONDA_LOCK))
        self.remarks += [
            f"`{key}` in line {root.pairs[key][0]} is no section of an environment file"
            for key in unknown
        ]
        self._read_dependencies(sections.get("dependencies"))
        channels = [channel.text.strip() for channel in self._texts(sections, "channels")]
        self.requirements += [
            RequirementLine(LineKind.EXTRA_INDEX_URL, url.text.strip(), url.line)
            for url in self._texts(sections, "pip-repositories")
        ]
        platforms = self._texts(sections, "platforms")
        return EnvironmentFile(
            name=self._text(sections, "name"),
            prefix=self._text(sections, "prefix"),
            channels=tuple(dict.fromkeys(each for each in channels if each != NO_DEFAULTS)),
            only_these_channels=NO_DEFAULTS in channels,
            dependencies=tuple(self.dependencies),
            requirements=tuple(self.requirements),
            variables=self._variables(sections.get("variables")),
            platforms=tuple(dict.fromkeys(each.text.strip() for each in platforms)),
            category=self._text(sections, "category"),
            unknown=unknown,
            remarks=tuple(self.remarks),
        )

    def mlflow(self, sections: dict[str, Node]) -> EnvironmentFile:
        """Return what MLflow's python_env.yaml says: a Python, and requirements."""
        version = self._text(sections, "python")
        if version:
            self.dependencies.append(Dependency(f"python={version}", sections["python"].line))
        for key in ("build_dependencies", "dependencies"):
            self._read_requirements(sections.get(key), f"`{key}`", None)
        return EnvironmentFile(
            dependencies=tuple(self.dependencies), requirements=tuple(self.requirements)
        )

    def _read_dependencies(self, section: Node | None) -> None:
        for item in self._items(section, "`dependencies`"):
            if isinstance(item, Mapping):
                self._read_mapping(item)
            else:
                scalar = self._item(item, "a package spec")
                self._add(scalar, self._selector(scalar))

    def _read_mapping(self, item: Mapping) -> None:
        """Read ``pip: [...]`` or ``sel(linux): spec``."""
        self.source.check_template(item.line)
        for key, (line, value) in item.pairs.items():
            if key == "pip":
                self._read_requirements(value, "the `pip` section", None)
            elif match := _SELECTOR_KEY.fullmatch(key):
                self._read_selected(match[1].strip(), line, value)
            else:
                written = value.text.strip() if isinstance(value, Scalar) else ""
                self.source.refuse(
                    line,
                    f"`{key}:` is a section, and conda knows only `pip:` among the dependencies",
                    hint=f"write `- {key}={written}`" if written else f"write `- {key}`",
                )

    def _read_selected(self, selector: str, line: int, value: Node) -> None:
        if not is_selector(selector):
            self.source.refuse(
                line,
                f"{selector!r} is no platform",
                hint="write sel(linux), sel(osx), sel(win) or sel(unix)",
            )
        for each in value.items if isinstance(value, Items) else (value,):
            if isinstance(each, Mapping) and set(each.pairs) == {"pip"}:
                self._read_requirements(each.pairs["pip"][1], "the `pip` section", selector)
            else:
                self._add(self._item(each, "a package spec"), selector)

    def _read_requirements(self, section: Node | None, what: str, selector: str | None) -> None:
        for item in self._items(section, what):
            scalar = self._item(item, "a requirement")
            own = selector or self._selector(scalar)
            lines = parse_requirement_line(scalar.text, scalar.line, self.source.name)
            self.requirements += [replace(line, selector=own) for line in lines]

    def _add(self, scalar: Scalar, selector: str | None) -> None:
        self.dependencies.append(Dependency(scalar.text.strip(), scalar.line, selector))

    def _items(self, section: Node | None, what: str) -> tuple[Node, ...]:
        """Return the items of a list; none where it is absent or null."""
        if section is None or (isinstance(section, Scalar) and section.empty):
            return ()
        if not isinstance(section, Items):
            self.source.check_template(section.line)
            self.source.refuse(
                section.line,
                f"{what} is {section.kind or 'a text'}, not a list",
                hint="write one item a line, each after `- `",
            )
        return section.items

    def _item(self, node: Node, what: str) -> Scalar:
        """Return an item that has to be a text, and not empty."""
        self.source.check_template(node.line)
        if isinstance(node, Scalar) and node.empty:
            self.source.refuse(
                node.line, "an item is empty", hint="remove the line, or write what was meant"
            )
        if not isinstance(node, Scalar) or node.kind:
            written = f"`{node.text}`" if isinstance(node, Scalar) else "an item"
            self.source.refuse(
                node.line,
                f"{written} is {node.kind}, not {what}",
                hint="it begins with a package's name, such as `- python=3.10`",
            )
        return node

    def _selector(self, scalar: Scalar) -> str | None:
        unknown = unknown_selector(scalar.comment)
        if unknown is not None:
            self.remarks.append(
                f"`[{unknown}]` in line {scalar.line} is no platform, so the item is for all"
            )
        return comment_selector(scalar.comment)

    def _text(self, sections: dict[str, Node], key: str) -> str | None:
        node = sections.get(key)
        if node is None:
            return None
        self.source.check_template(node.line)
        if not isinstance(node, Scalar):
            self.source.refuse(node.line, f"`{key}` is {node.kind}, not a text")
        return None if node.empty else node.text.strip()

    def _texts(self, sections: dict[str, Node], key: str) -> list[Scalar]:
        texts = []
        for item in self._items(sections.get(key), f"`{key}`"):
            self.source.check_template(item.line)
            if not isinstance(item, Scalar) or item.empty:
                self.source.refuse(
                    item.line, f"an item of `{key}` is {item.kind or 'empty'}, not a text"
                )
            texts.append(item)
        return texts

    def _variables(self, node: Node | None) -> tuple[tuple[str, str], ...]:
        if node is None or (isinstance(node, Scalar) and node.empty):
            return ()
        if not isinstance(node, Mapping):
            self.source.refuse(
                node.line,
                f"`variables` is {node.kind or 'a text'}, not a mapping",
                hint="write one variable a line, as `NAME: value`",
            )
        found = []
        for name, (line, value) in node.pairs.items():
            if not isinstance(value, Scalar) or value.kind == "nothing":
                self.source.refuse(
                    line,
                    f"the variable {name} is {value.kind}, not a text",
                    hint=f'for an empty one write `{name}: ""`',
                )
            if not name or "=" in name or "\0" in name:
                self.source.refuse(line, f"{name!r} cannot be a variable's name")
            found.append((name, value.text))
        return tuple(found)
